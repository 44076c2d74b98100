package main

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/pgxstore"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"
)

// redisSessions measures reads of a session on the Redis server at a URL. The
// floor is a round trip.
func redisSessions(ctx context.Context, url string, measure func(group) error) error {
	plain, err := redisstore.Open(ctx, url)
	if err != nil {
		return err
	}
	defer plain.Close()
	near, err := redisstore.OpenNear(ctx, url)
	if err != nil {
		return err
	}
	defer near.Close()
	client, peer, err := redisClients(url)
	if err != nil {
		return err
	}
	defer client.Close()
	defer peer.Close()

	ours, errOurs := oursOn(plain)
	oursNear, errNear := oursOn(near)
	oursMemory, errMemory := oursOn(&store.Memory{})
	theirs, errTheirs := scsOn(goredisstore.NewWithPrefix(peer, "authlatch-bench:"))
	if err := errors.Join(errOurs, errNear, errMemory, errTheirs); err != nil {
		return err
	}
	return measure(group{"session read on Redis, through the whole middleware", []contender{
		{"a GET of nothing, rueidis", func() error { return getNothing(ctx, client) }},
		{"ours", ours.read},
		{"ours, near cache", oursNear.read},
		{"ours, in memory", oursMemory.read},
		{"scs, goredisstore", theirs.read},
	}})
}

// redisClients returns the client that ours uses, and that of scs.
func redisClients(url string) (rueidis.Client, *redis.Client, error) {
	ours, errOurs := rueidis.ParseURL(url)
	theirs, errTheirs := redis.ParseURL(url)
	if errOurs != nil || errTheirs != nil {
		return nil, nil, errors.New("the URL is malformed")
	}
	client, err := rueidis.NewClient(ours)
	if err != nil {
		return nil, nil, err
	}
	return client, redis.NewClient(theirs), nil
}

func getNothing(ctx context.Context, client rueidis.Client) error {
	err := client.Do(ctx, client.B().Get().Key("authlatch-bench:absent").Build()).Error()
	if rueidis.IsRedisNil(err) {
		return nil
	}
	return err
}

// postgresSessions measures reads of a session on the PostgreSQL server at a
// URL, in a schema of its own.
func postgresSessions(ctx context.Context, url string, measure func(group) error) (err error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	schema := "authlatch_bench_" + strings.ToLower(rand.Text())
	config.ConnConfig.RuntimeParams["search_path"] = schema
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return err
	}
	defer pool.Close()
	other := config.Copy()
	other.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	unprepared, err := pgxpool.NewWithConfig(ctx, other)
	if err != nil {
		return err
	}
	defer unprepared.Close()
	if _, err := pool.Exec(ctx, "CREATE SCHEMA "+schema); err != nil {
		return err
	}
	defer func() {
		_, dropped := pool.Exec(ctx, "DROP SCHEMA "+schema+" CASCADE")
		err = errors.Join(err, dropped)
	}()
	g, err := overPools(ctx, pool, unprepared)
	if err != nil {
		return err
	}
	return measure(g)
}

// overPools returns who reads over two pools; over the second, nothing is
// prepared. The floor is a round trip. Ours prepares no statements, so that
// poolers work; what that costs shows in scs without them.
func overPools(ctx context.Context, pool, unprepared *pgxpool.Pool) (group, error) {
	_, err := pool.Exec(ctx, "CREATE TABLE sessions (token text PRIMARY KEY, data bytea NOT NULL, expiry timestamptz NOT NULL)")
	if err != nil {
		return group{}, err
	}
	s, err := postgresstore.New(ctx, pool)
	if err != nil {
		return group{}, err
	}
	ours, errOurs := oursOn(s)
	theirs, errTheirs := scsOn(pgxstore.NewWithCleanupInterval(pool, 0))
	likeOurs, errLikeOurs := scsOn(pgxstore.NewWithCleanupInterval(unprepared, 0))
	return group{"session read on PostgreSQL, through the whole middleware", []contender{
		{"SELECT 1, pgx", func() error {
			var one int
			return pool.QueryRow(ctx, "SELECT 1").Scan(&one)
		}},
		{"ours", ours.read},
		{"scs, pgxstore", theirs.read},
		{"scs, pgxstore, nothing prepared, as behind poolers", likeOurs.read},
	}}, errors.Join(errOurs, errTheirs, errLikeOurs)
}
