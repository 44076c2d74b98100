package conformance

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/internal/lab/simulate"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// A backend has a server of its own. It returns what opens one more client of its store.
type backend struct {
	name  string
	start func(t *testing.T) func(t *testing.T) store.Store
}

// backends are all that this repository has.
var backends = []backend{
	{"Memory", func(t *testing.T) func(*testing.T) store.Store {
		s := &store.Memory{}
		return func(*testing.T) store.Store { return s }
	}},
	{"Redis", func(t *testing.T) func(*testing.T) store.Store {
		url := servers.Redis(t).URL()
		return func(t *testing.T) store.Store { return openRedis(t, url) }
	}},
	{"Redis with a near cache", func(t *testing.T) func(*testing.T) store.Store {
		url := servers.Redis(t).URL()
		return func(t *testing.T) store.Store { return openNear(t, url) }
	}},
	{"Redis Cluster of three", func(t *testing.T) func(*testing.T) store.Store {
		url := servers.RedisCluster(t)[0].URL()
		return func(t *testing.T) store.Store { return openRedis(t, url) }
	}},
	{"PostgreSQL", func(t *testing.T) func(*testing.T) store.Store {
		url := newDatabase(t, servers.Postgres(t, "").URL)
		return func(t *testing.T) store.Store { return openPostgres(t, url) }
	}},
	{"etcd, three members", func(t *testing.T) func(*testing.T) store.Store {
		cluster := servers.Etcd(t, 3, calm...)
		return func(t *testing.T) store.Store { return openEtcd(t, cluster) }
	}},
	{"SQLite", func(t *testing.T) func(*testing.T) store.Store {
		file := sqliteFile(t)
		return func(t *testing.T) store.Store { return openSQLite(t, file) }
	}},
	{"MariaDB", func(t *testing.T) func(*testing.T) store.Store {
		url := newSchema(t, servers.MariaDB(t).URL)
		return func(t *testing.T) store.Store { return openMySQL(t, url) }
	}},
}

// valkey speaks the protocol of Redis, so it takes part in TestBackends and some faults
// only.
var valkey = backend{"Valkey", func(t *testing.T) func(*testing.T) store.Store {
	url := servers.Valkey(t).URL()
	return func(t *testing.T) store.Store { return openRedis(t, url) }
}}

// ASVS 5.0, 1.2.4 and 15.4.2.
// Over each backend: the test kit of stores. AUTH_BACKEND_SCHEDULES says how many
// schedules of refreshes are played beside those of the kit. At the end it prints a table.
func TestBackends(t *testing.T) {
	schedules, _ := strconv.Atoi(os.Getenv("AUTH_BACKEND_SCHEDULES"))
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-26s %-14s %-14s %s", "backend", "contract", "logins", "schedules")
	for _, backend := range append(slices.Clip(backends), valkey) {
		row := [3]string{2: "-"}
		t.Run(backend.name, func(t *testing.T) {
			open := backend.start(t)
			check := func(i int, part string, run func(t *testing.T)) {
				began, verdict := time.Now(), "FAILS"
				if t.Run(part, run) {
					verdict = "holds"
				}
				row[i] = fmt.Sprintf("%s, %.1f s", verdict, time.Since(began).Seconds())
			}
			check(0, "contract", func(t *testing.T) { storetest.Run(t, open) })
			check(1, "logins", func(t *testing.T) { storetest.RunLogins(t, open) })
			if s := open(t); schedules > 0 {
				check(2, "schedules", func(t *testing.T) {
					simulate.Run(t, func() store.Store { return s }, uint64(time.Now().UnixNano()), schedules)
				})
			}
		})
		fmt.Fprintf(&table, "\n%-26s %-14s %-14s %s", backend.name, row[0], row[1], row[2])
	}
	t.Log(table.String())
}
