package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// NewMySQL returns a Store on a database of MySQL 8.0, MariaDB 10.5 or later
// that is the caller's, and stays so. It makes the table if it is missing,
// which several processes may do at once.
//
// It is an error if the server is older or read-only, if connections do not
// commit by themselves or are READ UNCOMMITTED, or if the table is of a newer
// version of this package. It is also an error if bytes of values change on
// their way, because character_set_client and character_set_connection differ.
// Every other isolation level will do, and the driver may count changed rows or
// matched ones.
//
// A server that was started with sysdate-is-now judges a swap by the time at
// which it began, even if it had to wait for another transaction. SYSDATE is in
// the statements of swaps, so replicate by binlog_format ROW or MIXED.
//
// What a call has acknowledged survives a crash of the server, unless
// innodb_flush_log_at_trx_commit is not 1. After the promotion of a replica the
// last writes may be missing, unless replication is synchronous. In a cluster
// whose servers all take writes, send all calls to one of them.
func NewMySQL(ctx context.Context, db *sql.DB) (*Store, error) {
	return open(ctx, db, &mysql)
}

const (
	// mysqlNow is when the statement began. It knows no time zones and so no
	// hour that comes twice.
	mysqlNow = `UTC_TIMESTAMP(6)`

	// mysqlWriting is when the server looks at a row, which it does again once
	// it has waited for the row's lock: what expired meanwhile is not revived.
	// An hour that comes twice counts for nothing.
	mysqlWriting = mysqlNow + ` + INTERVAL GREATEST(0, TIMESTAMPDIFF(MICROSECOND, NOW(6), SYSDATE(6))) MICROSECOND`

	// mysqlReplica is text in some versions, where OFF is no number.
	mysqlReplica = `CONCAT(@@global.read_only) NOT IN ('0', 'OFF') OR @@global.innodb_read_only`
)

var mysql = dialect{
	name: "MySQL",
	unit: time.Microsecond,
	busy: mysqlBusy,

	get: "SELECT (SELECT value FROM auth_store WHERE `key` = ? AND expires_at > " + mysqlNow + "), " + mysqlReplica,
	// The server counts rows that have changed: swaps does, even if a swap
	// writes what is there already.
	swap: "UPDATE auth_store SET value = ?, expires_at = " + mysqlWriting + " + INTERVAL ? MICROSECOND, swaps = swaps + 1 " +
		"WHERE `key` = ? AND value = ? AND expires_at > " + mysqlWriting,
	// An upsert counts one row both if it inserts and, with some drivers, if it
	// leaves things as they are. Two statements are as good: one who fails in
	// the second has lost to a record that came after the first.
	create: []string{
		"UPDATE auth_store SET value = ?, expires_at = " + mysqlNow + " + INTERVAL ? MICROSECOND, " +
			"sweep_at = " + mysqlNow + " + INTERVAL ? MICROSECOND, swaps = swaps + 1 " +
			"WHERE `key` = ? AND expires_at <= " + mysqlNow,
		"INSERT IGNORE INTO auth_store (value, expires_at, sweep_at, `key`) VALUES (?, " +
			mysqlNow + " + INTERVAL ? MICROSECOND, " + mysqlNow + " + INTERVAL ? MICROSECOND, ?)",
	},
	delete: "DELETE FROM auth_store WHERE `key` = ?",
	due:    "SELECT `key` FROM auth_store WHERE sweep_at <= " + mysqlNow + " ORDER BY sweep_at LIMIT " + batchText,
	later:  "UPDATE auth_store SET sweep_at = expires_at WHERE expires_at > " + mysqlNow + " AND `key` IN " + places,
	gone:   "DELETE FROM auth_store WHERE expires_at <= " + mysqlNow + " AND `key` IN " + places,

	suitable: mysqlSuitable,

	version: mysqlVersion,
	// The comment is the version, so that each step is one atomic statement.
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

// mysqlBusy knows a deadlock, a lock that was waited for too long, and a row
// that changed meanwhile by their numbers, as drivers write them, since each
// driver has another type of error.
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
		return -1, nil // a table of that name without a version is another's
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
	// The name depends on the version, and some have both.
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
		return errors.New("the isolation level is READ UNCOMMITTED, which shows writes that never happen")
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
