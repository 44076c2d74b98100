package postgresstore

import (
	"context"
	"encoding/binary"
	"fmt"
)

// batch is the maximum number of rows that a sweep locks at once.
const batch = 500

// sweepSQL deletes due rows that have expired, and postpones due rows whose
// expiry a swap has extended. It skips rows that other transactions have
// locked.
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

// DeleteExpired deletes the rows that have expired and returns their number. It works
// in small batches that do not block other calls. Call it about once a minute,
// from a ticker of the application or a separate job; several processes may
// call it at once and share the work. Without it the table grows.
//
// A record whose expiry was brought forward by a swap is deleted only after its
// original expiry.
func (s *Store) DeleteExpired(ctx context.Context) (removed int64, err error) {
	for { // a batch may be cancelled: without it the rows are absent, too
		result, err := s.call(ctx, statement{sql: sweepSQL}, int8(batch))
		if err != nil {
			return 0, fmt.Errorf("postgresstore: delete expired: %w", err)
		}
		later, gone := count(result.Rows[0][0]), count(result.Rows[0][1])
		if removed += gone; later+gone == 0 {
			return removed, nil
		}
	}
}

func count(value []byte) int64 { return int64(binary.BigEndian.Uint64(value)) }
