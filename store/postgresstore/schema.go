package postgresstore

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// version is the schema version that this package reads and writes. Each file
// schema/n.sql upgrades version n-1 to n.
const version = 1

//go:embed schema/*.sql
var schema embed.FS

const (
	oldest = 130000 // PostgreSQL 13

	// migrating is the key of the advisory lock that serializes the migrations
	// of processes that start at once.
	migrating = 0x61757468 // "auth"
)

// querier is a connection or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// ask reads one value. It uses the simple protocol, which prepares nothing.
func ask(ctx context.Context, q querier, sql string, value any) error {
	return q.QueryRow(ctx, sql, pgx.QueryExecModeSimpleProtocol).Scan(value)
}

// prepare checks the database and migrates the schema to this version. If the
// schema is current, the role needs only rights to use it.
func (s *Store) prepare(ctx context.Context) error {
	return s.pool.AcquireFunc(ctx, func(conn *pgxpool.Conn) error {
		for _, step := range []func(context.Context, *pgxpool.Conn) error{checkServer, checkStandbys, migrate, checkTable} {
			if err := step(ctx, conn); err != nil {
				return err
			}
		}
		return nil
	})
}

// checkServer checks the version of the server and that it accepts writes.
func checkServer(ctx context.Context, conn *pgxpool.Conn) error {
	var number int
	if err := ask(ctx, conn, `SELECT current_setting('server_version_num')::int`, &number); err != nil {
		return err
	}
	if number < oldest {
		return fmt.Errorf("the server is older than PostgreSQL 13: server_version_num is %d", number)
	}
	var readOnly bool
	err := ask(ctx, conn, `SELECT current_setting('transaction_read_only')::bool`, &readOnly)
	if err == nil && readOnly {
		err = errors.New("the server does not accept writes: it is a standby, or default_transaction_read_only is on")
	}
	return err
}

// checkStandbys checks that the store can learn whether a synchronous standby has a write.
func checkStandbys(ctx context.Context, conn *pgxpool.Conn) error {
	var synchronous, hidden bool
	err := ask(ctx, conn, `SELECT current_setting('synchronous_standby_names') <> ''`, &synchronous)
	if err != nil || !synchronous {
		return err
	}
	if wireOf(conn.Conn().PgConn()) == nil {
		return errors.New("the server has synchronous standbys: prepare the configuration of the pool with Configure")
	}
	err = ask(ctx, conn, `SELECT current_setting('client_min_messages') = 'error'`, &hidden)
	if err == nil && hidden {
		err = errors.New("client_min_messages is error: it hides the warning that a synchronous standby lacks a write")
	}
	return err
}

func migrate(ctx context.Context, conn *pgxpool.Conn) error {
	if done, err := migrated(ctx, conn); done || err != nil {
		return err
	}
	options := pgx.TxOptions{IsoLevel: pgx.ReadCommitted} // sees a concurrent migration
	return pgx.BeginTxFunc(ctx, conn, options, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, fmt.Sprintf(`SELECT pg_advisory_xact_lock(%d)`, migrating)); err != nil {
			return err
		}
		have, err := schemaVersion(ctx, tx)
		for next := have + 1; err == nil && next <= version; next++ {
			err = step(ctx, tx, next)
		}
		return err
	})
}

func step(ctx context.Context, tx pgx.Tx, next int) error {
	sql, err := schema.ReadFile(fmt.Sprintf("schema/%d.sql", next))
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, string(sql)); err != nil {
		return fmt.Errorf("create schema version %d: %w", next, err)
	}
	return nil
}

func migrated(ctx context.Context, q querier) (bool, error) {
	have, err := schemaVersion(ctx, q)
	if err == nil && have > version {
		err = fmt.Errorf("the database has schema version %d, but this program supports only %d: update the program", have, version)
	}
	return have == version, err
}

// schemaVersion returns 0 if there is no schema. It reads the catalog as a
// table, because to_regclass may return the state before the lock was waited
// for.
func schemaVersion(ctx context.Context, q querier) (have int, err error) {
	var exists bool
	err = ask(ctx, q, `
SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'auth_store_version' AND schemaname = ANY (current_schemas(false)))`, &exists)
	if err != nil || !exists {
		return 0, err
	}
	err = ask(ctx, q, `SELECT max(version) FROM auth_store_version`, &have)
	return have, err
}

// checkTable checks that the table exists and that the role has the rights to
// use it.
func checkTable(ctx context.Context, conn *pgxpool.Conn) error {
	var exists, allowed bool
	if err := ask(ctx, conn, `SELECT to_regclass('auth_store') IS NOT NULL`, &exists); err != nil {
		return err
	}
	if !exists {
		return errors.New("the table auth_store is missing, although auth_store_version exists")
	}
	err := ask(ctx, conn, `
SELECT bool_and(has_table_privilege('auth_store', right_to))
FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS right_to`, &allowed)
	if err == nil && !allowed {
		err = errors.New("the role lacks the right to SELECT, INSERT, UPDATE or DELETE in auth_store")
	}
	return err
}
