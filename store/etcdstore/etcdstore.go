// Package etcdstore implements the Store interface of github.com/authlatch/auth in
// etcd 3.4 or later. It is for services that must not lose a logout. It does not
// import that module.
//
//	s, err := etcdstore.Open(ctx, etcdstore.Config{Endpoints: []string{
//		"https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://10.0.0.3:2379"}})
//	…
//	defer s.Close()
//	sessions, err := session.New(session.Config{Store: s})
//
// Use [Open] with the addresses of the cluster, or [New] with a client that the
// service already has.
//
// A write is acknowledged when a majority of the members has it on disk, and a
// read is confirmed by a majority. So no acknowledged write is lost with a minority
// of the members, even if the leader is one of them. Without a majority every call
// returns an error.
//
// # Expiry
//
// etcd does not delete expired records: call [Store.DeleteExpired] every few
// minutes. An expired record is absent at once, even before it is deleted.
//
// Each record contains its expiry, which is compared with the clock of the host
// that makes the call. If the clocks of two hosts differ by a second, a record
// expires up to a second earlier on one of them. The first host that finds a record
// expired deletes it before it reports it as absent, so that it is absent for all
// others too. Leases are not used, because etcd restarts their time when its leader
// changes, and blocks all writers while it deletes many keys of one lease.
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

// A Store keeps values under keys for a limited time. Keys are 1 to 128 bytes of
// printable ASCII without space. Values are 1 to 65,536 bytes.
//
// Each call ends with its context, and after 5 seconds at the latest. An error from
// a write means that the outcome is unknown: the write may have happened. Writes are
// never retried. Errors name the operation and the endpoints, and never contain keys
// or values.
//
// A response of a cluster other than the one that the Store was opened on is an
// error. If a response shows that the cluster has returned to an earlier revision,
// such as by restoring a backup, that call and all later ones return errors.
//
// A Store is safe for concurrent use, and any number of processes may use one
// cluster.
type Store struct {
	client   *clientv3.Client
	kv       pb.KVClient
	own      bool          // Close closes the client
	cluster  atomic.Uint64 // the ID that all responses must have; 0 before the first
	revision atomic.Int64  // the latest that was seen; the maximum once the cluster went back
}

// New returns a Store on a client that the service already has. Closing the Store
// does not close the client. Set the client's DialKeepAliveTime; without it, the
// client may wait many minutes for a host that has vanished. The client's KV field is
// not used, so wrappers such as package namespace have no effect.
//
// New returns an error if no member responds, if endpoints belong to different
// clusters, if a member is a learner or older than etcd 3.4, or if the user lacks
// permissions. A minority of members may be down, and the database may have
// reached its quota: its records can still be read and deleted.
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

// Close closes the connections that [Open] has made. Calls in progress and later
// calls return errors. A client that was passed to [New] stays open.
func (s *Store) Close() error {
	if !s.own {
		return nil
	}
	if err := s.client.Close(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("etcdstore: close: %w", err)
	}
	return nil
}

// failed adds the operation, the endpoints and the remedy to an error.
func (s *Store) failed(operation string, err error) error {
	where := ""
	if s.client != nil {
		where = strings.Join(s.client.Endpoints(), " ") + ": "
	}
	return fmt.Errorf("etcdstore: %s: %s%w", operation, where, explain(err))
}
