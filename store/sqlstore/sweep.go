package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// batch is the maximum number of rows that a sweep processes at once. The
// statements have one placeholder for each.
const (
	batch     = 200
	batchText = "200"
)

var placeholders = "(?" + strings.Repeat(", ?", batch-1) + ")"

// DeleteExpired deletes the rows that have expired and returns their number. It works
// in small batches that do not block other calls. Call it about once a minute,
// from a ticker of the application or a separate job; several processes may
// call it at once. Without it the table grows.
//
// A record whose expiry was brought forward by a swap is deleted only after its
// original expiry.
func (s *Store) DeleteExpired(ctx context.Context) (removed int64, err error) {
	for {
		later, gone, err := s.sweepSome(ctx)
		if err != nil {
			return 0, fmt.Errorf("sqlstore: delete expired: %w", err)
		}
		if removed += gone; later+gone == 0 {
			return removed, nil
		}
	}
}

// sweepSome returns the numbers of rows that it has postponed and deleted.
func (s *Store) sweepSome(ctx context.Context) (later, gone int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var keys []any
	err = s.retry(ctx, func() (err error) { keys, err = s.dueKeys(ctx); return err })
	if err != nil || len(keys) == 0 {
		return 0, 0, err
	}
	for len(keys) < batch { // repeat the last key, which has no effect
		keys = append(keys, keys[len(keys)-1])
	}
	if gone, err = s.write(ctx, s.gone, keys...); err == nil {
		later, err = s.write(ctx, s.later, keys...)
	}
	return later, gone, err
}

func (s *Store) dueKeys(ctx context.Context) (keys []any, err error) {
	rows, err := s.due.QueryContext(ctx)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key []byte
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}
