package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/store/postgresstore"
)

func postgresOpenErrors(t *testing.T, url string) {
	open := func(rule, url string) {
		t.Helper()
		s, err := postgresstore.Open(t.Context(), url)
		if err == nil || s != nil {
			t.Errorf("%s: %v, no error", rule, s)
			return
		}
		t.Logf("%s: %v", rule, err)
		if strings.Contains(err.Error(), "correct-horse") || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has the password", rule)
		}
	}
	execute(t, url,
		`CREATE ROLE reader LOGIN PASSWORD 'secret'`,
		`CREATE ROLE app LOGIN PASSWORD 'secret'`)
	as := func(role string) string { return strings.Replace(url, "admin:correct-horse", role+":secret", 1) }

	open("no url", "postgres://app:secret@db:port/app")
	open("no server", "postgres://app:secret@127.0.0.1:1/app")
	open("wrong password", as("admin"))
	open("no such database", url+"x")
	open("read-only", url+"?default_transaction_read_only=on")
	open("no right to make the table", as("app"))

	openPostgres(t, url)
	execute(t, url, `GRANT SELECT ON auth_store, auth_store_version TO reader`,
		`GRANT SELECT ON auth_store_version TO app`, `GRANT SELECT, INSERT, UPDATE, DELETE ON auth_store TO app`)
	open("no right to write", as("reader"))
	s := openPostgres(t, as("app")) // needs no right to make tables
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	if _, err := s.DeleteExpired(t.Context()); err != nil {
		t.Error(err)
	}

	execute(t, url, `ALTER TABLE auth_store RENAME TO away`)
	open("the table is missing", url)
	execute(t, url, `ALTER TABLE away RENAME TO auth_store`, `UPDATE auth_store_version SET version = 2`)
	open("a newer schema", url)
	execute(t, url, `DROP TABLE auth_store_version`)
	open("another's table", url)
	if _, err := postgresstore.New(t.Context(), nil); err == nil {
		t.Error("a nil pool: no error")
	}
}

func postgresLaterErrors(t *testing.T, url string) {
	s := openPostgres(t, url)
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	broken := func(rule string) {
		t.Helper()
		value, ok, err := s.Get(t.Context(), "k")
		if err == nil || ok || value != nil {
			t.Errorf("%s: Get says %q, %v, %v", rule, value, ok, err)
		}
		for _, old := range [][]byte{nil, []byte("v")} {
			if swapped, err := s.CompareAndSwap(t.Context(), "k", old, []byte("w"), time.Hour); err == nil || swapped {
				t.Errorf("%s: swap says %v, %v", rule, swapped, err)
			}
		}
		wantError(t, rule+": Delete", s.Delete(t.Context(), "k"))
		if _, err := s.DeleteExpired(t.Context()); err == nil {
			t.Errorf("%s: DeleteExpired: no error", rule)
		}
	}
	execute(t, url, `ALTER TABLE auth_store RENAME TO away`)
	broken("the table is missing")
	execute(t, url, `CREATE VIEW auth_store AS SELECT 'k' AS key, 1 AS value, 'soon' AS expires_at`)
	broken("another's table")
	execute(t, url, `DROP VIEW auth_store`, `ALTER TABLE away RENAME TO auth_store`)
	wantValue(t, s, "k", "v")

	blocker := pool(t, url)
	tx, err := blocker.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.Background())
	if _, err := tx.Exec(t.Context(), `LOCK TABLE auth_store`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, _, err = s.Get(ctx, "k")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind a lock: %v", err)
	}
	_, err = s.CompareAndSwap(context.Background(), "k", []byte("v"), []byte("w"), time.Hour)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("behind a lock, without a deadline: %v", err)
	}
}

func postgresClosed(t *testing.T, url string) {
	p := pool(t, url)
	given, err := postgresstore.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	own := openPostgres(t, url)
	mustSwap(t, own, "k", nil, []byte("v"), time.Hour)
	for range 2 {
		if err := errors.Join(own.Close(), given.Close()); err != nil {
			t.Error(err)
		}
	}
	for rule, err := range useAll(own) {
		wantError(t, rule+" after Close", err)
	}
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("the pool is the caller's: %v", err)
	}
}

func postgresForeignValues(t *testing.T, url string) {
	s, p := openPostgres(t, url), pool(t, url)
	for _, value := range [][]byte{nil, {}, make([]byte, 64*1024+1)} {
		_, err := p.Exec(t.Context(), `INSERT INTO auth_store VALUES ('k', $1, now() + interval '1 hour', now())`, value)
		wantError(t, "a value that is none", err)
	}
	execute(t, url, `ALTER TABLE auth_store DROP CONSTRAINT auth_store_value_check`)
	for _, value := range [][]byte{{}, make([]byte, 64*1024+1)} {
		_, err := p.Exec(t.Context(), `
INSERT INTO auth_store VALUES ('k', $1, now() + interval '1 hour', now())
ON CONFLICT (key) DO UPDATE SET value = excluded.value`, value)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok, err := s.Get(t.Context(), "k"); err == nil || ok || got != nil {
			t.Errorf("%d bytes that another wrote: %v, %v", len(value), ok, err)
		}
	}
}
