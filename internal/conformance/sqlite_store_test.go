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
	t.Run("keeps log-ins", func(t *testing.T) {
		file := sqliteFile(t)
		raceSessions(t, func(t *testing.T) store.Store { return openSQLite(t, file) })
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
			n, err := s.Sweep(t.Context())
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
	if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
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

func TestSQLiteRefusesWhatCannotWork(t *testing.T) {
	file := "file:" + filepath.Join(t.TempDir(), "store.db")
	refuses := func(rule, url string, prepare ...string) {
		t.Helper()
		db := database(t, "sqlite", url)
		runSQL(t, db, prepare...)
		s, err := sqlstore.NewSQLite(t.Context(), db)
		if err == nil || s != nil {
			t.Errorf("%s: no error", rule)
			return
		}
		t.Logf("%s: %v", rule, err)
	}
	refuses("no file", ":memory:")
	refuses("no wal", file+"?_pragma=busy_timeout(100)")
	refuses("no busy_timeout", file+"?_pragma=journal_mode(wal)")
	refuses("busy_timeout on one connection", file+"?_pragma=journal_mode(wal)", `PRAGMA busy_timeout = 100`)
	refuses("busy_timeout for ever", file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(60000)")
	refuses("synchronous=off", file+sqliteSettings+"&_pragma=synchronous(off)")
	refuses("query_only", file+sqliteSettings+"&_pragma=query_only(1)")
	refuses("no such folder", "file:/nowhere/store.db"+sqliteSettings)

	file += sqliteSettings
	s := openSQLite(t, file)
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	refuses("read-only", file+"&mode=ro")
	refuses("the table is missing", file, `ALTER TABLE auth_store RENAME TO away`)
	for rule, err := range useAll(s) {
		wantError(t, rule+" of a missing table", err)
	}
	refuses("another's table", file, `CREATE TABLE auth_store (name TEXT, value TEXT)`)
	for rule, err := range useAll(s) {
		wantError(t, rule+" of another's table", err)
	}
	refuses("a newer schema", file, `DROP TABLE auth_store`, `ALTER TABLE away RENAME TO auth_store`, `UPDATE auth_store_version SET version = 2`)
	refuses("another's table, and no version", file, `DROP TABLE auth_store_version`)
	wantValue(t, s, "k", "v")
	if _, err := sqlstore.NewSQLite(t.Context(), nil); err == nil {
		t.Error("a nil database: no error")
	}
}

func TestSQLiteClosed(t *testing.T) {
	file := sqliteFile(t)
	db := database(t, "sqlite", file)
	s, err := sqlstore.NewSQLite(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for rule, err := range useAll(s) {
		wantError(t, rule+" after Close", err)
	}
	if err := db.Ping(); err != nil {
		t.Errorf("the database is the caller's: %v", err)
	}
}

// sweeper is a store of this repository that is swept.
type sweeper interface {
	store.Store
	Sweep(context.Context) (int64, error)
}

// useAll makes every call with the record k, whose value is v.
func useAll(s sweeper) map[string]error {
	ctx := context.Background()
	value, ok, getErr := s.Get(ctx, "k")
	if ok || value != nil {
		getErr = nil
	}
	_, swapErr := s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Hour)
	_, createErr := s.CompareAndSwap(ctx, "k", nil, []byte("w"), time.Hour)
	_, sweepErr := s.Sweep(ctx)
	return map[string]error{"Get": getErr, "swap": swapErr, "create": createErr, "Delete": s.Delete(ctx, "k"), "Sweep": sweepErr}
}

func TestSQLiteForeignValues(t *testing.T) {
	file := sqliteFile(t)
	s, db := openSQLite(t, file), database(t, "sqlite", file)
	for _, value := range []string{`'text'`, `1`, `NULL`, `x''`, `zeroblob(65537)`} {
		_, err := db.Exec(`INSERT INTO auth_store VALUES (x'6b', ` + value + `, 1 << 60, 0)`)
		wantError(t, "a value that is none", err)
	}
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, value := range []string{`x''`, `zeroblob(65537)`} {
		if _, err := conn.ExecContext(t.Context(), `PRAGMA ignore_check_constraints = on`); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), `REPLACE INTO auth_store VALUES (x'6b', `+value+`, 1 << 60, 0)`); err != nil {
			t.Fatal(err)
		}
		// This driver has no empty values: it makes them NULL.
		if got, ok, err := s.Get(t.Context(), "k"); ok || got != nil || value != `x''` && err == nil {
			t.Errorf("%s: %v, %v", value, ok, err)
		}
	}
}

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
	start := time.Now()
	_, err = s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Hour)
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
		t.Errorf("with a deadline: %v, after %v", err, took)
	}
	start = time.Now()
	err = s.Delete(context.Background(), "k")
	if took := time.Since(start); err == nil || took > 10*time.Second {
		t.Errorf("without a deadline: %v, after %v", err, took)
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
