package redisstore

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

var (
	start = time.Now()
	later = start.Add(time.Minute)
)

func (c *cache) total() (bytes, places int) {
	for i := range c.shards {
		c.shards[i].mu.RLock()
		bytes += c.shards[i].bytes
		places += len(c.shards[i].places)
		c.shards[i].mu.RUnlock()
	}
	return bytes, places
}

func TestAPlaceThatWasDroppedIsNotFilled(t *testing.T) {
	for rule, between := range map[string]func(c *cache){
		"by a push":             func(c *cache) { c.drop("k") },
		"by a broken stream":    func(c *cache) { c.clear() },
		"and then taken again":  func(c *cache) { c.drop("k"); c.reserve("k", start) },
		"and then filled again": func(c *cache) { c.drop("k"); c.fill("k", c.reserve("k", start), []byte("new"), start, time.Minute) },
	} {
		c := newCache(0)
		p := c.reserve("k", start)
		between(c)
		c.fill("k", p, []byte("old"), start, time.Minute)
		if value, ok := c.get("k", start); ok && string(value) == "old" {
			t.Errorf("%s: the old value is present", rule)
		}
		c.release("k", p)
		c.drop("k")
		if total, places := c.total(); total != 0 || places != 0 {
			t.Errorf("%s: after all drops there are %d bytes in %d places", rule, total, places)
		}
	}
}

func TestAnEntryIsNeverOlderThanAMinute(t *testing.T) {
	c := newCache(0)
	c.fill("k", c.reserve("k", start), []byte("v"), start, time.Hour)
	if _, ok := c.get("k", start.Add(time.Minute-1)); !ok {
		t.Error("absent before a minute has passed")
	}
	if _, ok := c.get("k", start.Add(time.Minute)); ok {
		t.Error("there after a minute")
	}
}

func TestAnEntryLastsUntilItsEnd(t *testing.T) {
	c := newCache(0)
	c.fill("k", c.reserve("k", start), []byte("v"), start, time.Minute)
	if _, ok := c.get("k", later.Add(-1)); !ok {
		t.Error("absent before its expiry")
	}
	if _, ok := c.get("k", later); ok {
		t.Error("present at its expiry")
	}
	if c.reserve("k", later.Add(-1)) != nil {
		t.Error("a reserved place is reserved again")
	}
	p := c.reserve("k", later)
	if p == nil {
		t.Fatal("an expired entry is not read again")
	}
	c.fill("k", p, []byte("w"), later, time.Minute)
	if value, _ := c.get("k", later); string(value) != "w" {
		t.Errorf("%q", value)
	}
}

func TestOneReaderHasThePlace(t *testing.T) {
	c := newCache(0)
	p := c.reserve("k", start)
	if c.reserve("k", start) != nil {
		t.Error("two have it")
	}
	if _, ok := c.get("k", start); ok {
		t.Error("a place has a value before it is filled")
	}
	c.release("k", nil) // of the one who has none
	c.fill("k", nil, []byte("w"), start, time.Minute)
	c.fill("k", p, []byte("v"), start, time.Minute)
	c.release("k", p) // when filled, no-op
	if value, ok := c.get("k", start); string(value) != "v" || !ok {
		t.Error("another reader has removed the value")
	}
	c.release("j", c.reserve("j", start))
	if c.reserve("j", start) == nil {
		t.Error("a released place is still reserved")
	}
}

func TestTheCacheKeepsItsBound(t *testing.T) {
	const bound = 8 << 20
	c := newCache(bound)
	for i := range 4000 {
		key := fmt.Sprint("key ", i)
		c.fill(key, c.reserve(key, start), make([]byte, 1+rand.IntN(maxValue)), start, time.Minute)
		if _, ok := c.get(key, start); !ok {
			t.Fatal("the last value is missing")
		}
		if total, _ := c.total(); total > bound+1000 {
			t.Fatalf("%d bytes, want %d", total, bound)
		}
	}
	if total, _ := c.total(); total < bound/2 {
		t.Errorf("%d of %d bytes are used", total, bound)
	}
	for i := range 4000 {
		c.drop(fmt.Sprint("key ", i))
	}
	if total, places := c.total(); total != 0 || places != 0 {
		t.Errorf("after all drops there are %d bytes in %d places", total, places)
	}
}

// Each value is a version number. Readers fill the versions that they have
// read, and a writer drops the key after each write: a reader must not see an
// old version afterwards.
func TestWhatWasDroppedIsNeverSeenAgain(t *testing.T) {
	c := newCache(1 << 20)
	var mu sync.RWMutex
	current := []byte{0}
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 5000 {
				if _, ok := c.get("k", start); ok {
					continue
				}
				p := c.reserve("k", start)
				mu.RLock()
				value := current
				mu.RUnlock()
				c.fill("k", p, value, start, time.Minute)
				c.release("k", p)
			}
		})
	}
	group.Go(func() {
		for version := range 5000 {
			next := fmt.Append(nil, version)
			mu.Lock()
			current = next
			mu.Unlock()
			c.drop("k")
			if seen, ok := c.get("k", start); ok && !bytes.Equal(seen, next) {
				t.Errorf("%q after %q", seen, next)
				return
			}
		}
	})
	group.Wait()
}
