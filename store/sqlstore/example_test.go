package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/authlatch/auth/store/sqlstore"
)

// Open a store at startup, and delete expired rows once a minute. Import a
// driver, such as modernc.org/sqlite.
func ExampleNewSQLite() {
	ctx := context.Background()
	db, err := sql.Open("sqlite", "file:/var/lib/app/auth.db?_pragma=journal_mode(wal)&_pragma=busy_timeout(100)")
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

	// Use s as the Store of a configuration, such as session.Config{Store: s}.

	sweep := time.NewTicker(time.Minute)
	defer sweep.Stop()
	for range sweep.C {
		if _, err := s.DeleteExpired(ctx); err != nil {
			fmt.Println(err)
		}
	}
}

// Import a driver for MySQL and MariaDB, such as
// github.com/go-sql-driver/mysql.
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
