package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/authlatch/auth/store"
)

// boltStore keeps logins in a file of bbolt, for one process: a model for a store of your
// own. Its test runs the kits of package storetest.
type boltStore struct {
	db *bbolt.DB
	// write holds a token while a call writes. bbolt's own lock ignores deadlines.
	write chan struct{}
}

const patience = 5 * time.Second // of calls without a deadline

var bucket = []byte("auth")

func openBolt(file string) (*boltStore, error) {
	db, err := bbolt.Open(file, 0o600, &bbolt.Options{Timeout: patience}) // another process may have it
	if err != nil {
		return nil, fmt.Errorf("bbolt: open %s: %w", file, err)
	}
	s := &boltStore{db, make(chan struct{}, 1)}
	if err := s.update(context.Background(), func(*bbolt.Bucket) error { return nil }); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// Close releases the file.
func (s *boltStore) Close() error { return s.db.Close() }

func (s *boltStore) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return nil, false, err
	}
	err = s.db.View(func(tx *bbolt.Tx) error {
		value = bytes.Clone(live(tx.Bucket(bucket).Get([]byte(key)))) // bbolt reuses its bytes
		return nil
	})
	return value, value != nil, err
}

func (s *boltStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := errors.Join(ctx.Err(), store.CheckKey(key), store.CheckValue(old, new), store.CheckTTL(ttl)); err != nil {
		return false, err
	}
	err = s.update(ctx, func(b *bbolt.Bucket) error {
		if swapped = bytes.Equal(live(b.Get([]byte(key))), old); !swapped { // no value is empty, so a nil old is absence
			return nil
		}
		end := time.Now().Add(ttl).UnixMilli() + 1 // rounded up
		return b.Put([]byte(key), append(binary.BigEndian.AppendUint64(nil, uint64(end)), new...))
	})
	return swapped && err == nil, err
}

func (s *boltStore) Delete(ctx context.Context, key string) error {
	if err := errors.Join(ctx.Err(), store.CheckKey(key)); err != nil {
		return err
	}
	return s.update(ctx, func(b *bbolt.Bucket) error { return b.Delete([]byte(key)) })
}

// live returns the value of a record, or nil if it is absent or has expired.
func live(record []byte) []byte {
	if len(record) < 8 || time.Now().UnixMilli() >= int64(binary.BigEndian.Uint64(record)) {
		return nil
	}
	return record[8:]
}

// update makes a change, which is on the disk when it returns.
func (s *boltStore) update(ctx context.Context, change func(*bbolt.Bucket) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case s.write <- struct{}{}:
		defer func() { <-s.write }()
	case <-ctx.Done():
		return fmt.Errorf("bbolt: wait to write: %w", ctx.Err())
	}
	return s.db.Update(func(tx *bbolt.Tx) error {
		b, err := tx.CreateBucketIfNotExists(bucket)
		if err != nil {
			return err
		}
		return change(b)
	})
}

// DeleteExpired deletes expired records. Each transaction is short, so that other calls
// wait only for a moment.
func (s *boltStore) DeleteExpired(ctx context.Context) (n int64, err error) {
	var expired [][]byte
	err = s.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(bucket).ForEach(func(key, record []byte) error {
			if live(record) == nil {
				expired = append(expired, bytes.Clone(key))
			}
			return nil
		})
	})
	for keys := range slices.Chunk(expired, 1000) {
		err = errors.Join(err, s.update(ctx, func(b *bbolt.Bucket) error {
			for _, key := range keys {
				if live(b.Get(key)) != nil {
					continue // created again
				}
				if err := b.Delete(key); err != nil {
					return err
				}
				n++
			}
			return nil
		}))
	}
	return n, err
}
