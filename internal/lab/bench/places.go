package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/alexedwards/scs/sqlite3store"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/etcdstore"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/authlatch/auth/store/sqlstore"
	"github.com/boj/redistore"
	fiberredis "github.com/gofiber/storage/redis/v3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
	_ "modernc.org/sqlite" // a driver
)

// A place is where sessions are kept.
type place struct {
	name    string
	version string                               // of its server, and how it is set
	floor   contender                            // what each read does at least
	stores  []stores                             // of ours; the first is the plain one
	size    func(context.Context) (int64, error) // bytes that the place takes
	peers   []site
}

// stores are one store, as two processes open it.
type stores struct {
	name     string
	one, two store.Store
}

// An opener opens a place, which is closed with its host.
type opener struct {
	name string
	open func(context.Context, *host) (place, error)
}

var places = []opener{
	{"memory", openMemory},
	{"SQLite", openSQLite},
	{"Redis", openRedis},
	{"PostgreSQL", openPostgres},
	{"PostgreSQL behind PgBouncer", openPooled},
	{"etcd", openEtcd},
}

func openMemory(context.Context, *host) (place, error) {
	s := &store.Memory{}
	return place{
		size:   func(context.Context) (int64, error) { return heap(), nil },
		floor:  bareHandler(),
		stores: []stores{{"ours", s, s}},
		peers: []site{
			scsSite("scs, memstore", memstore.NewWithCleanupInterval(0)),
			gorillaSite("gorilla, CookieStore", cookieStore()),
			fiberSite("Fiber, its memory (fasthttp)", nil),
		},
	}, nil
}

const sqliteSettings = "?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)"

func openSQLite(ctx context.Context, h *host) (p place, err error) {
	var dir string
	if err := h.start(func() { dir = h.TempDir() }); err != nil {
		return p, err
	}
	var dbs [3]*sql.DB // of two processes, and of scs
	for i, file := range []string{"ours.db", "ours.db", "scs.db"} {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, file)+sqliteSettings)
		if err != nil {
			return p, err
		}
		h.Cleanup(func() { db.Close() })
		db.SetMaxOpenConns(8)
		db.SetMaxIdleConns(8)
		dbs[i] = db
	}
	if _, err := dbs[2].ExecContext(ctx, "CREATE TABLE sessions (token TEXT PRIMARY KEY, data BLOB NOT NULL, expiry REAL NOT NULL)"); err != nil {
		return p, err
	}
	one, err := sqlstore.NewSQLite(ctx, dbs[0])
	if err != nil {
		return p, err
	}
	two, err := sqlstore.NewSQLite(ctx, dbs[1])
	if err != nil {
		return p, err
	}
	err = dbs[0].QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&p.version)
	p.version += ", write-ahead log, synchronous=full"
	p.floor = contender{name: "SELECT 1", call: func() error {
		var one int
		return dbs[0].QueryRowContext(ctx, "SELECT 1").Scan(&one)
	}}
	p.size = func(ctx context.Context) (n int64, err error) {
		return n, dbs[0].QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").Scan(&n)
	}
	p.stores = []stores{{"ours", one, two}}
	p.peers = []site{scsSite("scs, sqlite3store", sqlite3store.NewWithCleanupInterval(dbs[2], 0))}
	return p, err
}

func openRedis(ctx context.Context, h *host) (p place, err error) {
	var server *servers.RedisServer
	if err := h.start(func() { server = servers.Redis(h) }); err != nil {
		return p, err
	}
	var plain [2]*redisstore.Store
	var near [2]*redisstore.Near
	for i := range plain {
		if plain[i], err = redisstore.Open(ctx, server.URL()); err != nil {
			return p, err
		}
		h.Cleanup(func() { plain[i].Close() })
		if near[i], err = redisstore.OpenNear(ctx, server.URL()); err != nil {
			return p, err
		}
		h.Cleanup(func() { near[i].Close() })
	}
	p.stores = []stores{{"ours", plain[0], plain[1]}, {"ours, near cache", near[0], near[1]}}
	p.version = regexp.MustCompile(`(?:redis|valkey)_version:(\S+)`).FindStringSubmatch(server.Do("INFO", "server"))[1] + ", without persistence"

	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{server.Addr()}})
	if err != nil {
		return p, err
	}
	h.Cleanup(client.Close)
	p.floor = contender{name: "GET of a missing key, rueidis", call: func() error {
		err := client.Do(ctx, client.B().Get().Key("missing").Build()).Error()
		if rueidis.IsRedisNil(err) {
			return nil
		}
		return err
	}}
	p.size = func(context.Context) (int64, error) {
		return strconv.ParseInt(regexp.MustCompile(`used_memory:(\d+)`).FindStringSubmatch(server.Do("INFO", "memory"))[1], 10, 64)
	}
	p.peers, err = redisPeers(h, server.Addr())
	return p, err
}

