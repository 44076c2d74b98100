package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"net/url"
	"os"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/sqlstore"
)

// sweeper is a database that does not delete expired records by itself.
type sweeper interface {
	DeleteExpired(context.Context) (int64, error)
}

// opened is one database with two users: the tables of the site, by SQL, and the
// tables of the library, by store.
type opened struct {
	SQL   *sql.DB
	store interface {
		store.Store
		sweeper
	}
	close func() error
}

func openDatabase(ctx context.Context, o options) (*opened, error) {
	open := openSQLite
	source := o.sqlite
	if o.postgres != "" {
		open, source = openPostgres, o.postgres
	}
	db, err := open(ctx, source)
	if err != nil {
		return nil, err
	}
	if err := createTables(ctx, db.SQL); err != nil {
		return nil, errors.Join(err, db.close())
	}
	return db, nil
}

// openSQLite opens a file that other users of the machine cannot read. In WAL mode reads do
// not wait for writes, and with SQLite's default, synchronous=full, an acknowledged write
// survives a power loss.
func openSQLite(ctx context.Context, file string) (*opened, error) {
	made, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	made.Close()
	path := (&url.URL{Path: file}).EscapedPath()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		return nil, err
	}
	logins, err := sqlstore.NewSQLite(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &opened{db, logins, func() error { return errors.Join(logins.Close(), db.Close()) }}, nil
}

// openPostgres opens one pool of connections for both.
func openPostgres(ctx context.Context, source string) (*opened, error) {
	config, err := pgxpool.ParseConfig(source)
	if err != nil {
		return nil, err
	}
	postgresstore.Configure(config)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	logins, err := postgresstore.New(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	db := stdlib.OpenDBFromPool(pool)
	return &opened{db, logins, func() error {
		err := errors.Join(logins.Close(), db.Close())
		pool.Close()
		return err
	}}, nil
}

//go:embed schema.sql
var schema string

// createTables creates the tables of the site if they are missing. In PostgreSQL two
// processes that do so at the same moment may disturb each other, so one of them tries
// again. A larger site runs migrations before the program instead.
func createTables(ctx context.Context, db *sql.DB) (err error) {
	for range 3 {
		if _, err = db.ExecContext(ctx, schema); err == nil {
			return nil
		}
	}
	return err
}
