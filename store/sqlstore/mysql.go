package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NewMySQL returns a Store on a database of MySQL 8.0, MariaDB 10.5 or later.
// The database belongs to the caller, and [Store.Close] does not close it.
// NewMySQL creates the table if it is missing; several processes may do so at
// once.
//
// NewMySQL returns an error if
//
//   - the server is older or read-only;
//   - autocommit is off, or the isolation level is READ UNCOMMITTED (every
//     other level works);
//   - the table was created by a newer version of this package;
//   - the connection changes bytes of values, because character_set_client and
//     character_set_connection differ.
//
// The driver may count changed rows or matched rows.
//
// A server that was started with sysdate-is-now evaluates a swap at the time at
// which it began, even if it had to wait for another transaction. The
// statements of swaps contain SYSDATE, so replicate with binlog_format ROW or
// MIXED.
//
// An acknowledged write survives a crash of the server, unless
// innodb_flush_log_at_trx_commit is not 1. After the promotion of a replica the
// last writes may be missing, unless replication is synchronous. In a cluster
// whose servers all accept writes, send all calls to one of them.
func NewMySQL(ctx context.Context, db *sql.DB) (*Store, error) {
	return open(ctx, db, &mysql)
}

const (
	// mysqlNow is the time at which the statement began, in UTC, so that no
	// hour occurs twice.
	mysqlNow = `UTC_TIMESTAMP(6)`

	// mysqlWriting is the time at which the server evaluates a row. The server
	// evaluates the row again after it has waited for the row's lock, so a
	// record that has expired in the meantime is not revived. GREATEST ignores
	// the hour that occurs twice in local time.
	mysqlWriting = mysqlNow + ` + INTERVAL GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) MICROSECOND`

	// mysqlReplica compares text, because read_only is text in some versions,
	// where OFF is not a number.
	mysqlReplica = `CONCAT(@@global.read_only) NOT IN ('0', 'OFF') OR @@global.innodb_read_only`
)

var mysql = dialect{
	name: "MySQL",
	unit: time.Microsecond,
	busy: mysqlBusy,

	get: "SELECT (SELECT value FROM auth_store WHERE `key` = ? AND expires_at > " + mysqlNow + "), " + mysqlReplica,
	// The server counts rows that have changed. The column swaps changes even
	// if a swap writes an equal value.
	swap: "UPDATE auth_store SET value = ?, expires_at = " + mysqlWriting + " + INTERVAL ? MICROSECOND, swaps = swaps + 1 " +
		"WHERE `key` = ? AND value = ? AND expires_at > " + mysqlWriting,
	// An upsert counts one row if it inserts and, with some drivers, also if it
	// changes nothing. Two statements are equivalent: a call whose INSERT adds
	// no row has lost to a record that was created after its UPDATE.
	create: []string{
		"UPDATE auth_store SET value = ?, expires_at = " + mysqlNow + " + INTERVAL ? MICROSECOND, " +
			"sweep_at = " + mysqlNow + " + INTERVAL ? MICROSECOND, swaps = swaps + 1 " +
			"WHERE `key` = ? AND expires_at <= " + mysqlNow,
		"INSERT IGNORE INTO auth_store (value, expires_at, sweep_at, `key`) VALUES (?, " +
			mysqlNow + " + INTERVAL ? MICROSECOND, " + mysqlNow + " + INTERVAL ? MICROSECOND, ?)",
	},
	delete: "DELETE FROM auth_store WHERE `key` = ?",
	due:    "SELECT `key` FROM auth_store WHERE sweep_at <= " + mysqlNow + " ORDER BY sweep_at LIMIT " + batchText,
	later:  "UPDATE auth_store SET sweep_at = expires_at WHERE expires_at > " + mysqlNow + " AND `key` IN " + placeholders,
	gone:   "DELETE FROM auth_store WHERE expires_at <= " + mysqlNow + " AND `key` IN " + placeholders,

	suitable: mysqlSuitable,

	version: mysqlVersion,
	// The table comment holds the version, so that each step is one atomic
	// statement.
	schema: []string{"CREATE TABLE auth_store (" +
		"`key`      VARBINARY(128)  NOT NULL PRIMARY KEY," +
		"value      MEDIUMBLOB      NOT NULL," +
		"expires_at DATETIME(6)     NOT NULL," +
		"sweep_at   DATETIME(6)     NOT NULL," +
		"swaps      BIGINT UNSIGNED NOT NULL DEFAULT 0," +
		"KEY sweep_at (sweep_at)," +
		"CHECK (LENGTH(`key`) BETWEEN 1 AND 128)," +
		"CHECK (LENGTH(value) BETWEEN 1 AND 65536)" +
		") ENGINE = InnoDB, COMMENT = 'auth_store schema 1'"},
	lock:   `DO GET_LOCK('auth_store', 60)`,
	unlock: `DO RELEASE_LOCK('auth_store')`,
	undo:   `DO RELEASE_LOCK('auth_store')`,
}

// mysqlBusy detects a deadlock, a lock wait timeout and a row that has changed
// in the meantime by the error numbers in the message, because each driver has
// its own error type.
func mysqlBusy(err error) bool {
	text := err.Error()
	return strings.Contains(text, "1213 (40001)") || strings.Contains(text, "1205 (HY000)") || strings.Contains(text, "1020 (HY000)")
}

func mysqlVersion(ctx context.Context, conn *sql.Conn) (have int, err error) {
	var comment string
	err = conn.QueryRowContext(ctx, `
SELECT table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'auth_store'`).Scan(&comment)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(comment, "auth_store schema %d", &have); err != nil || have < 1 {
		return -1, nil // a table auth_store without a version is foreign
	}
	return have, nil
}

func mysqlSuitable(ctx context.Context, db *sql.DB) error {
	var version, variable, isolation string
	var commits, replica bool
	err := db.QueryRowContext(ctx, `SELECT VERSION(), @@autocommit, `+mysqlReplica).Scan(&version, &commits, &replica)
	if err != nil {
		return err
	}
	// The name depends on the version, and some versions have both.
	err = db.QueryRowContext(ctx, `
SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')`).Scan(&variable, &isolation)
	switch {
	case err != nil:
		return err
	case mysqlOld(version):
		return errors.New("the server is older than MySQL 8.0 or MariaDB 10.5")
	case !commits:
		return errors.New("autocommit is off")
	case isolation == "READ-UNCOMMITTED":
		return errors.New("the isolation level is READ UNCOMMITTED, which reads writes that are rolled back")
	case replica:
		return errors.New("the server is read-only")
	}
	return nil
}

func mysqlOld(version string) bool {
	var major, minor int
	fmt.Sscanf(version, "%d.%d", &major, &minor)
	if strings.Contains(version, "MariaDB") {
		return major < 10 || major == 10 && minor < 5
	}
	return major < 8
}
