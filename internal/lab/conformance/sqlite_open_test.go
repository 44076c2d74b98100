package conformance

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/sqlstore"
)

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

type sweeper interface {
	store.Store
	DeleteExpired(context.Context) (int64, error)
}

func useAll(s sweeper) map[string]error {
	ctx := context.Background()
	value, ok, getErr := s.Get(ctx, "k")
	if ok || value != nil {
		getErr = nil
	}
	_, swapErr := s.CompareAndSwap(ctx, "k", []byte("v"), []byte("w"), time.Hour)
	_, createErr := s.CompareAndSwap(ctx, "k", nil, []byte("w"), time.Hour)
	_, sweepErr := s.DeleteExpired(ctx)
	return map[string]error{"Get": getErr, "swap": swapErr, "create": createErr, "Delete": s.Delete(ctx, "k"), "DeleteExpired": sweepErr}
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
