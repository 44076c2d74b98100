package redisstore

import (
	"hash/maphash"
	"sync"
	"time"
)

// A cache keeps values for a limited time, within a limit in bytes.
//
// A reader reserves a place for the key, asks the server, and fills the place.
// A change of the key in the meantime drops the place; the value is then not
// kept, because it may be the old value.
type cache struct {
	seed   maphash.Seed
	shards [32]shard
}

type shard struct {
	mu     sync.RWMutex
	places map[string]*place
	bytes  int
	limit  int
}

// A place has a nil value until it is filled.
type place struct {
	value []byte
	ends  time.Time
}

// perPlace approximates the memory of a place and its map entry without key and
// value.
const perPlace = 150

func size(key string, p *place) int { return perPlace + len(key) + len(p.value) }

// newCache returns a cache with a limit of bytes. Each shard has room for at
// least one value of maximum length.
func newCache(bytes int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].places = make(map[string]*place)
		c.shards[i].limit = max(bytes/len(c.shards), perPlace+maxKey+maxValue)
	}
	return c
}

func (c *cache) shard(key string) *shard {
	return &c.shards[maphash.String(c.seed, key)%uint64(len(c.shards))]
}

func (c *cache) get(key string, now time.Time) (value []byte, ok bool) {
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	p := s.places[key]
	if p == nil || p.value == nil || !now.Before(p.ends) {
		return nil, false
	}
	return p.value, true
}

// reserve returns a new place for key, or nil if another reader has reserved
// one or the value is cached.
func (c *cache) reserve(key string, now time.Time) *place {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.places[key]; p != nil {
		if p.value == nil || now.Before(p.ends) {
			return nil
		}
		s.remove(key)
	}
	p := &place{}
	s.places[key] = p
	s.bytes += size(key, p)
	return p
}

// fill stores a value in its place, unless the place was dropped. The value was
// requested at the time asked and lives for life from then.
func (c *cache) fill(key string, p *place, value []byte, asked time.Time, life time.Duration) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p == nil || s.places[key] != p {
		return
	}
	p.value, p.ends = value, asked.Add(min(life, oldestEntry))
	s.bytes += len(value)
	for other := range s.places { // in no order
		if s.bytes <= s.limit {
			return
		}
		if other != key {
			s.remove(other)
		}
	}
}

// release removes a place that was not filled.
func (c *cache) release(key string, p *place) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != nil && s.places[key] == p && p.value == nil {
		s.remove(key)
	}
}

// drop removes a value, or the place that a reader has reserved.
func (c *cache) drop(key string) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
}

func (s *shard) remove(key string) {
	if p := s.places[key]; p != nil {
		delete(s.places, key)
		s.bytes -= size(key, p)
	}
}

// clear drops all keys.
func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.places, s.bytes = make(map[string]*place), 0
		s.mu.Unlock()
	}
}
