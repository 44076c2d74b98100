package main

import (
	"context"
	"database/sql"
	"errors"
	"log"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/etcdstore"
	"github.com/authlatch/auth/store/postgresstore"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/authlatch/auth/store/sqlstore"
)

// opened is a store with its maintenance functions.
type opened struct {
	store.Store
	close func() error
}

// open opens a store by its URL. In a service this is one line.
func open(ctx context.Context, url string) (*opened, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch scheme {
	case "memory":
		return &opened{&store.Memory{}, func() error { return nil }}, nil
	case "redis", "rediss":
		return keep(redisstore.Open(ctx, url))
	case "near+redis", "near+rediss":
		return keep(redisstore.OpenNear(ctx, strings.TrimPrefix(url, "near+")))
	case "postgres", "postgresql":
		return keep(postgresstore.Open(ctx, url))
	case "etcd":
		return keep(etcdstore.Open(ctx, etcdstore.Config{Endpoints: strings.Split(rest, ",")}))
	case "sqlite":
		return openSQL(ctx, "sqlite", "file:"+rest+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(100)", sqlstore.NewSQLite)
	case "bbolt":
		return keep(openBolt(rest))
	case "mysql":
		return openSQL(ctx, "mysql", rest, sqlstore.NewMySQL)
	}
	return nil, errors.New("the URL of the store has no known scheme")
}

type closer interface {
	store.Store
	Close() error
}

func keep[S closer](s S, err error) (*opened, error) {
	if err != nil {
		return nil, err
	}
	return &opened{s, s.Close}, nil
}

func openSQL(ctx context.Context, driver, source string, open func(context.Context, *sql.DB) (*sqlstore.Store, error)) (*opened, error) {
	db, err := sql.Open(driver, source)
	if err != nil {
		return nil, err
	}
	s, err := open(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &opened{s, func() error { return errors.Join(s.Close(), db.Close()) }}, nil
}

// sweep periodically deletes expired records, if the database does not.
func (o *opened) sweep(ctx context.Context, every time.Duration) {
	s, ok := o.Store.(interface {
		DeleteExpired(context.Context) (int64, error)
	})
	if !ok {
		return
	}
	for ticker := time.NewTicker(every); ; {
		select {
		case <-ctx.Done():
			ticker.Stop()
			return
		case <-ticker.C:
			if _, err := s.DeleteExpired(ctx); err != nil {
				log.Print("sweep: ", err)
			}
		}
	}
}
