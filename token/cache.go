package token

import (
	"crypto/rand"
	"crypto/sha256"
	"sync"
)

// cache remembers verified tokens, so that a token that comes again needs no
// verification of its signature. It is sound by these rules, each of which has a test:
//
//   - Only a token that has passed every check is stored. A token that does not
//     verify takes no room.
//   - The key of an entry is a SHA-256 sum over a random prefix and the token's text.
//     Each cache has its own prefix and each verifier its own cache, so an attacker
//     cannot predict which tokens share a shard, and a token that one verifier accepts
//     is unknown to another. The text itself is not kept. Verifiers of different
//     issuers that were joined by ByIssuer share a cache: the Issuer of the entry's
//     token says which of them accepted it.
//   - On every hit the verifier compares the dates with the clock, checks that the same
//     key that verified the token is still in the set, and makes its RevocationCheck.
//     The guard of a route checks what the route requires, outside the cache.
//   - It is bounded in entries and in bytes, and making room costs the same however
//     full it is, because one account can have many tokens.
//   - All requests share the token that a hit returns. It is immutable.
type cache struct {
	prefix [sha256.Size]byte
	shards []shard
}

// cacheKey identifies a token in a cache.
type cacheKey [sha256.Size]byte

// shard is a part of a cache with a lock of its own.
type shard struct {
	mu    sync.Mutex
	index map[cacheKey]int // into slots
	slots []slot
	hand  int // the index at which the next eviction starts, at most len(slots)
	size  int // of all slots

	maxSlots, maxSize       int
	hits, misses, evictions uint64
}

type slot struct {
	key   cacheKey
	token *Token
	size  int
	used  bool // read since an eviction last passed it
}

const (
	maxShards = 32
	perEntry  = 2 << 10 // maximum bytes of an entry, on average
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

// keyOf does not allocate for a token of up to about 1500 bytes.
func (c *cache) keyOf(token string) cacheKey {
	var space [1536]byte
	return sha256.Sum256(append(append(space[:0], c.prefix[:]...), token...))
}

// lookup is the result of looking a token up.
type lookup struct {
	key   cacheKey
	token *Token // nil if the cache does not have it
}

func (c *cache) lookup(token string) lookup {
	key := c.keyOf(token)
	return lookup{key, c.get(key)}
}

func (c *cache) shardOf(key cacheKey) *shard { return &c.shards[int(key[0])%len(c.shards)] }

// get returns nil if the cache does not have the token.
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

// put stores a token. It ignores a token that is larger than the maximum of a shard.
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

// evict removes an entry that was not used recently. It looks at 8 entries at most,
// and then removes the next one.
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
	s.hand = at + 1 // the entry that moved into this place is the newest
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

// size estimates the memory of the token in bytes.
func (t *Token) size() int {
	id := &t.identity
	return overhead + len(id.Subject) + len(id.Scopes) + len(id.Methods) + len(id.LoginID) + len(id.Claims) + len(id.Actor) + len(id.ActorLoginID) + t.further.Size() +
		len(t.id) + len(t.clientID) + len(t.familyKey)
}

// CacheStats are counts of the cache of verified tokens. A cached token whose key
// has been removed counts as a hit, although it is verified again.
type CacheStats struct {
	Hits, Misses, Evictions uint64 // since NewVerifier
	Entries, Bytes          int    // current; Bytes is an estimate
}

// CacheStats returns the current counts. They are zero without a cache.
func (v *Verifier) CacheStats() CacheStats { return v.cache.stats() }

func (c *cache) stats() (sum CacheStats) {
	if c == nil {
		return sum
	}
	for i := range c.shards {
		s := &c.shards[i]
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

// capacity returns the maximum number of entries.
func (c *cache) capacity() int {
	if c == nil {
		return 0
	}
	return len(c.shards) * c.shards[0].maxSlots
}
