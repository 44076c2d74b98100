package token

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// cache remembers verified tokens, so that one that comes again costs no
// signature. It is sound by these rules, each of which has a test:
//
//   - Only a token that has passed every check gets in. What does not verify
//     takes no room.
//   - Its key is a SHA-256 sum over a random prefix and the token's text. The
//     prefix is the cache's own and the cache is its verifier's own, so nobody
//     can foresee which tokens share a shard, and no token that one verifier
//     accepts is known to another. The text itself is not kept.
//   - On every hit the verifier compares the dates with the clock, sees whether
//     the very key that verified the token is still in the set, and makes its
//     RevocationCheck. What a route asks for is checked outside by its guard.
//   - It is bounded in entries and in bytes, and to make room costs the same
//     however full it is: one account can have many tokens.
//   - All requests share what a hit returns. Nobody can change it.
type cache struct {
	prefix [sha256.Size]byte
	shards []shard
}

// cacheKey stands for a token.
type cacheKey [sha256.Size]byte

// shard is a part of a cache with a lock of its own.
type shard struct {
	mu    sync.Mutex
	index map[cacheKey]int // into slots
	slots []slot
	hand  int // where the search for a victim goes on, or one after the last
	size  int // of all slots

	maxSlots, maxSize       int
	hits, misses, evictions uint64
}

type slot struct {
	key   cacheKey
	token *Token
	size  int
	used  bool // since the hand last passed
}

const (
	maxShards = 32
	perEntry  = 2 << 10 // bytes of an entry on average, at most
	overhead  = 640     // bytes of an entry without its strings
)

func newCache(entries int) *cache {
	n := max(1, min(maxShards, entries/maxShards))
	c := &cache{shards: make([]shard, n)}
	rand.Read(c.prefix[:])
	for i := range c.shards {
		c.shards[i] = shard{
			index:    make(map[cacheKey]int),
			maxSlots: entries / n,
			maxSize:  entries / n * perEntry,
		}
	}
	return c
}

// keyOf costs no allocation for a token of up to a kilobyte or so.
func (c *cache) keyOf(token string) cacheKey {
	var space [1536]byte
	return sha256.Sum256(append(append(space[:0], c.prefix[:]...), token...))
}

func (c *cache) shardOf(key cacheKey) *shard { return &c.shards[int(key[0])%len(c.shards)] }

// get returns nil if the token is not there.
func (c *cache) get(key cacheKey) *Token {
	s := c.shardOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	i, ok := s.index[key]
	if !ok {
		s.misses++
		return nil
	}
	s.hits++
	s.slots[i].used = true
	return s.slots[i].token
}

// put remembers a token. One that is larger than its shard may be is left out.
func (c *cache) put(key cacheKey, t *Token) {
	s, size := c.shardOf(key), t.size()
	if size > s.maxSize {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
	for len(s.slots) >= s.maxSlots || s.size+size > s.maxSize {
		s.evict()
	}
	s.index[key] = len(s.slots)
	s.slots = append(s.slots, slot{key: key, token: t, size: size})
	s.size += size
}

func (c *cache) remove(key cacheKey) {
	s := c.shardOf(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(key)
}

// evict drops an entry that was not used lately. It asks a few only, and then
// takes what comes.
func (s *shard) evict() {
	const patience = 8
	at := s.hand % len(s.slots)
	for range patience {
		if !s.slots[at].used {
			break
		}
		s.slots[at].used = false
		at = (at + 1) % len(s.slots)
	}
	s.remove(s.slots[at].key)
	s.hand = at + 1 // what moved into this place is the newest
	s.evictions++
}

// remove moves the last slot into the place of the removed one.
func (s *shard) remove(key cacheKey) {
	i, ok := s.index[key]
	if !ok {
		return
	}
	delete(s.index, key)
	s.size -= s.slots[i].size
	last := len(s.slots) - 1
	if i != last {
		s.slots[i] = s.slots[last]
		s.index[s.slots[i].key] = i
	}
	s.slots[last] = slot{}
	s.slots = s.slots[:last]
}

// size is what the token takes in memory, about.
func (t *Token) size() int {
	id := &t.identity
	return overhead + len(id.Subject) + len(id.Scopes) + len(id.Methods) + len(id.LoginID) + len(id.Claims) +
		len(t.id) + len(t.clientID) + len(t.familyKey)
}

// CacheStats counts what the cache of verified tokens has done. A token whose
// key is gone counts as a hit first, and is verified again all the same.
type CacheStats struct {
	Hits, Misses, Evictions uint64 // since the start
	Entries, Bytes          int    // now; bytes are an estimate
}

// CacheStats returns the counts of this moment, zeros without a cache.
func (v *Verifier) CacheStats() CacheStats {
	var sum CacheStats
	if v.cache == nil {
		return sum
	}
	for i := range v.cache.shards {
		s := &v.cache.shards[i]
		s.mu.Lock()
		sum.Hits += s.hits
		sum.Misses += s.misses
		sum.Evictions += s.evictions
		sum.Entries += len(s.slots)
		sum.Bytes += s.size
		s.mu.Unlock()
	}
	return sum
}
