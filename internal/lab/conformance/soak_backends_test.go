package conformance

import (
	"database/sql"
	"strconv"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
)

// soakBackends have two clients of a store, and the figures of its server.
var soakBackends = []struct {
	name  string
	start func(t *testing.T) ([2]store.Store, func() map[string]float64)
}{
	{"Memory", func(*testing.T) ([2]store.Store, func() map[string]float64) {
		s := &store.Memory{}
		return [2]store.Store{s, s}, func() map[string]float64 { return map[string]float64{} }
	}},
	{"Redis", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		server := servers.Redis(t)
		return [2]store.Store{openRedis(t, server.URL()), openRedis(t, server.URL())}, redisCounts(server)
	}},
	{"Redis, one with a near cache", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		server := servers.Redis(t)
		return [2]store.Store{openNear(t, server.URL()), openRedis(t, server.URL())}, redisCounts(server)
	}},
	{"PostgreSQL", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		url := newDatabase(t, servers.Postgres(t, "").URL)
		stores, p := [2]store.Store{openPostgres(t, url), openPostgres(t, url)}, pool(t, url)
		return stores, func() map[string]float64 {
			return map[string]float64{
				"connections": float64(ask[int](t, p, "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")),
				"records":     float64(ask[int](t, p, "SELECT count(*) FROM auth_store")),
			}
		}
	}},
	{"etcd, three members", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		cluster := servers.Etcd(t, 3, calm...)
		client := cluster[0].Client()
		t.Cleanup(func() { client.Close() })
		return [2]store.Store{openEtcd(t, cluster), openEtcd(t, cluster)}, func() map[string]float64 {
			records, err := client.Get(t.Context(), etcdPrefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
			if err != nil {
				t.Fatal(err)
			}
			return map[string]float64{"records": float64(records.Count)}
		}
	}},
	{"SQLite", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		file := sqliteFile(t)
		stores, db := [2]store.Store{openSQLite(t, file), openSQLite(t, file)}, database(t, "sqlite", file)
		return stores, func() map[string]float64 {
			return map[string]float64{"records": askSQL(t, db, "SELECT count(*) FROM auth_store")}
		}
	}},
	{"MariaDB", func(t *testing.T) ([2]store.Store, func() map[string]float64) {
		url := newSchema(t, servers.MariaDB(t).URL)
		stores, db := [2]store.Store{openMySQL(t, url), openMySQL(t, url)}, database(t, "mysql", url)
		return stores, func() map[string]float64 {
			return map[string]float64{
				"connections": askSQL(t, db, "SELECT count(*) FROM information_schema.processlist WHERE db = DATABASE()"),
				"records":     askSQL(t, db, "SELECT count(*) FROM auth_store"),
			}
		}
	}},
}

// redisCounts leaves out what has expired, and is not removed yet.
func redisCounts(server *servers.RedisServer) func() map[string]float64 {
	return func() map[string]float64 {
		records, _ := strconv.ParseFloat(server.Do("EVAL", "return #redis.call('KEYS', '*')", "0"), 64)
		return map[string]float64{"connections": float64(len(server.Clients())), "records": records}
	}
}

func askSQL(t *testing.T, db *sql.DB, query string) float64 {
	t.Helper()
	var n float64
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
