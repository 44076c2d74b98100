// Package postgresstore keeps log-ins in PostgreSQL, in one table.
//
//	s, err := postgresstore.Open(ctx, "postgres://app:secret@db/app")
//
// A [Store] has the methods of the interface Store in package store of
// github.com/authlatch/auth, and needs nothing of that module. Each call is
// one statement in one round trip, without named prepared statements, so that
// poolers in transaction mode work.
//
// PostgreSQL does not expire rows: call [Store.Sweep] from time to time. What
// has expired is absent at once, swept or not.
package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// bound is how long a call takes at most, whatever its context says.
const bound = 5 * time.Second

// Store keeps values under keys for a limited time, in the table auth_store of
// the first schema of the search path. It is safe for concurrent use, and any
// number of processes may use one table.
//
// Each call ends with its context, and after five seconds at the latest. The
// server's clock alone decides what has expired. A transaction that the server
// cannot serialize is tried again, so any default_transaction_isolation will
// do.
//
// What a call has acknowledged is as durable as the server's commits are. It
// survives a crash of the server, unless synchronous_commit is off, and the
// promotion of a standby, if that is a synchronous one.
type Store struct {
	pool  *pgxpool.Pool
	close func()
}

// New returns a Store on a pool that is the caller's, and stays so. It makes
// the table if it is missing, which several processes may do at once.
//
// It is an error if the server is older than PostgreSQL 13 or does not take
// writes, as a standby, or if the table is of a newer version of this package
// or may not be used by the pool's role.
//
// Give the pool's connections a ConnectTimeout, so that it recovers soon from
// a host that has vanished, and target_session_attrs=read-write if there are
// several hosts. Its tracers and its QueryExecMode do not apply: keys and
// values go to the server only.
func New(ctx context.Context, pool *pgxpool.Pool) (*Store, error) {
	if pool == nil {
		return nil, errors.New("postgresstore: open: the pool is nil")
	}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	s := &Store{pool: pool, close: func() {}}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("postgresstore: open: %w", ended(ctx, err))
	}
	return s, nil
}

// Open is [New] on a pool of its own, which [Store.Close] closes. The url is a
// connection string of PostgreSQL, with the parameters of pgxpool.ParseConfig,
// such as pool_max_conns. If it names several hosts, the one that takes writes
// is used.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// The cause may quote the url, and with it the password.
		return nil, errors.New("postgresstore: open: the url is no connection string of PostgreSQL")
	}
	connect := config.ConnConfig
	if connect.ConnectTimeout == 0 {
		connect.ConnectTimeout = bound
	}
	if connect.ValidateConnect == nil {
		connect.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("postgresstore: open: %w", err)
	}
	s, err := New(ctx, pool)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.close = pool.Close
	return s, nil
}

// Close closes the pool if [Open] made it, and waits for the calls under way;
// later ones are errors. A pool that was given to [New] stays open.
func (s *Store) Close() error {
	s.close()
	return nil
}
