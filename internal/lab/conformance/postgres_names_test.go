package conformance

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/storetest"
)

// one returns a pool of one connection, and a Store on it.
func one(t *testing.T, url string) (*pgxpool.Pool, *postgresstore.Store) {
	t.Helper()
	p := pool(t, url)
	s, err := postgresstore.New(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return p, s
}

// use makes each call that runs often, twice.
func use(t *testing.T, s store.Store) {
	t.Helper()
	for range 2 {
		mustSwap(t, s, "k", nil, []byte("one"), time.Hour)
		mustSwap(t, s, "k", []byte("one"), []byte("two"), time.Hour)
		wantValue(t, s, "k", "two")
		if err := s.Delete(t.Context(), "k"); err != nil {
			t.Error(err)
		}
	}
}

// prepared returns how many statements with such a name a connection has.
func prepared(t *testing.T, p *pgxpool.Pool, name string) (count int) {
	t.Helper()
	err := p.QueryRow(t.Context(), `SELECT count(*) FROM pg_prepared_statements WHERE name LIKE $1`, pgx.QueryExecModeSimpleProtocol, name).Scan(&count)
	if err != nil {
		t.Fatal(err)
	}
	return count
}

func postgresPreparesByName(t *testing.T, url string) {
	p, s := one(t, url+"?pool_max_conns=1")
	use(t, s)
	if n := prepared(t, p, "authlatch%"); n != 4 {
		t.Errorf("%d statements are prepared, want 4", n)
	}
	if n := ask[int](t, p, `SELECT sum(custom_plans + generic_plans)::int FROM pg_prepared_statements WHERE name LIKE 'authlatch%'`); n != 8 {
		t.Errorf("they were executed %d times, want 8", n)
	}
	if _, err := s.DeleteExpired(t.Context()); err != nil {
		t.Error(err)
	}
	if n := prepared(t, p, "authlatch%"); n != 4 {
		t.Errorf("after DeleteExpired: %d statements are prepared, want 4", n)
	}
}

func postgresPreparesNothing(t *testing.T, url string) {
	p, s := one(t, url+"?pool_max_conns=1&default_query_exec_mode=exec")
	use(t, s)
	if n := prepared(t, p, "authlatch%"); n != 0 {
		t.Errorf("%d statements are prepared", n)
	}
}

// The application, or a pooler at the end of a session, may reset a connection,
// and a migration may change the table.
func postgresLostNames(t *testing.T, url string) {
	for _, statement := range []string{
		`DEALLOCATE ALL`,
		`DISCARD ALL`,
		`DO $$ BEGIN IF to_regtype('bytes') IS NULL THEN CREATE DOMAIN bytes AS bytea; ALTER TABLE auth_store ALTER value TYPE bytes; END IF; END $$`,
	} {
		loseNames(t, url, statement)
	}
}

func loseNames(t *testing.T, url, statement string) {
	t.Helper()
	p, s := one(t, withSetting(url, "pool_max_conns=1"))
	use(t, s)
	if _, err := p.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	use(t, s)
}

// postgresPlansAgain has statements that were planned when the table had some
// rows and statistics said so. No statistics tell that it has grown.
func postgresPlansAgain(t *testing.T, url string) {
	const rows = 2000
	p, s := one(t, url+"?pool_max_conns=1")
	mustSwap(t, s, "k", nil, []byte("v"), time.Hour)
	execute(t, url, `ALTER TABLE auth_store SET (autovacuum_enabled = off)`, `ANALYZE auth_store`)
	read := func(times int) {
		for range times {
			wantValue(t, s, "k", "v")
		}
	}
	read(10)
	plan := func() string {
		t.Helper()
		name := ask[string](t, p, `SELECT name FROM pg_prepared_statements WHERE statement LIKE '%pg_is_in_recovery()' AND name LIKE 'authlatch%'`)
		lines, err := p.Query(t.Context(), `EXPLAIN EXECUTE `+name+` ('k')`, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		text, err := pgx.CollectRows(lines, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(text, "\n")
	}
	execute(t, url, fmt.Sprintf(`
INSERT INTO auth_store SELECT 'row' || n, 'value', now() + interval '1 hour', now() + interval '1 hour'
FROM generate_series(1, %d) AS n`, rows))
	if text := plan(); !strings.Contains(text, "Seq Scan") {
		t.Errorf("the server does not keep its plan:\n%s", text)
	}
	read(1010)
	if text := plan(); strings.Contains(text, "Seq Scan") {
		t.Errorf("after 1010 reads the plan is\n%s", text)
	}
}

func TestPostgresBehindPoolers(t *testing.T) {
	server := servers.Postgres(t, "", "synchronous_commit=off")
	ours := servers.NewPooler(t, server, 2, false).URL
	t.Run("one that appears later", func(t *testing.T) { postgresPoolerAppears(t, server.URL, ours) })
	for pooler, test := range map[string]struct {
		url      string
		prepares bool
	}{
		"ours": {ours, false},
		"ours, which prepares under names of its own": {servers.NewPooler(t, server, 2, true).URL, true},
		"PgBouncer without max_prepared_statements":   {pgBouncer(t, server, 0), false},
		"PgBouncer with max_prepared_statements":      {pgBouncer(t, server, 200), true},
	} {
		if test.url == "" {
			continue // ours, which prepares, is another such
		}
		t.Run(pooler, func(t *testing.T) {
			t.Run("no call fails", func(t *testing.T) {
				manyBehindPooler(t, test.url)
				wantNamesBehindPooler(t, test.url, test.prepares)
				loseNames(t, test.url, `DEALLOCATE ALL`)
			})
			if test.url == ours {
				return // PgBouncer is another such
			}
			t.Run("keeps the contract", func(t *testing.T) {
				storetest.Run(t, func(t *testing.T) store.Store { return openPostgres(t, test.url) })
			})
		})
	}
}

// pgBouncer starts a PgBouncer that prepares a number of statements, and returns
// its URL, or "" if it is too old to do so.
func pgBouncer(t *testing.T, server *servers.SQL, statements int) string {
	t.Helper()
	settings := []string{"default_pool_size = 2"}
	if servers.PgBouncerPrepares(t) {
		settings = append(settings, fmt.Sprint("max_prepared_statements = ", statements))
	} else if statements > 0 {
		return ""
	}
	return servers.PgBouncer(t, server, settings...).URL
}

// postgresPoolerAppears moves the address of the server to a pooler, as a
// failover does. Connections that have rested for a second are checked when
// they are acquired.
func postgresPoolerAppears(t *testing.T, server, pooler string) {
	address := func(url string) string {
		t.Helper()
		config, err := pgx.ParseConfig(url)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s:%d", config.Host, config.Port)
	}
	proxy := servers.NewProxy(t, address(server))
	s := openPostgres(t, withSetting(strings.Replace(server, address(server), proxy.Addr(), 1), "sslmode=disable"))
	use(t, s)
	proxy.Lead(address(pooler))
	time.Sleep(1100 * time.Millisecond)
	use(t, s)
	wantNamesBehindPooler(t, pooler, false)
}

// manyBehindPooler has more clients than the pooler has connections, of several
// processes.
func manyBehindPooler(t *testing.T, url string) {
	const processes, clients, rounds = 3, 8, 40
	var wg sync.WaitGroup
	for process := range processes {
		s := openPostgres(t, withSetting(url, "pool_max_conns=8"))
		for client := range clients {
			wg.Go(func() {
				var old []byte
				key := fmt.Sprintf("%d.%d", process, client)
				for round := range rounds {
					new := fmt.Append(nil, round)
					if swapped, err := s.CompareAndSwap(t.Context(), key, old, new, time.Hour); !swapped || err != nil {
						t.Errorf("swap: %v, %v", swapped, err)
						return
					}
					wantValue(t, s, key, string(new))
					old = new
				}
				if err := s.Delete(t.Context(), key); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
}

// wantNamesBehindPooler looks at the connections of a pooler to its server.
func wantNamesBehindPooler(t *testing.T, url string, prepares bool) {
	t.Helper()
	p := pool(t, withSetting(url, "default_query_exec_mode=simple_protocol"))
	ours, theirs := 0, 0
	for range 20 {
		ours += prepared(t, p, "authlatch%")
		theirs += prepared(t, p, "PGBOUNCER%") + prepared(t, p, "pooler%")
	}
	if ours != 0 || theirs != 0 != prepares {
		t.Errorf("behind the pooler there are %d statements of the store and %d of the pooler", ours, theirs)
	}
}

func withSetting(url, setting string) string {
	if strings.Contains(url, "?") {
		return url + "&" + setting
	}
	return url + "?" + setting
}
