package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// getSQL always returns one row that also says whether the server is a standby.
// The copy of a standby may be old, so absence must not be concluded from it.
const getSQL = `
SELECT (SELECT value FROM auth_store WHERE key = $1 AND expires_at > clock_timestamp()),
       pg_is_in_recovery()`

// presentSQL is getSQL for keys that exist: it returns no row for others. The
// server plans it in less time, which counts where it plans each statement.
const presentSQL = `
SELECT value, pg_is_in_recovery() FROM auth_store WHERE key = $1 AND expires_at > clock_timestamp()`

// Get returns the value under key. ok is false if the key is absent or has
// expired.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, fmt.Errorf("postgresstore: get: %w", err)
	}
	result, err := s.call(ctx, statement{sql: getSQL, unnamed: presentSQL, byName: true}, text(key))
	if err != nil {
		return nil, false, fmt.Errorf("postgresstore: get: %w", err)
	}
	switch value = result.Rows[0][0]; {
	case result.Rows[0][1][0] != 0:
		return nil, false, errors.New("postgresstore: get: the server is a standby, whose copy may be old")
	case value == nil:
		return nil, false, nil
	case len(value) == 0 || len(value) > maxValue:
		return nil, false, errors.New("postgresstore: get: the value was not written by this package")
	}
	return value, true, nil
}

// Each statement is correct alone, at every isolation level: after waiting for
// a concurrent change of a row, the server evaluates the row again or refuses.
const (
	createSQL = `
INSERT INTO auth_store AS old (key, value, expires_at, sweep_at)
SELECT $1, $2, at, at FROM (SELECT clock_timestamp() + $3 * interval '1 microsecond' AS at) AS ends
ON CONFLICT (key) DO UPDATE
SET value = excluded.value, expires_at = excluded.expires_at, sweep_at = excluded.sweep_at
WHERE old.expires_at <= clock_timestamp()`

	// The row is locked first, so that the clock is read after all waiting and
	// a record that has expired in the meantime is not revived.
	swapSQL = `
WITH held AS MATERIALIZED (SELECT key FROM auth_store WHERE key = $1 AND value = $4 FOR UPDATE)
UPDATE auth_store SET value = $2, expires_at = clock_timestamp() + $3 * interval '1 microsecond'
FROM held WHERE auth_store.key = held.key AND value = $4 AND expires_at > clock_timestamp()`

	deleteSQL = `DELETE FROM auth_store WHERE key = $1`
)

// CompareAndSwap sets key to new, to expire after ttl, if the current value is
// exactly old. A nil old means absence. The ttl must be positive and is rounded
// up to a microsecond.
//
// An error means that the outcome is unknown: the write may have happened, or
// may still happen if the server was only slow.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := checkSwap(key, old, new, ttl); err != nil {
		return false, fmt.Errorf("postgresstore: swap: %w", err)
	}
	sql, params := createSQL, []param{text(key), bytea(new), int8(microseconds(ttl))}
	if old != nil {
		sql, params = swapSQL, append(params, bytea(old))
	}
	result, err := s.write(ctx, sql, params...)
	if err != nil {
		return false, fmt.Errorf("postgresstore: swap: %w", err)
	}
	return result.CommandTag.RowsAffected() == 1, nil
}

// Delete removes key, whatever its value. Deleting a missing key is a no-op.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return fmt.Errorf("postgresstore: delete: %w", err)
	}
	if _, err := s.write(ctx, deleteSQL, text(key)); err != nil {
		return fmt.Errorf("postgresstore: delete: %w", err)
	}
	return nil
}
