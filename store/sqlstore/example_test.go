package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/authlatch/auth/store/sqlstore"
)

// The application opens a store at its start, and sweeps it once a minute. It
// imports a driver, such as modernc.org/sqlite.
func ExampleNewSQLite() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:/var/lib/app/log-ins.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(100)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	s, err := sqlstore.NewSQLite(ctx, db)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	// s is the Store of a configuration, such as
	// session.Config{Store: s}.

	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for range sweep.C {
		if _, err := s.Sweep(ctx); err != nil {
			fmt.Println(err)
		}
	}
}

// A driver for MySQL and MariaDB is github.com/go-sql-driver/mysql.
func ExampleNewMySQL() {
	ctx := context.Background()
	db, err := sql.Open("mysql", "app:secret@tcp(db.example)/app?timeout=5s")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	db.SetMaxOpenConns(50)
	s, err := sqlstore.NewMySQL(ctx, db)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close() // leaves db open
}
