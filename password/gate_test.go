package password_test

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/password"
)

// Hashing allocates as much as the bound assumes.
func TestHashingAllocatesMemoryAndLittleElse(t *testing.T) {
	const memory = 8 << 10 // KiB
	h := weak(t, password.Config{Memory: memory, Iterations: 1})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	h.VerifyNobody(t.Context(), "p")
	runtime.ReadMemStats(&after)
	if took := (after.TotalAlloc - before.TotalAlloc) >> 10; took > memory+256 {
		t.Errorf("%d KiB instead of %d", took, memory)
	}
}

// held is a Hasher whose calls wait to be released, in a synctest bubble.
type held struct {
	*password.Hasher
	running, memory, mostMemory atomic.Int64
	let                         chan struct{}
}

func hold(t *testing.T, concurrent int) *held {
	k := &held{let: make(chan struct{})}
	k.Hasher = noting(t, password.NewIdle, password.Config{Memory: 1024, Iterations: 1, MaxConcurrent: concurrent}, func(c password.Call) {
		k.running.Add(1)
		k.mostMemory.Store(max(k.mostMemory.Load(), k.memory.Add(int64(c.Memory)>>10)))
		<-k.let
		k.memory.Add(-int64(c.Memory) >> 10)
		k.running.Add(-1)
	})
	return k
}

func TestNoMoreThanConcurrentRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := hold(t, 3)
		answered := atomic.Int64{}
		for range 10 {
			go func() {
				k.VerifyNobody(t.Context(), "p")
				answered.Add(1)
			}()
		}
		for left := 10; left > 0; left-- {
			synctest.Wait()
			if n := k.running.Load(); n != int64(min(3, left)) {
				t.Fatalf("%d run while %d are left", n, left)
			}
			k.let <- struct{}{}
		}
		synctest.Wait()
		if answered.Load() != 10 {
			t.Errorf("%d of 10 were answered", answered.Load())
		}
	})
}

func TestDefaultConcurrentIsTwiceTheProcessors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := hold(t, 0)
		want := 2 * runtime.GOMAXPROCS(0)
		for range want + 5 {
			go k.VerifyNobody(t.Context(), "p")
		}
		synctest.Wait()
		if n := k.running.Load(); n != int64(want) {
			t.Errorf("%d run", n)
		}
		close(k.let)
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := hold(t, 1)
		go k.VerifyNobody(t.Context(), "p")
		synctest.Wait()
		for range 3 { // nothing is kept by those who gave up
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			start := time.Now()
			err := k.VerifyNobody(ctx, "p")
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, password.ErrWrong) || time.Since(start) != time.Second {
				t.Errorf("%v after %v", err, time.Since(start))
			}
			cancel()
		}
		close(k.let)
		if err := k.VerifyNobody(t.Context(), "p"); !errors.Is(err, password.ErrWrong) {
			t.Error(err)
		}
	})
}

// A hash that needs more memory takes several places, so the bound holds for any stored
// hash.
func TestLargeHashesTakeSeveralPlaces(t *testing.T) {
	large := "$argon2id$v=19$m=3000,t=1,p=1$" + salt + "$" + tag // 3 places of 1024 KiB
	whole := "$scrypt$ln=17,r=8,p=1$" + salt + "$" + tag         // 128 MiB: all that there are
	synctest.Test(t, func(t *testing.T) {
		k := hold(t, 4)
		verify := func(ctx context.Context, hash string) { go k.Verify(ctx, hash, "p") }
		ran := func(want int64) {
			t.Helper()
			synctest.Wait()
			if n := k.running.Load(); n != want {
				t.Errorf("%d run instead of %d", n, want)
			}
		}
		verify(t.Context(), large)
		ran(1)
		verify(t.Context(), "")
		ran(2)
		verify(t.Context(), whole)
		ran(2)
		verify(t.Context(), "") // it does not overtake
		ran(2)
		k.let <- struct{}{}
		ran(1)
		k.let <- struct{}{}
		ran(1) // the whole one, alone
		k.let <- struct{}{}
		ran(1)
		k.let <- struct{}{}
		ran(0)

		// A caller that gives up while it has some of its places releases them.
		verify(t.Context(), "")
		ran(1)
		ctx, cancel := context.WithCancel(t.Context())
		verify(ctx, whole)
		ran(1)
		cancel()
		synctest.Wait()
		verify(t.Context(), large)
		ran(2)
		close(k.let)
		if most := k.mostMemory.Load(); most != 128<<10 {
			t.Errorf("%d KiB at once", most)
		}
	})
}
