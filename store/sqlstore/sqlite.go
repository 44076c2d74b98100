package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NewSQLite returns a Store on a database of SQLite 3.42 or later. The database
// belongs to the caller, and [Store.Close] does not close it. NewSQLite creates
// the table if it is missing; several processes may do so at once.
//
// The database must be a file on a local disk with journal_mode=wal. Each
// connection needs a busy_timeout of at most five seconds, a synchronous
// setting that is not off, and no query_only. Set these in the data source
// name, because a PRAGMA statement affects only one connection of the pool.
// NewSQLite returns an error if a setting is missing, if the file is not
// writable, or if the table was created by a newer version of this package.
//
// The store queues its own writers and retries while the database is locked, so
// a short busy_timeout is enough. If another process keeps the database locked,
// a call may exceed its deadline by the busy_timeout.
//
// An acknowledged write survives a crash of the process. With synchronous=full,
// SQLite's default, it also survives a power loss. With synchronous=normal, a
// power loss may lose the writes of the last moments.
func NewSQLite(ctx context.Context, db *sql.DB) (*Store, error) {
	return open(ctx, db, &sqlite)
}

// sqliteNow is the time in milliseconds at which the statement started after it
// had waited for the lock.
const sqliteNow = `CAST(unixepoch('subsec') * 1000 AS INTEGER)`

var sqlite = dialect{
	name:      "SQLite",
	unit:      time.Millisecond,
	oneWriter: true,
	busy:      sqliteBusy,

	get: `SELECT (SELECT value FROM auth_store WHERE key = ? AND expires_at > ` + sqliteNow + `), 0`,
	swap: `UPDATE auth_store SET value = ?, expires_at = ` + sqliteNow + ` + ?
WHERE key = ? AND value = ? AND expires_at > ` + sqliteNow,
	create: []string{`INSERT INTO auth_store (value, expires_at, sweep_at, key)
VALUES (?, ` + sqliteNow + ` + ?, ` + sqliteNow + ` + ?, ?)
ON CONFLICT (key) DO UPDATE
SET value = excluded.value, expires_at = excluded.expires_at, sweep_at = excluded.sweep_at
WHERE auth_store.expires_at <= ` + sqliteNow},
	delete: `DELETE FROM auth_store WHERE key = ?`,
	due:    `SELECT key FROM auth_store WHERE sweep_at <= ` + sqliteNow + ` ORDER BY sweep_at LIMIT ` + batchText,
	later:  `UPDATE auth_store SET sweep_at = expires_at WHERE expires_at > ` + sqliteNow + ` AND key IN ` + placeholders,
	gone:   `DELETE FROM auth_store WHERE expires_at <= ` + sqliteNow + ` AND key IN ` + placeholders,

	suitable: sqliteSuitable,

	version: sqliteVersion,
	// In SQLite, text and blob with the same bytes are not equal: STRICT
	// excludes text. A swap updates no index; only the sweep changes sweep_at.
	schema: []string{`
CREATE TABLE auth_store (
	key        BLOB    NOT NULL PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 128),
	value      BLOB    NOT NULL CHECK (length(value) BETWEEN 1 AND 65536),
	expires_at INTEGER NOT NULL,
	sweep_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX auth_store_sweep_at ON auth_store (sweep_at);
CREATE TABLE auth_store_version (version INTEGER NOT NULL) STRICT;
INSERT INTO auth_store_version VALUES (1);`},
	lock:   `BEGIN IMMEDIATE`,
	unlock: `COMMIT`,
	undo:   `ROLLBACK`,
}

// sqliteBusy detects SQLITE_BUSY and SQLITE_LOCKED by the messages of SQLite,
// because each driver has its own error type.
func sqliteBusy(err error) bool {
	text := err.Error()
	return strings.Contains(text, "database is locked") || strings.Contains(text, "table is locked")
}

func sqliteVersion(ctx context.Context, conn *sql.Conn) (have int, err error) {
	var ours, versions int
	err = conn.QueryRowContext(ctx, `
SELECT count(*) FILTER (WHERE name = 'auth_store'), count(*) FILTER (WHERE name = 'auth_store_version')
FROM sqlite_schema WHERE type = 'table'`).Scan(&ours, &versions)
	switch {
	case err != nil:
		return 0, err
	case versions == 0:
		return -ours, nil // a table auth_store without a version is foreign
	}
	err = conn.QueryRowContext(ctx, `SELECT max(version) FROM auth_store_version`).Scan(&have)
	return have, err
}

// sqliteSuitable checks two connections, if the pool allows two: one of them is
// new and shows settings that were made by a PRAGMA statement on the other
// only.
func sqliteSuitable(ctx context.Context, db *sql.DB) error {
	var version string
	var recent bool
	err := db.QueryRowContext(ctx, `SELECT sqlite_version(), unixepoch('subsec') IS NOT NULL`).Scan(&version, &recent)
	if err != nil {
		return err
	}
	if !recent {
		return fmt.Errorf("SQLite %s is older than 3.42", version)
	}
	for range 2 {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := sqlitePragmas(ctx, conn); err != nil || db.Stats().MaxOpenConnections == 1 {
			return err
		}
	}
	return nil
}

func sqlitePragmas(ctx context.Context, conn *sql.Conn) error {
	var journal string
	var busy, synchronous, readOnly int
	for pragma, value := range map[string]any{
		`PRAGMA journal_mode`: &journal,
		`PRAGMA busy_timeout`: &busy,
		`PRAGMA synchronous`:  &synchronous,
		`PRAGMA query_only`:   &readOnly,
	} {
		if err := conn.QueryRowContext(ctx, pragma).Scan(value); err != nil {
			return err
		}
	}
	switch limit := int(timeout / time.Millisecond); {
	case journal != "wal":
		return errors.New("journal_mode is not wal: set it in the data source name, and use a file")
	case busy <= 0 || busy > limit:
		return fmt.Errorf("busy_timeout is not between 1 and %d ms on every connection: set it in the data source name", limit)
	case synchronous == 0:
		return errors.New("synchronous is off on a connection: a crash would lose acknowledged writes")
	case readOnly != 0:
		return errors.New("query_only is on: the database is not writable")
	}
	return nil
}
