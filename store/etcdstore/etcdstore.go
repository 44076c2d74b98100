// Package etcdstore keeps logins in etcd 3.4 or later: the store for services
// that must not lose a logout. A [Store] has the three methods of package store
// of github.com/authlatch/auth, of which it imports nothing.
//
//	s, err := etcdstore.Open(ctx, etcdstore.Config{Endpoints: []string{
//		"https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://10.0.0.3:2379"}})
//	sessions, err := session.New(session.Config{Store: s})
//
// A write is acknowledged when a majority of the members has it on disk, and a
// read is confirmed by a majority. So the loss of any minority, of the leader
// too, undoes nothing that was acknowledged. Without a majority every call is
// an error.
//
// # Expiry
//
// The end of a record stands in its value, and the clock of the host that asks
// decides: clocks of hosts that differ by a second move an end by a second. The
// first host that finds a record expired removes it before it says so, which
// makes all others agree. etcd does not expire records by itself: call
// [Store.DeleteExpired] from time to time. Leases are not used, because etcd
// starts their time anew when its leader changes, and stops all writers while it
// removes many keys of one lease.
package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// prefix begins all keys.
const prefix = "authlatch/"

// Store keeps values under keys for a limited time. Keys are 1 to 128 bytes of
// printable ASCII without space, values 1 to 65,536 bytes.
//
// Each call ends with its context, and after 5 seconds at the latest. A write is
// sent once; an error leaves open whether it has happened. Errors name the
// operation and the endpoints, never a key or value.
//
// An answer of another cluster than the one that the Store was opened on is an
// error. Once an answer shows that the cluster has gone back to an earlier
// revision, as after a restored backup, all calls are errors.
//
// A Store is safe for concurrent use, and any number of processes may use one
// cluster.
type Store struct {
	client   *clientv3.Client
	kv       pb.KVClient
	own      bool          // Close closes the client
	cluster  atomic.Uint64 // the ID that all answers must have, once there was one
	revision atomic.Int64  // the latest that was seen; the greatest number once it went back
}

// New returns a Store over a client that the service has already, which stays
// open when the Store is closed. Give the client a DialKeepAliveTime, or it will
// wait many minutes for a host that has vanished. Its KV field is not used:
// wrappers such as package namespace have no effect.
//
// The error says so if no member answers, endpoints belong to different
// clusters, one is a learner or older than etcd 3.4, or the user's rights do not
// suffice. It is no error if some members are down, or if the database has
// reached its quota: then logins can still be read and deleted.
func New(ctx context.Context, client *clientv3.Client) (*Store, error) {
	if client == nil {
		return nil, errors.New("etcdstore: open: the client is nil")
	}
	s := &Store{client: client, kv: pb.NewKVClient(client.ActiveConnection())}
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	if err := s.check(ctx); err != nil {
		return nil, s.failed("open", err)
	}
	return s, nil
}

// Close closes the connections that [Open] has made; calls under way and later
// ones are errors. A client that was given to [New] stays open.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("etcdstore: close: %w", err)
	}
	return nil
}

// failed names the operation, the endpoints, and what to do.
func (s *Store) failed(operation string, err error) error {
	where := ""
	if s.client != nil {
		where = strings.Join(s.client.Endpoints(), " ") + ": "
	}
	return fmt.Errorf("etcdstore: %s: %s%w", operation, where, explain(err))
}
