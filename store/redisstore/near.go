package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

const (
	// A connection that has gone silent is given up after quiet and patience,
	// and what was read over it is forgotten.
	quiet    = 500 * time.Millisecond
	patience = time.Second

	// oldestEntry is when an entry is read again at the latest, whatever the
	// server has pushed or not.
	oldestEntry = time.Minute

	nearBytes = 64 << 20 // if the caller does not say
)

// Near is a [Store] with a cache of what this process has read: a near cache.
// Only GetCached uses it; Get always asks the server. The managers of package
// session call GetCached where a request is authenticated, and the LiveCheck of
// package token where it looks, and nothing else does, so a sensitive route may use a
// second manager or verifier over the bare Store.
//
// The cache has connections of its own, one for each server, on which the
// server tells of every change to what was read over them (client tracking,
// Redis 6). So another process sees a log-out as soon as the server's push has
// arrived. What was read over a connection that breaks is forgotten at once; a
// connection that goes silent is given up after 2 seconds at most. An entry is
// never older than a minute. What this process itself changes, it never reads
// from the cache.
//
// A Near is safe for concurrent use.
type Near struct {
	store  *Store
	client rueidis.Client // for reads that are tracked
	cache  *cache
	gate   *gate
	own    bool // Close closes the store
}

// OpenNear is [Open] with a near cache of 64 MiB.
func OpenNear(ctx context.Context, url string) (*Near, error) {
	option, err := parse(url)
	if err != nil {
		return nil, failed("open", err)
	}
	s, err := Open(ctx, url)
	if err != nil {
		return nil, err
	}
	n, err := NewNear(ctx, s, option)
	if err != nil {
		s.Close()
		return nil, err
	}
	n.own = true
	return n, nil
}

// NewNear returns a near cache for a Store. The option says how to connect to
// the Store's server; its CacheSizeEachConn is the bound of the whole cache in
// bytes, by default 64 MiB. What concerns tracking, replicas and timeouts is set
// here.
//
// The error says so if the server does not push, or is not the Store's.
// Closing the Near leaves the Store open.
func NewNear(ctx context.Context, s *Store, option rueidis.ClientOption) (*Near, error) {
	if option.CacheSizeEachConn <= 0 {
		option.CacheSizeEachConn = nearBytes
	}
	n := &Near{store: s, cache: newCache(option.CacheSizeEachConn)}
	option.DisableCache = false
	option.ClientTrackingOptions = []string{"NOLOOP"} // every read is tracked, none needs CACHING YES
	option.OnInvalidations = n.invalidate
	option.ReplicaOnly, option.SendToReplicas = false, nil
	if option.RetryDelay == nil {
		option.RetryDelay = retryRead
	}
	option.Dialer.KeepAlive, option.ConnWriteTimeout = quiet, patience
	n.gate = newGate(&option)
	var err error
	if n.client, err = rueidis.NewClient(option); err != nil {
		return nil, failed("open near cache", err)
	}
	if err := n.probe(ctx); err != nil {
		n.client.Close()
		return nil, failed("open near cache", err)
	}
	n.gate.opened()
	return n, nil
}

// Close ends the connections of the cache, and the Store if [OpenNear] has
// opened it. The error is always nil.
func (n *Near) Close() error {
	n.client.Close()
	n.cache.clear()
	if n.own {
		n.store.Close()
	}
	return nil
}

// Get is [Store.Get]. It does not use the cache.
func (n *Near) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	return n.store.Get(ctx, key)
}

// CompareAndSwap is [Store.CompareAndSwap]. When it returns, this process has
// forgotten the old value.
func (n *Near) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	defer n.cache.drop(key)
	return n.store.CompareAndSwap(ctx, key, old, new, ttl)
}

// Delete is [Store.Delete]. When it returns, this process has forgotten the
// value.
func (n *Near) Delete(ctx context.Context, key string) error {
	defer n.cache.drop(key)
	return n.store.Delete(ctx, key)
}

// GetCached is Get, but may return a value that another process has changed a
// moment ago: see [Near]. It makes no round trip for what it has in its cache,
// and one for all else. Absence is not cached.
func (n *Near) GetCached(ctx context.Context, key string) (value []byte, ok bool, err error) {
	now := time.Now()
	if value, ok := n.cache.get(key, now); ok {
		return value, true, nil
	}
	if err := checkKey(key); err != nil {
		return nil, false, failed("get", err)
	}
	place := n.cache.reserve(key, now)
	defer n.cache.release(key, place)
	found, err := within(ctx, n.gate, func(ctx context.Context) (found, error) { return n.read(ctx, prefix+key) })
	if err != nil {
		return nil, false, failed("get", err)
	}
	if found.value == nil {
		return nil, false, nil
	}
	n.cache.fill(key, place, found.value, now, found.life)
	return found.value, true, nil
}

type found struct {
	value []byte
	life  time.Duration
}

// read asks for the value and for how long it lasts, in one round trip. If the
// key changes in between, the push drops what was read.
func (n *Near) read(ctx context.Context, key string) (f found, err error) {
	answers := n.client.DoMulti(ctx,
		n.client.B().Get().Key(key).Build().Pin(),
		n.client.B().Pttl().Key(key).Build().Pin())
	if f.value, err = read(answers[0]); err != nil {
		return found{}, err
	}
	life, err := answers[1].AsInt64()
	if err != nil {
		return found{}, err
	}
	f.life = time.Duration(life) * time.Millisecond
	if life == -1 { // no end, so not ours; it is for the caller to judge
		f.life = oldestEntry
	}
	return f, nil
}

// invalidate hears of changed keys, or with nil that all must be forgotten: a
// connection is lost, or the database was flushed. It is called in the order in
// which pushes and answers arrive on a connection.
func (n *Near) invalidate(keys []rueidis.RedisMessage) {
	if keys == nil {
		n.cache.clear()
		return
	}
	for _, k := range keys {
		if key, err := k.ToString(); err == nil && len(key) > len(prefix) {
			n.cache.drop(key[len(prefix):])
		}
	}
}

// probe changes a record and waits for the push.
func (n *Near) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	key, one, other := "probe:"+rand.Text(), []byte{1}, []byte{2}
	if _, err := n.store.CompareAndSwap(ctx, key, nil, one, time.Minute); err != nil {
		return err
	}
	if _, ok, err := n.GetCached(ctx, key); err != nil || !ok {
		return fmt.Errorf("a record of the store is not there: %w", errors.Join(err, ctx.Err()))
	}
	if _, err := n.store.CompareAndSwap(ctx, key, one, other, time.Minute); err != nil {
		return err
	}
	for tick := time.Millisecond; ; tick *= 2 {
		if _, cached := n.cache.get(key, time.Now()); !cached {
			return n.store.Delete(ctx, key)
		}
		select {
		case <-time.After(tick):
		case <-ctx.Done():
			return fmt.Errorf("the server has pushed no change: %w", ctx.Err())
		}
	}
}
