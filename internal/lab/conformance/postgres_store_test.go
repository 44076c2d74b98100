package conformance

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/storetest"
)

var _ store.Store = (*postgresstore.Store)(nil)

// ASVS 5.0, 1.2.4, 14.2.7 and 15.4.2.
func TestPostgres(t *testing.T) {
	server := servers.Postgres(t, "")
	levels := []string{"read committed", "serializable"}
	if os.Getenv("AUTH_LONG") != "" {
		levels = append(levels, "repeatable read")
	}
	for _, level := range levels {
		t.Run("keeps the contract, "+level, func(t *testing.T) {
			url := newDatabase(t, server.URL)
			execute(t, url, `ALTER ROLE admin SET default_transaction_isolation = '`+level+`'`)
			storetest.Run(t, func(t *testing.T) store.Store { return openPostgres(t, url) })
		})
	}
	execute(t, server.URL, `ALTER ROLE admin RESET ALL`)
	for rule, check := range map[string]func(t *testing.T, url string){
		"a swap touches no index":                                  postgresSwapIsHOT,
		"a read is one look into one index":                        postgresReadIsIndexed,
		"a request is one read":                                    postgresRequestIsOneRead,
		"a sweep removes what has expired":                         postgresSweep,
		"sweeps may run at once":                                   postgresSweepsAtOnce,
		"the schema is made once by many":                          postgresMigration,
		"statements are prepared once, by name":                    postgresPreparesByName,
		"nothing is prepared if the pool's mode is exec":           postgresPreparesNothing,
		"a name that the server has lost fails no call":            postgresLostNames,
		"a plan does not outlive the growth of the table":          postgresPlansAgain,
		"what cannot work is an error when opened":                 postgresOpenErrors,
		"Close closes what Open opened":                            postgresClosed,
		"what goes wrong later is an error":                        postgresLaterErrors,
		"what other programs write is neither a value nor a panic": postgresForeignValues,
	} {
		t.Run(rule, func(t *testing.T) { check(t, newDatabase(t, server.URL)) })
	}
}

// openPostgres opens a store with a pool of its own.
func openPostgres(t testing.TB, url string) *postgresstore.Store {
	t.Helper()
	s, err := postgresstore.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// pool opens a pool that looks into the database beside a store.
func pool(t testing.TB, url string) *pgxpool.Pool {
	t.Helper()
	p, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

// execute runs statements on a connection of its own.
func execute(t testing.TB, url string, statements ...string) {
	t.Helper()
	p, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, statement := range statements {
		if _, err := p.Exec(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// ask returns what a query says in one row.
func ask[T any](t testing.TB, p *pgxpool.Pool, query string, args ...any) (value T) {
	t.Helper()
	if err := p.QueryRow(t.Context(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

var databases struct {
	sync.Mutex
	made int
}

// newDatabase makes a database and returns its url.
func newDatabase(t testing.TB, server string) string {
	t.Helper()
	databases.Lock()
	defer databases.Unlock()
	databases.made++
	name := fmt.Sprint("test", databases.made)
	execute(t, server, "CREATE DATABASE "+name)
	return inDatabase(t, server, name)
}

func inDatabase(t testing.TB, server, name string) string {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func mustSwap(t testing.TB, s store.Store, key string, old, new []byte, ttl time.Duration) {
	t.Helper()
	if swapped, err := s.CompareAndSwap(context.Background(), key, old, new, ttl); !swapped || err != nil {
		t.Fatalf("swap: %v, %v", swapped, err)
	}
}

func wantValue(t testing.TB, s store.Store, key, want string) {
	t.Helper()
	value, ok, err := s.Get(context.Background(), key)
	if string(value) != want || ok != (want != "") || err != nil {
		t.Errorf("%.40q, %v, %v, want %q", value, ok, err, want)
	}
}

func wantError(t testing.TB, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
}
