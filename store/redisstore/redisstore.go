// Package redisstore implements the Store interface of
// github.com/authlatch/auth in Redis 6 or later, in Valkey, or in a Cluster of
// either. It does not import that module.
//
//	s, err := redisstore.Open(ctx, "redis://127.0.0.1:6379")
//	…
//	defer s.Close()
//	sessions, err := session.New(session.Config{Store: s})
//
// Use [Open] with a URL, or [New] with a client that the service already has.
// [OpenNear] and [NewNear] add a near cache (client-side caching).
//
// Each operation is one atomic command on one key. All keys begin with
// "authlatch:". The server expires the records.
//
// # Data loss in a failover
//
// Redis acknowledges a write before its replicas have it. When a replica takes
// over, or a server restarts from its disk, the last writes may be lost,
// including an acknowledged logout. If part of a logout survives, the session
// ends at its next touch. If nothing of it survives, the session continues
// until its own limits. To bound the loss, set min-replicas-to-write and
// min-replicas-max-lag. To survive a crash of a single server, set appendonly
// with appendfsync always. The Store does not use WAIT, which would block all
// calls that share the connection and does not prevent the loss.
//
// A master that is cut off from its Cluster keeps answering for up to
// cluster-node-timeout. Writes that it accepts in that time are lost.
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

// A Store keeps values under keys in Redis for a limited time. Keys are 1 to
// 128 bytes of printable ASCII without space. Values are 1 to 65,536 bytes.
//
// Every operation ends with its context, returning the context's error, and
// after 2 seconds at the latest. An error from a write means that the outcome
// is unknown: the write may have happened. Writes are never retried. Errors
// name the operation and never contain keys or values.
//
// A Store is safe for concurrent use.
type Store struct {
	client rueidis.Client
	script *rueidis.Lua
	gate   *gate
	own    bool // Close closes the client
}

// Open connects to the server at url and checks it as [New] does. The forms of
// url are redis://user:password@host:port/database, rediss:// for TLS, and
// unix:///path. One address is enough to find a Cluster or Sentinels; give more
// as ?addr=host:port, and the name of the master at the Sentinels as
// ?master_set=name.
//
// An attempt to connect takes at most 2 seconds, even if ctx allows more. Call
// [Store.Close] when the Store is no longer needed.
func Open(ctx context.Context, url string) (*Store, error) {
	option, err := parse(url)
	if err != nil {
		return nil, wrap("open", err)
	}
	gate := newGate(&option)
	client, err := rueidis.NewClient(option)
	if err != nil {
		return nil, wrap("open", err)
	}
	s, err := open(ctx, client, gate)
	if err != nil {
		client.Close()
		return nil, err
	}
	s.own = true
	return s, nil
}

// New returns a Store on a client that the service already has. The client must
// read from masters: set neither ReplicaOnly nor SendToReplicas. Closing the
// Store does not close the client.
//
// New returns an error if the server is too old, is not writable, refuses a
// command that the Store needs, or evicts records. Set maxmemory-policy to
// noeviction, because the store could otherwise forget that a session was
// ended.
//
// Each call runs on a goroutine of its own, because such a client may wait
// without observing the context. A Store from [Open] needs that only while a
// server has problems.
func New(ctx context.Context, client rueidis.Client) (*Store, error) {
	return open(ctx, client, &gate{})
}

func open(ctx context.Context, client rueidis.Client, gate *gate) (*Store, error) {
	s := &Store{client: client, script: rueidis.NewLuaScript(swap), gate: gate}
	if err := s.check(ctx); err != nil {
		return nil, wrap("open", err)
	}
	if err := s.probe(ctx); err != nil {
		return nil, err
	}
	s.gate.opened()
	return s, nil
}

// Close closes the connections that [Open] has made, after the operations in
// progress. The error is always nil.
func (s *Store) Close() error {
	if s.own {
		s.client.Close()
	}
	return nil
}

// parse returns the client options of a Store.
func parse(url string) (rueidis.ClientOption, error) {
	option, err := rueidis.ParseURL(url)
	if err != nil {
		return option, errors.New("the URL is not a valid redis, rediss or unix URL") // err would contain the password
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
	option.AlwaysPipelining = true // a call that is abandoned does not block the connection
	option.RetryDelay = retryRead
	return option, nil
}

// retryRead limits the retries of a read after a broken connection, so that an
// outage is reported soon. The client never retries a write.
func retryRead(attempts int, _ rueidis.Completed, _ error) time.Duration {
	if attempts > 2 {
		return -1
	}
	return 5 * time.Millisecond
}
