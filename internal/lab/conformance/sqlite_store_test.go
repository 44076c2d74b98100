package conformance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver of these tests

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/sqlstore"
	"github.com/authlatch/auth/store/storetest"
)

var _ store.Store = (*sqlstore.Store)(nil)

// sqliteSettings are those of the README.
const sqliteSettings = "?_pragma=journal_mode(wal)&_pragma=busy_timeout(100)"

// ASVS 5.0, 1.2.4 and 15.4.2.
func TestSQLite(t *testing.T) {
	t.Run("keeps the contract", func(t *testing.T) {
		file := sqliteFile(t)
		storetest.Run(t, func(t *testing.T) store.Store { return openSQLite(t, file) })
	})
	t.Run("keeps the contract with one connection", func(t *testing.T) {
		file := sqliteFile(t)
		storetest.Run(t, func(t *testing.T) store.Store {
			db := database(t, "sqlite", file)
			db.SetMaxOpenConns(1)
			s, err := sqlstore.NewSQLite(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { s.Close() })
			return s
		})
	})
}

func sqliteFile(t testing.TB) string {
	return "file:" + filepath.Join(t.TempDir(), "store.db") + sqliteSettings
}

func database(t testing.TB, driver, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func openSQLite(t testing.TB, url string) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.NewSQLite(t.Context(), database(t, "sqlite", url))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func runSQL(t testing.TB, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func rows(t testing.TB, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// ASVS 5.0, 14.2.7.
func TestSQLiteSweep(t *testing.T) {
	file := sqliteFile(t)
	s := openSQLite(t, file)
	db := database(t, "sqlite", file)
	runSQL(t, db, `
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2000)
INSERT INTO auth_store SELECT CAST('row' || n AS BLOB), x'01', 1000 * unixepoch() + n % 2 * 3600000 - 1000, 0 FROM numbers`)
	sweepsLeave(t, s, db, 1000)
}

// sweepsLeave has several sweepers and a writer at once. The table has a
// number of rows that live, and as many that have expired; all are due.
func sweepsLeave(t *testing.T, s *sqlstore.Store, db *sql.DB, alive int64) {
	mustSwap(t, s, "shorter", nil, []byte("one"), time.Hour)
	mustSwap(t, s, "shorter", []byte("one"), []byte("two"), time.Millisecond)
	var wg sync.WaitGroup
	var removed [3]int64
	for i := range removed {
		wg.Go(func() {
			n, err := s.DeleteExpired(t.Context())
			if removed[i] = n; err != nil {
				t.Error(err)
			}
		})
	}
	for n := range 100 {
		key := fmt.Sprint("row", 1+2*n)
		mustSwap(t, s, key, []byte{1}, []byte("mine"), time.Hour)
		wantValue(t, s, key, "mine")
	}
	wg.Wait()
	if n := removed[0] + removed[1] + removed[2]; n != alive {
		t.Errorf("removed %d rows of %d", n, alive)
	}
	if n := rows(t, db, `SELECT count(*) FROM auth_store`); n != int(alive)+1 {
		t.Errorf("%d rows are left of %d", n, alive+1)
	}
	if n := rows(t, db, `SELECT count(*) FROM auth_store WHERE sweep_at < expires_at`); n != 0 && n > 100 {
		t.Errorf("%d rows are due though they live", n)
	}
	wantValue(t, s, "shorter", "")
	if n, err := s.DeleteExpired(t.Context()); n != 0 || err != nil {
		t.Errorf("removed %d more, %v", n, err)
	}
}

func TestSQLiteMigrationByMany(t *testing.T) {
	file := sqliteFile(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			db := database(t, "sqlite", file)
			s, err := sqlstore.NewSQLite(t.Context(), db)
			if err != nil {
				t.Error(err)
				return
			}
			s.Close()
		})
	}
	wg.Wait()
	if n := rows(t, database(t, "sqlite", file), `SELECT count(*) FROM auth_store_version`); n != 1 {
		t.Errorf("the schema was made %d times", n)
	}
}

// ASVS 5.0, 15.4.3.
// sweeper is a store of this repository that is swept.
// useAll makes every call with the record k, whose value is v.
// Another process has the only write lock for long.
func TestSQLiteWaitsWithinItsDeadline(t *testing.T) {
	file := sqliteFile(t)
	s, db := openSQLite(t, file), database(t, "sqlite", file)
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	wantValue(t, s, "k", "v") // readers do not wait

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Hour)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	err = s.Delete(context.Background(), "k")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a deadline: %v", err)
	} else if !strings.Contains(err.Error(), "sqlstore: delete: ") {
		t.Errorf("the error does not name the operation: %v", err)
	}
	wantValue(t, s, "k", "v")

	done := make(chan error)
	go func() {
		_, err := s.CompareAndSwap(context.Background(), "k", []byte("v"), []byte("w"), time.Hour)
		done <- err
	}()
	time.Sleep(300 * time.Millisecond)
	if _, err := conn.ExecContext(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("the lock was given back in time: %v", err)
	}
	wantValue(t, s, "k", "w")
}
