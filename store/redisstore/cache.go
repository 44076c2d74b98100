package redisstore

import (
	"hash/maphash"
	"sync"
	"time"
)

// A cache keeps values for a while, within a bound in bytes.
//
// A reader first reserves a place for the key, then asks the server, then fills
// the place. Whoever learns meanwhile that the key has changed drops the place,
// and then what was read is not kept: it may be the old value.
type cache struct {
	seed   maphash.Seed
	shards [32]shard
}

type shard struct {
	mu     sync.RWMutex
	places map[string]*place
	bytes  int
	most   int
}

// A place has a nil value until it is filled.
type place struct {
	value []byte
	ends  time.Time
}

// perPlace is about what the map and a place take besides key and value.
const perPlace = 150

func size(key string, p *place) int { return perPlace + len(key) + len(p.value) }

// newCache returns a cache of so many bytes, or of what one long value needs in
// each shard if that is more.
func newCache(bytes int) *cache {
	c := &cache{seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].places = make(map[string]*place)
		c.shards[i].most = max(bytes/len(c.shards), perPlace+maxKey+maxValue)
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

// reserve returns a new place for key, or nil if another reader has one.
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

// fill keeps a value that was asked for at a time, and lives so long from then,
// in a place, unless that was dropped.
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
		if s.bytes <= s.most {
			return
		}
		if other != key {
			s.remove(other)
		}
	}
}

// release gives a place back that was not filled.
func (c *cache) release(key string, p *place) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if p != nil && s.places[key] == p && p.value == nil {
		s.remove(key)
	}
}

// drop forgets a value, and the place that a reader has reserved.
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

// clear is drop for all keys.
func (c *cache) clear() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.places, s.bytes = make(map[string]*place), 0
		s.mu.Unlock()
	}
}
