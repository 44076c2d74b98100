// Package postgresstore implements the Store interface of
// github.com/authlatch/auth in PostgreSQL 13 or later, in one table. It does
// not import that module.
//
//	s, err := postgresstore.Open(ctx, "postgres://app:secret@db/app")
//	…
//	defer s.Close()
//	sessions, err := session.New(session.Config{Store: s})
//
// Use [Open] with a connection string, or [New] with a pool that the service
// already has.
//
// PostgreSQL does not delete expired rows: call [Store.DeleteExpired] about once a
// minute. An expired record is absent at once, even before it is deleted.
//
// Each call is one statement in one round trip, prepared by name unless a
// pooler is in between that does not prepare statements itself. Poolers in
// transaction mode work, whether they do or not.
package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// timeout is the maximum duration of a call, even if its context allows more.
const timeout = 5 * time.Second

// A Store keeps values under keys for a limited time, in the table auth_store
// of the first schema of the search path. It is safe for concurrent use, and
// any number of processes may use one table.
//
// Each call ends with its context, and after five seconds at the latest. Only
// the server's clock decides whether a record has expired. A transaction that
// the server cannot serialize is retried, so any default_transaction_isolation
// works.
//
// An acknowledged write is as durable as the server's commits. It survives a
// crash of the server, unless synchronous_commit is off, and the promotion of a
// standby, if the standby is synchronous. If no synchronous standby confirms a
// write, the call ends with an error, and the write waits on the server; until it
// is done, no call returns its result and other writes are errors.
type Store struct {
	pool  *pgxpool.Pool
	names bool // statements have names, where the connection keeps them
	close func()

	unanswered atomic.Bool // a write was, and may still wait on the server
}

// New returns a Store on a pool of the caller, which [Store.Close] does not
// close. It creates the table if it is missing; several processes may do so at
// once.
//
// New returns an error if the server is older than PostgreSQL 13 or does not
// accept writes, like a standby. It also returns an error if a newer version of
// this package has created the table, or if the role of the pool lacks rights
// on the table. On a server with synchronous standbys it returns an error if the
// pool is not prepared by [Configure], or if client_min_messages is error.
//
// Make the pool from a configuration that [Configure] has prepared. The pool's
// tracers do not apply: keys and values go to the server only. Statements are
// prepared by name if the pool's DefaultQueryExecMode is
// QueryExecModeCacheStatement, the default of pgx. In the other modes none is.
func New(ctx context.Context, pool *pgxpool.Pool) (*Store, error) {
	if pool == nil {
		return nil, errors.New("postgresstore: open: the pool is nil")
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	s := newStore(pool)
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("postgresstore: open: %w", withContextError(ctx, err))
	}
	return s, nil
}

func newStore(pool *pgxpool.Pool) *Store {
	mode := pool.Config().ConnConfig.DefaultQueryExecMode
	return &Store{pool: pool, names: mode == pgx.QueryExecModeCacheStatement, close: func() {}}
}

// Open connects to the database at url with a pool of its own, which
// [Store.Close] closes, and checks it as [New] does. The url is a PostgreSQL
// connection string with the parameters of pgxpool.ParseConfig, such as
// pool_max_conns. If it names several hosts, Open uses the one that accepts
// writes.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The cause may contain the url, and with it the password.
		return nil, errors.New("postgresstore: open: the url is not a PostgreSQL connection string")
	}
	Configure(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: open: %w", err)
	}
	s, err := New(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.close = pool.Close
	return s, nil
}

// Close closes the pool if [Open] made it, after the calls in progress. Later
// calls return errors. A pool that was passed to [New] stays open.
func (s *Store) Close() error {
	s.close()
	return nil
}
