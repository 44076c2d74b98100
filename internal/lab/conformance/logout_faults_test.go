package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 7.4.1 and 7.4.2.
// Over each backend: a client that keeps a session busy, with 1,000 updates in flight at
// one process or at twenty, does not prevent LogoutAll, which returns nil within the 5
// seconds that it gives itself, and the session has ended.
func TestLogoutAllEndsABusySessionOverEachBackend(t *testing.T) {
	var table strings.Builder
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			open := backend.start(t)
			for _, processes := range []int{1, 20} {
				var managers []*session.Manager
				s := open(t)
				for range processes {
					managers = append(managers, newManager(t, s))
				}
				for try := range 3 {
					took, updates := busyLogout(t, managers, fmt.Sprintf("busy %d.%d", processes, try))
					fmt.Fprintf(&table, "\n%-26s %2d processes: %6d updates, LogoutAll in %v", backend.name, processes, updates, took.Round(time.Millisecond))
				}
			}
		})
	}
	t.Log(table.String())
}

func busyLogout(t *testing.T, managers []*session.Manager, subject string) (took time.Duration, updates int64) {
	t.Helper()
	const inFlight = 1000
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	thief, owner := &client{}, &client{}
	for _, c := range []*client{thief, owner} {
		if err := c.login(ctx, managers[0], subject); err != nil {
			t.Fatal(err)
		}
	}
	stolen, err := managers[0].Get(thief.request(ctx, "GET"))
	if err != nil {
		t.Fatal(err)
	}
	var saved atomic.Int64
	var wg sync.WaitGroup
	for i := range inFlight {
		wg.Go(func() {
			for m := managers[i%len(managers)]; ctx.Err() == nil; {
				err := m.Update(ctx, stolen, increment)
				if over(err) {
					return
				}
				if err == nil {
					saved.Add(1)
				}
			}
		})
	}
	for saved.Load() < 20 && ctx.Err() == nil {
		time.Sleep(time.Millisecond)
	}
	began := time.Now()
	err = managers[len(managers)-1].LogoutAll(ctx, subject)
	took = time.Since(began)
	if err != nil {
		t.Errorf("with %d updates in flight: %v", inFlight, err)
	}
	for _, c := range []*client{thief, owner} {
		if _, err := c.authenticate(ctx, managers[0]); !over(err) {
			t.Errorf("after LogoutAll: %v", err)
		}
	}
	if err != nil {
		cancel()
	}
	wg.Wait()
	for _, c := range []*client{thief, owner} {
		if _, err := c.authenticate(t.Context(), managers[0]); !over(err) {
			t.Errorf("at the end: %v", err)
		}
	}
	return took, saved.Load()
}

// A full server is one that refuses all that is new or longer, and can delete.
var fullServers = map[string]func(t *testing.T) (s store.Store, fill func()){
	"Memory": func(t *testing.T) (store.Store, func()) {
		s := &store.Memory{MaxBytes: 256 << 10}
		return s, func() {
			for i := 0; ; i++ {
				if _, err := s.CompareAndSwap(t.Context(), fmt.Sprint("visitor", i), nil, make([]byte, 64), time.Hour); err != nil {
					return
				}
			}
		}
	},
	"Redis at maxmemory": func(t *testing.T) (store.Store, func()) {
		server := servers.Redis(t)
		return openRedis(t, server.URL()), func() { server.Do("CONFIG", "SET", "maxmemory", "1") }
	},
	"Redis with a near cache at maxmemory": func(t *testing.T) (store.Store, func()) {
		server := servers.Redis(t)
		return openNear(t, server.URL()), func() { server.Do("CONFIG", "SET", "maxmemory", "1") }
	},
	// The error of a table that cannot grow. On a disk without space for its log
	// PostgreSQL ends, which TestSQLStoresSurviveFaults sees to.
	"PostgreSQL": func(t *testing.T) (store.Store, func()) {
		url := newDatabase(t, servers.Postgres(t, "").URL)
		return openPostgres(t, url), func() {
			execute(t, url, `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$`,
				"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON auth_store FOR EACH ROW EXECUTE FUNCTION full_disk()")
		}
	},
	"etcd at its quota": func(t *testing.T) (store.Store, func()) {
		c := servers.Etcd(t, 1, "--quota-backend-bytes", "4194304")
		return openEtcd(t, c), func() { fillEtcd(t, c) }
	},
	"MariaDB": func(t *testing.T) (store.Store, func()) {
		url := newSchema(t, servers.MariaDB(t).URL)
		return openMySQL(t, url), func() {
			db := database(t, "mysql", url)
			for _, when := range []string{"INSERT", "UPDATE"} {
				runSQL(t, db, "CREATE TRIGGER full_"+when+" BEFORE "+when+
					" ON auth_store FOR EACH ROW SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table is full'")
			}
		}
	},
	"SQLite": func(t *testing.T) (store.Store, func()) {
		file := sqliteFile(t)
		return openSQLite(t, file), func() {
			db := database(t, "sqlite", file)
			for _, when := range []string{"INSERT", "UPDATE"} {
				runSQL(t, db, "CREATE TRIGGER full_"+when+" BEFORE "+when+
					" ON auth_store BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END")
			}
		}
	},
}

// ASVS 5.0, 7.4.1 and 7.4.2.
// On a full store every login fails, and every logout succeeds.
func TestLogoutWorksOnAFullServer(t *testing.T) {
	for name, start := range fullServers {
		t.Run(name, func(t *testing.T) {
			s, fill := start(t)
			m := newManager(t, s)
			ctx := t.Context()
			own, one := &client{}, &client{}
			others := make([]client, 40)
			for _, c := range []*client{own, one} {
				if err := c.login(ctx, m, "alice"); err != nil {
					t.Fatal(err)
				}
			}
			for i := range others {
				if err := others[i].login(ctx, m, "alice"); err != nil {
					t.Fatal(err)
				}
			}
			id, err := one.authenticate(ctx, m)
			if err != nil {
				t.Fatal(err)
			}
			fill()
			if err := (&client{}).login(ctx, m, "bob"); err == nil || over(err) {
				t.Fatalf("it is not full: %v", err)
			}
			old := *own
			if err := own.logout(ctx, m); err != nil {
				t.Errorf("Logout: %v", err)
			}
			if err := m.LogoutOne(ctx, "alice", id.LoginID); err != nil {
				t.Errorf("LogoutOne: %v", err)
			}
			if _, err := others[0].authenticate(ctx, m); err != nil {
				t.Errorf("another one: %v", err)
			}
			if err := m.LogoutAll(ctx, "alice"); err != nil {
				t.Errorf("LogoutAll: %v", err)
			}
			for i, c := range append([]client{old, *one}, others...) {
				if _, err := c.authenticate(ctx, m); !over(err) {
					t.Errorf("session %d: %v", i, err)
				}
			}
		})
	}
}
