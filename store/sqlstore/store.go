// Package sqlstore implements the Store interface of github.com/authlatch/auth
// in SQLite, MySQL or MariaDB, in one table, through database/sql and a driver
// of your choice. It does not import that module.
//
//	db, err := sql.Open("sqlite", "file:auth.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(100)")
//	…
//	s, err := sqlstore.NewSQLite(ctx, db)
//	…
//	sessions, err := session.New(session.Config{Store: s})
//
// Use [NewSQLite] for SQLite, and [NewMySQL] for MySQL and MariaDB. The tests of
// this module run with SQLite and MariaDB; MySQL is not tested.
//
// These databases do not delete expired rows: call [Store.DeleteExpired] about once a
// minute. An expired record is absent at once, even before it is deleted.
package sqlstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// timeout is the maximum duration of a call, even if its context allows more.
const timeout = 5 * time.Second

// A Store keeps values under keys for a limited time, in the table auth_store.
// It is safe for concurrent use, and any number of processes may use one table.
//
// Each call ends with its context, and after five seconds at the latest. Only
// the database's clock decides whether a record has expired. A statement that
// conflicts with another transaction is retried.
//
// An acknowledged write is as durable as the database's commits: see
// [NewSQLite] and [NewMySQL].
type Store struct {
	dialect *dialect
	turn    chan struct{} // holds one element while a call writes; nil if writes may be concurrent
	statements
}

// open returns a Store on a database of the dialect.
func open(ctx context.Context, db *sql.DB, d *dialect) (*Store, error) {
	if db == nil {
		return nil, errors.New("sqlstore: open: the database is nil")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := &Store{dialect: d}
	if d.oneWriter {
		s.turn = make(chan struct{}, 1)
	}
	if err := s.prepare(ctx, db); err != nil {
		s.Close()
		return nil, fmt.Errorf("sqlstore: open %s: %w", d.name, err)
	}
	return s, nil
}

func (s *Store) prepare(ctx context.Context, db *sql.DB) error {
	for _, step := range []func(context.Context, *sql.DB) error{s.dialect.suitable, s.dialect.migrate, s.statements.prepare(s.dialect)} {
		if err := s.retry(ctx, func() error { return step(ctx, db) }); err != nil {
			return err
		}
	}
	return s.probe(ctx)
}

// probe writes every byte value and reads it again, because the character set
// of a connection may change bytes.
func (s *Store) probe(ctx context.Context) error {
	key, value := "probe:"+rand.Text(), make([]byte, 256)
	for i := range value {
		value[i] = byte(i)
	}
	if _, err := s.CompareAndSwap(ctx, key, nil, value, time.Minute); err != nil {
		return err
	}
	got, _, err := s.Get(ctx, key)
	if err == nil && !bytes.Equal(got, value) {
		err = errors.New("the connection changes bytes of values: check its character set")
	}
	return errors.Join(err, s.Delete(ctx, key))
}

// Close closes the prepared statements; later calls return errors. It does not
// close the database, which belongs to the caller.
func (s *Store) Close() error {
	return s.statements.close()
}

// Get returns the value under key. ok is false if the key is absent or has
// expired.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, fmt.Errorf("sqlstore: get: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var replica bool
	err = s.retry(ctx, func() error { return s.get.QueryRowContext(ctx, []byte(key)).Scan(&value, &replica) })
	switch {
	case err != nil:
		return nil, false, fmt.Errorf("sqlstore: get: %w", err)
	case replica:
		return nil, false, errors.New("sqlstore: get: the server is read-only, and its copy may be old")
	case value == nil:
		return nil, false, nil
	case len(value) == 0 || len(value) > maxValue:
		return nil, false, errors.New("sqlstore: get: the value was not written by this package")
	}
	return value, true, nil
}

// CompareAndSwap sets key to new, to expire after ttl, if the current value is
// exactly old. A nil old means absence. The ttl must be positive and is rounded
// up to a millisecond in SQLite, and to a microsecond in MySQL and MariaDB.
//
// An error means that the outcome is unknown: the write may have happened, or
// may still happen if the server was only slow.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := checkSwap(key, old, new, ttl); err != nil {
		return false, fmt.Errorf("sqlstore: swap: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	life := roundUp(ttl, s.dialect.unit)
	var changed int64
	if old != nil {
		changed, err = s.write(ctx, s.swap, new, life, []byte(key), old)
	} else {
		changed, err = s.creates(ctx, new, life, []byte(key))
	}
	if err != nil {
		return false, fmt.Errorf("sqlstore: swap: %w", err)
	}
	return changed > 0, nil
}

// creates runs the statements that create until one has changed a row.
func (s *Store) creates(ctx context.Context, value []byte, life int64, key []byte) (changed int64, err error) {
	for _, statement := range s.create {
		if changed, err = s.write(ctx, statement, value, life, life, key); changed > 0 || err != nil {
			break
		}
	}
	return changed, err
}

// Delete removes key, whatever its value. Deleting a missing key is a no-op.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return fmt.Errorf("sqlstore: delete: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if _, err := s.write(ctx, s.delete, []byte(key)); err != nil {
		return fmt.Errorf("sqlstore: delete: %w", err)
	}
	return nil
}
