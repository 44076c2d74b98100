// Package redisstore keeps log-ins in Redis 6 or later, in Valkey, or in a
// Cluster of either. A [Store] has the three methods of package store of
// github.com/authlatch/auth, of which it imports nothing.
//
//	s, err := redisstore.Open(ctx, "redis://127.0.0.1:6379")
//	sessions, err := session.New(session.Config{Store: s})
//
// Each operation is one atomic command on one key. All keys begin with
// "authlatch:". Expiry is the server's.
//
// # What a failover may lose
//
// Redis acknowledges a write before its replicas have it. When a replica takes
// over, or a server starts again from its disk, the last writes may be gone,
// and an acknowledged log-out among them. What a loss leaves over of a log-out
// ends the session at its next touch; if nothing is left over, the session goes
// on until its own limits. To bound the loss, set min-replicas-to-write and
// min-replicas-max-lag; to survive a crash of a single server, set appendonly
// with appendfsync always. WAIT is not used: it would hold up all that shares
// the connection, and does not prevent the loss.
//
// A master that is cut off from its Cluster answers for up to
// cluster-node-timeout, and what it is told then is lost.
package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"
)

const (
	prefix  = "authlatch:"
	timeout = 2 * time.Second // of an operation
)

// Store is a store in Redis. Its keys are 1 to 128 bytes of printable ASCII
// without space, its values 1 to 65,536 bytes.
//
// Every operation ends with its context, with the context's error, and after 2
// seconds at the latest. An error from a write leaves open whether it has
// happened; writes are never tried again. Errors name the operation and tell
// nothing of keys and values.
//
// A Store is safe for concurrent use.
type Store struct {
	client rueidis.Client
	script *rueidis.Lua
	gate   *gate
	own    bool // Close closes the client
}

// Open connects to the server at url, and checks it as [New] does. The forms
// are redis://user:password@host:port/database, rediss:// for TLS, and
// unix:///path. A Cluster or Sentinels are found from one address; more are
// given as ?addr=host:port, and the name that Sentinels know as ?master_set=.
//
// An attempt to connect takes 2 seconds at most, whatever ctx says. Close the
// Store when it is no longer used.
func Open(ctx context.Context, url string) (*Store, error) {
	option, err := parse(url)
	if err != nil {
		return nil, failed("open", err)
	}
	gate := newGate(&option)
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, failed("open", err)
	}
	s, err := open(ctx, client, gate)
	if err != nil {
		client.Close()
		return nil, err
	}
	s.own = true
	return s, nil
}

// New returns a Store over a client that the service has already. The client
// must read from masters, so with neither ReplicaOnly nor SendToReplicas.
// Closing the Store leaves the client open. Each call runs on a goroutine of its
// own, since a call through such a client may wait where it does not see its
// context end; a Store of [Open] needs that only while a server is in trouble.
//
// The error says so if the server is too old, cannot be written to, refuses a
// command that a Store needs, or is set to evict records: maxmemory-policy must
// be noeviction, lest what was ended be forgotten.
func New(ctx context.Context, client rueidis.Client) (*Store, error) {
	return open(ctx, client, &gate{})
}

func open(ctx context.Context, client rueidis.Client, gate *gate) (*Store, error) {
	s := &Store{client: client, script: rueidis.NewLuaScript(swap), gate: gate}
	if err := s.check(ctx); err != nil {
		return nil, failed("open", err)
	}
	if err := s.probe(ctx); err != nil {
		return nil, err
	}
	s.gate.opened()
	return s, nil
}

// Close ends the connections that [Open] has made, after the operations that
// are under way. The error is always nil.
func (s *Store) Close() error {
	if s.own {
		s.client.Close()
	}
	return nil
}

// parse says what the client of a Store is to be.
func parse(url string) (rueidis.ClientOption, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return option, errors.New("the URL is not of a known form") // err quotes the password
	}
	if option.Dialer.Timeout == 0 {
		option.Dialer.Timeout = timeout
	}
	if option.ConnWriteTimeout == 0 {
		option.ConnWriteTimeout = timeout
	}
	if option.Sentinel.MasterSet != "" {
		option.Sentinel.TopologyRefreshInterval = 5 * time.Second
	}
	option.DisableCache = true
	option.AlwaysPipelining = true // who gives up leaves the connection to the others
	option.RetryDelay = retryRead
	return option, nil
}

// retryRead lets a read survive a connection that breaks, and no more: an
// outage is an error soon. The client never repeats a write.
func retryRead(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts > 2 {
		return -1
	}
	return 5 * time.Millisecond
}
