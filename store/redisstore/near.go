package redisstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

const (
	// A silent connection is closed after quiet plus patience, and the values
	// that were read over it are dropped.
	quiet    = 500 * time.Millisecond
	patience = time.Second

	// oldestEntry is the maximum age of an entry, with or without a push from
	// the server.
	oldestEntry = time.Minute

	nearBytes = 64 << 20 // default
)

// A Near is a [Store] with a near cache (client-side caching): it caches values
// that this process has read. Only GetCached uses the cache; Get always asks
// the server. The managers of package session call GetCached to authenticate a
// request, and so does a RevocationCheck of package token. Nothing else does. A
// sensitive route can use a second manager or verifier over the bare Store.
//
// The cache has its own connections, one to each server. On these the server
// reports every change of a value that was read over them (client tracking,
// Redis 6). So another process sees a logout as soon as the server's push
// arrives. If a connection breaks, the values that were read over it are
// dropped at once. A connection that goes silent is closed after at most 2
// seconds. An entry is never older than a minute. A process never reads an old
// value from its cache after its own write.
//
// A Near is safe for concurrent use.
type Near struct {
	store  *Store
	client rueidis.Client // for tracked reads
	cache  *cache
	gate   *gate
	own    bool // Close closes the store

	mu        sync.RWMutex
	listeners []func(key string) // of OnChange
}

// OpenNear returns a Near that connects to the server at url as [Open] does,
// with a near cache of 64 MiB.
func OpenNear(ctx context.Context, url string) (*Near, error) {
	option, err := parse(url)
	if err != nil {
		return nil, wrap("open", err)
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

// NewNear returns a Near on a Store. The option says how to connect to the
// Store's server. Its CacheSizeEachConn is the limit of the whole cache in
// bytes; the default is 64 MiB. NewNear sets the options for tracking, replicas
// and timeouts itself.
//
// NewNear returns an error if the server does not push changes or is not the
// Store's server. Closing the Near does not close the Store.
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
		return nil, wrap("open near cache", err)
	}
	if err := n.probe(ctx); err != nil {
		n.client.Close()
		return nil, wrap("open near cache", err)
	}
	n.gate.opened()
	return n, nil
}

// Close closes the connections of the cache, and the Store if [OpenNear] opened
// it. The error is always nil.
func (n *Near) Close() error {
	n.client.Close()
	n.cache.clear()
	if n.own {
		n.store.Close()
	}
	return nil
}

// Get calls [Store.Get]. It does not use the cache.
func (n *Near) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	return n.store.Get(ctx, key)
}

// CompareAndSwap calls [Store.CompareAndSwap]. Before it returns, also with an
// error, it drops the cached value of this process.
func (n *Near) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	defer n.cache.drop(key)
	return n.store.CompareAndSwap(ctx, key, old, new, ttl)
}

// Delete calls [Store.Delete]. Before it returns, also with an error, it drops
// the cached value of this process.
func (n *Near) Delete(ctx context.Context, key string) error {
	defer n.cache.drop(key)
	return n.store.Delete(ctx, key)
}

// GetCached returns the value under key as [Store.Get] does, but may return a
// value that another process has changed a moment ago: see [Near]. It makes no
// round trip for a cached value and one otherwise. Absence is not cached.
func (n *Near) GetCached(ctx context.Context, key string) (value []byte, ok bool, err error) {
	now := time.Now()
	if value, ok := n.cache.get(key, now); ok {
		return value, true, nil
	}
	if err := checkKey(key); err != nil {
		return nil, false, wrap("get", err)
	}
	place := n.cache.reserve(key, now)
	defer n.cache.release(key, place)
	found, err := within(ctx, n.gate, func(ctx context.Context) (found, error) { return n.read(ctx, prefix+key) })
	if err != nil {
		return nil, false, wrap("get", err)
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

// read gets the value and its remaining lifetime in one round trip. If the key
// changes in between, the push drops the value.
func (n *Near) read(ctx context.Context, key string) (f found, err error) {
	responses := n.client.DoMulti(ctx,
		n.client.B().Get().Key(key).Build().Pin(),
		n.client.B().Pttl().Key(key).Build().Pin())
	if f.value, err = read(responses[0]); err != nil {
		return found{}, err
	}
	life, err := responses[1].AsInt64()
	if err != nil {
		return found{}, err
	}
	f.life = time.Duration(life) * time.Millisecond
	if life == -1 { // without expiry, so not written by this package; the caller decides
		f.life = oldestEntry
	}
	return f, nil
}

// invalidate receives changed keys, or nil if the whole cache must be dropped
// because a connection was lost or the database was flushed. The client calls
// it in the order in which pushes and responses arrive on a connection.
func (n *Near) invalidate(keys []rueidis.RedisMessage) {
	if keys == nil {
		n.cache.clear()
		return
	}
	for _, k := range keys {
		if key, err := k.ToString(); err == nil && len(key) > len(prefix) {
			n.cache.drop(key[len(prefix):])
			n.notify(key[len(prefix):])
		}
	}
}

// OnChange makes the Near call f, from now on, with the key of each record that the server
// reports as changed: one that this process has read by [Near.GetCached], and that any
// process has then written or deleted, or that has expired. A key may come twice or, after
// a lost connection, not at all. f must return quickly and not call the Near. The watches
// of packages session and token use it.
func (n *Near) OnChange(f func(key string)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listeners = append(n.listeners, f)
}

func (n *Near) notify(key string) {
	n.mu.RLock()
	listeners := n.listeners
	n.mu.RUnlock()
	for _, f := range listeners {
		f(key)
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
		return fmt.Errorf("a record of the store is missing: %w", errors.Join(err, ctx.Err()))
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
			return fmt.Errorf("the server did not push a change: %w", ctx.Err())
		}
	}
}