func redisPeers(h *host, address string) ([]site, error) {
	peer := redis.NewClient(&redis.Options{Addr: address})
	h.Cleanup(func() { peer.Close() })
	pooled, err := redistore.NewRediStore(32, "tcp", address, "", "", []byte("a key of thirty-two bytes, or so"))
	if err != nil {
		return nil, err
	}
	h.Cleanup(func() { pooled.Close() })
	return []site{
		scsSite("scs, goredisstore", goredisstore.New(peer)),
		gorillaSite("gorilla, boj/redistore", pooled),
		fiberSite("Fiber, storage/redis (fasthttp)", fiberredis.NewFromConnection(peer)),
	}, nil
}

func openPostgres(ctx context.Context, h *host) (place, error) {
	var server *servers.SQL
	if err := h.start(func() { server = servers.Postgres(h, "", "max_connections=200") }); err != nil {
		return place{}, err
	}
	return openPgx(ctx, h, server.URL, pgx.QueryExecModeCacheStatement)
}

func openPooled(ctx context.Context, h *host) (p place, err error) {
	var pooler *servers.SQL
	if err := h.start(func() { pooler = servers.PgBouncer(h, servers.Postgres(h, "", "max_connections=200")) }); err != nil {
		return p, err
	}
	p, err = openPgx(ctx, h, pooler.URL, pgx.QueryExecModeExec)
	p.version += ", PgBouncer in transaction mode with 4 connections"
	return p, err
}

// openPgx opens a PostgreSQL server. The mode is that in which others use it.
func openPgx(ctx context.Context, h *host, url string, mode pgx.QueryExecMode) (p place, err error) {
	config, err := pgxpool.ParseConfig(url + "?pool_max_conns=16")
	if err != nil {
		return p, err
	}
	var pools [3]*pgxpool.Pool // of two processes, and of others
	for i := range pools {
		c := config.Copy()
		if i == 2 {
			c.ConnConfig.DefaultQueryExecMode = mode
		}
		pool, err := pgxpool.NewWithConfig(ctx, c)
		if err != nil {
			return p, err
		}
		h.Cleanup(pool.Close)
		pools[i] = pool
	}
	others := pools[2]
	if _, err := others.Exec(ctx, "CREATE TABLE sessions (token text PRIMARY KEY, data bytea NOT NULL, expiry timestamptz NOT NULL)"); err != nil {
		return p, err
	}
	one, err := postgresstore.New(ctx, pools[0])
	if err != nil {
		return p, err
	}
	two, err := postgresstore.New(ctx, pools[1])
	if err != nil {
		return p, err
	}
	err = others.QueryRow(ctx, "SELECT current_setting('server_version')").Scan(&p.version)
	p.version, _, _ = strings.Cut(p.version, " ") // the package of the distribution
	p.floor = contender{name: "SELECT 1, pgx", call: func() error {
		var one int
		return others.QueryRow(ctx, "SELECT 1").Scan(&one)
	}}
	p.size = func(ctx context.Context) (n int64, err error) {
		return n, others.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
	}
	p.stores = []stores{{"ours", one, two}}
	p.peers = []site{scsSite("scs, pgxstore", pgxstore.NewWithCleanupInterval(others, 0))}
	return p, err
}

func openEtcd(ctx context.Context, h *host) (p place, err error) {
	var cluster servers.EtcdCluster
	if err := h.start(func() { cluster = servers.Etcd(h, 3) }); err != nil {
		return p, err
	}
	var both [2]*etcdstore.Store
	for i := range both {
		if both[i], err = etcdstore.Open(ctx, etcdstore.Config{Endpoints: cluster.URLs()}); err != nil {
			return p, err
		}
		h.Cleanup(func() { both[i].Close() })
	}
	client := cluster[0].Client()
	h.Cleanup(func() { client.Close() })
	status, err := client.Status(ctx, cluster[0].URL)
	if err != nil {
		return p, err
	}
	p.version = status.Version + ", three members on this machine"
	p.floor = contender{name: "linearizable get of a missing key", call: func() error {
		_, err := client.Get(ctx, "missing")
		return err
	}}
	p.size = func(ctx context.Context) (int64, error) {
		status, err := client.Status(ctx, cluster[0].URL)
		if err != nil {
			return 0, err
		}
		return status.DbSizeInUse, nil
	}
	p.stores = []stores{{"ours", both[0], both[1]}}
	return p, nil
}
