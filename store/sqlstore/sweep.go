package sqlstore

import (
	"context"
	"fmt"
	"strings"
)

// batch is how many rows a sweep looks at in one go. The statements have a
// place for each.
const (
	batch     = 200
	batchText = "200"
)

var places = "(?" + strings.Repeat(", ?", batch-1) + ")"

// Sweep removes the rows that have expired, in small batches that delay
// nobody, and returns how many there were. Call it every minute or so, from a
// ticker of the application or a job beside it; several processes may do so at
// once. Without it the table grows.
//
// A record whose life a swap has shortened is swept when it would have been
// without.
func (s *Store) Sweep(ctx context.Context) (removed int64, err error) {
	for {
		later, gone, err := s.sweepSome(ctx)
		if err != nil {
			return 0, fmt.Errorf("sqlstore: sweep: %w", err)
		}
		if removed += gone; later+gone == 0 {
			return removed, nil
		}
	}
}

// sweepSome returns how many rows it has put off and removed.
func (s *Store) sweepSome(ctx context.Context) (later, gone int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	var keys []any
	err = s.retry(ctx, func() (err error) { keys, err = s.dueKeys(ctx); return err })
	if err != nil || len(keys) == 0 {
		return 0, 0, err
	}
	for len(keys) < batch { // the last again, which changes nothing
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
