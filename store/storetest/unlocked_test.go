package storetest

import (
	"bytes"
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// An unlocked store is a map and a mutex, as a first backend often is. Its CompareAndSwap
// gives the mutex back between the comparison and the write.
type unlocked struct {
	mu      sync.Mutex
	records map[string]unlockedRecord
	early   bool // the comparison, too, is made without the mutex
}

type unlockedRecord struct {
	value []byte
	end   time.Time
}

func (u *unlocked) read(key string) ([]byte, bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.find(key)
}

func (u *unlocked) find(key string) ([]byte, bool) {
	r, ok := u.records[key]
	if !ok || !time.Now().Before(r.end) {
		return nil, false
	}
	return r.value, true
}

func (u *unlocked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok := u.read(key)
	return bytes.Clone(value), ok, ctx.Err()
}

func (u *unlocked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	matches := func(value []byte, ok bool) bool { return ok == (old != nil) && bytes.Equal(value, old) }
	if u.early {
		if !matches(u.read(key)) {
			return false, ctx.Err()
		}
		u.mu.Lock()
	} else {
		u.mu.Lock()
		if !matches(u.find(key)) {
			u.mu.Unlock()
			return false, ctx.Err()
		}
		u.mu.Unlock()
		u.mu.Lock()
	}
	defer u.mu.Unlock()
	u.records[key] = unlockedRecord{bytes.Clone(new), time.Now().Add(ttl)}
	return true, ctx.Err()
}

func (u *unlocked) Delete(ctx context.Context, key string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.records, key)
	return ctx.Err()
}

func TestRulesSeeASwapThatUnlocksBetweenComparisonAndWrite(t *testing.T) {
	if runtime.GOMAXPROCS(0) < 2 {
		t.Skip("no two calls run at the same instant")
	}
	for mistake, early := range map[string]bool{"it reads, unlocks and writes": true, "it unlocks and locks again": false} {
		t.Run(mistake, func(t *testing.T) {
			patient := func(k *kit) {
				k.race = 20 * time.Second // a busy machine may need longer than the rule has
				oneWinner(k)
			}
			mustSee(t, failuresOf(t, patient, &unlocked{records: make(map[string]unlockedRecord), early: early}))
		})
	}
}
