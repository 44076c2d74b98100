package postgresstore

import (
	"context"
	"encoding/binary"
	"fmt"
)

// batch is how many rows a sweep holds at once.
const batch = 500

// sweepSQL removes what is due and has expired, and puts off what was swapped
// to live longer. It passes over rows that others hold.
const sweepSQL = `
WITH due AS MATERIALIZED (
	SELECT key FROM auth_store WHERE sweep_at <= now() ORDER BY sweep_at LIMIT $1 FOR UPDATE SKIP LOCKED
), later AS (
	UPDATE auth_store SET sweep_at = expires_at FROM due
	WHERE auth_store.key = due.key AND expires_at > now() RETURNING 1
), gone AS (
	DELETE FROM auth_store USING due
	WHERE auth_store.key = due.key AND expires_at <= now() RETURNING 1
)
SELECT (SELECT count(*) FROM later), (SELECT count(*) FROM gone)`

// Sweep removes the rows that have expired, in small batches that delay
// nobody, and returns how many there were. Call it every minute or so, from a
// ticker of the application or a job beside it; several processes may do so
// at once, and share the work. Without it the table grows.
//
// A record whose life a swap has shortened is swept when it would have been
// without.
func (s *Store) Sweep(ctx context.Context) (removed int64, err error) {
	for {
		result, err := s.call(ctx, sweepSQL, int8(batch))
		if err != nil {
			return 0, fmt.Errorf("postgresstore: sweep: %w", err)
		}
		later, gone := count(result.Rows[0][0]), count(result.Rows[0][1])
		if removed += gone; later+gone == 0 {
			return removed, nil
		}
	}
}

func count(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }
