package logins_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/store"
)

// hooked is a store that calls a hook before each of its calls, and counts them.
type hooked struct {
	store.Store
	before func(ctx context.Context, op, key string) error // nil: nothing happens
	calls  atomic.Int64
}

func (h *hooked) enter(ctx context.Context, op, key string) error {
	h.calls.Add(1)
	if h.before == nil {
		return nil
	}
	return h.before(ctx, op, key)
}

func (h *hooked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := h.enter(ctx, "get", key); err != nil {
		return nil, false, err
	}
	return h.Store.Get(ctx, key)
}

func (h *hooked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if err := h.enter(ctx, "swap", key); err != nil {
		return false, err
	}
	return h.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (h *hooked) Delete(ctx context.Context, key string) error {
	if err := h.enter(ctx, "delete", key); err != nil {
		return err
	}
	return h.Store.Delete(ctx, key)
}

// slow returns a hook that takes a while for each call.
func slow(each time.Duration) func(context.Context, string, string) error {
	return func(ctx context.Context, _, _ string) error {
		select {
		case <-time.After(each):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// keys returns the keys of the records of logins.
func keys(digests []Digest) (keys []string) {
	for _, d := range digests {
		keys = append(keys, d.Key())
	}
	return keys
}

// alive returns how many records are alive.
func alive(t *testing.T, s store.Store, digests []Digest) (n int) {
	t.Helper()
	for _, d := range digests {
		raw, ok, err := s.Get(t.Context(), d.Key())
		if err != nil {
			t.Fatal(err)
		}
		if _, ended := ParseTombstone(raw); ok && !ended {
			n++
		}
	}
	return n
}

// quiet returns the lists of a store, and ignores their faults.
func quiet(s store.Store) *Lists {
	return &Lists{Store: s, Bound: 1000, Fault: func(context.Context, string, error) {}}
}

// listedQuietly makes logins without calls of the hook.
func listedQuietly(t *testing.T, s *hooked, n int) []Digest {
	t.Helper()
	before := s.before
	s.before = nil
	defer func() { s.before = before }()
	var digests []Digest
	for range n {
		d := newDigest()
		if ok, err := s.CompareAndSwap(t.Context(), d.Key(), nil, liveRecord(), time.Hour); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := quiet(s).Add(t.Context(), subject, entry(d), nil); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	return digests
}

// endAll ends all logins of a subject as LogoutAll of the modes does.
func endAll(t *testing.T, s store.Store) ([]Entry, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return quiet(s).End(ctx, subject, Revoked, everything)
}

// A client that changes its record before each swap does not keep it alive.
func TestARecordThatKeepsChangingEnds(t *testing.T) {
	var ctx context.Context
	for name, end := range map[string]func(*Lists, Digest) error{
		"by its own credential": func(l *Lists, d Digest) error {
			return l.EndOne(ctx, subject, Session, d, LoggedOut)
		},
		"everywhere": func(l *Lists, _ Digest) error {
			_, err := l.End(ctx, subject, Revoked, everything)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			inner := &store.Memory{}
			s := &hooked{Store: inner}
			digests := listedQuietly(t, s, 3)
			busy := digests[1].Key()
			s.before = func(ctx context.Context, op, key string) error {
				if raw, ok, _ := inner.Get(ctx, key); op == "swap" && key == busy && ok {
					inner.CompareAndSwap(ctx, key, raw, liveRecord(), time.Hour)
				}
				return nil
			}
			s.calls.Store(0)
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if err := end(quiet(s), digests[1]); err != nil {
				t.Fatal(err)
			}
			if n := alive(t, inner, digests[1:2]); n != 0 {
				t.Error("it is alive")
			}
			if n := s.calls.Load(); n > 30 {
				t.Errorf("%d calls of the store", n)
			}
		})
	}
}

// Logins that keep the list changing do not keep others alive.
func TestAListThatKeepsChangingDoesNotHoldOffLogoutEverywhere(t *testing.T) {
	inner := &store.Memory{}
	s := &hooked{Store: inner}
	digests := listedQuietly(t, s, 3)
	list := quiet(s).ListKey(subject)
	marks := 0
	s.before = func(ctx context.Context, op, key string) error {
		if op == "swap" && key == list && marks < 8 {
			marks++
			listedQuietly(t, &hooked{Store: inner}, 1)
		}
		return nil
	}
	if _, err := endAll(t, s); err != nil {
		t.Fatal(err)
	}
	if n := alive(t, inner, digests); n != 0 {
		t.Errorf("%d are alive", n)
	}
}

// A store that takes no swap and still deletes.
func TestEndingWorksOnAFullStore(t *testing.T) {
	s := &hooked{Store: &store.Memory{}}
	digests := listedQuietly(t, s, 20)
	s.before = func(_ context.Context, op, _ string) error {
		if op == "swap" {
			return errFull
		}
		return nil
	}
	if err := quiet(s).EndOne(t.Context(), subject, Session, digests[0], LoggedOut); err != nil {
		t.Error(err)
	}
	if ended, err := quiet(s).EndID(t.Context(), subject, Revoked, digests[1].LoginID()); err != nil || len(ended) != 1 {
		t.Error(ended, err)
	}
	if ended, err := endAll(t, s); err != nil || len(ended) != 18 {
		t.Error(len(ended), err)
	}
	if n := alive(t, s.Store, digests); n != 0 {
		t.Errorf("%d are alive", n)
	}
}

// Records that cannot be reached do not keep others alive, and the error is about
// them. Each login that was ended is reported once.
func TestLogoutEverywhereGoesOnPastErrors(t *testing.T) {
	for name, fault := range map[string]func(context.Context) error{
		"an error": func(context.Context) error { return errors.New("unreachable") },
		"silence":  func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				inner := &store.Memory{}
				s := &hooked{Store: inner}
				digests := listedQuietly(t, s, 100)
				lost := keys(digests[:10])
				s.before = func(ctx context.Context, _, key string) error {
					if slices.Contains(lost, key) {
						return fault(ctx)
					}
					return nil
				}
				for repeat := range 2 {
					ended, err := endAll(t, s)
					if want := []int{90, 0}[repeat]; err == nil || len(ended) != want {
						t.Errorf("%d ended, want %d: %v", len(ended), want, err)
					}
					if n := alive(t, inner, digests[10:]); n != 0 {
						t.Errorf("%d that can be reached are alive", n)
					}
				}
				s.before = nil
				if ended, err := endAll(t, s); err != nil || len(ended) != 10 {
					t.Errorf("%d ended: %v", len(ended), err)
				}
				if n := alive(t, inner, digests); n != 0 {
					t.Errorf("%d are alive", n)
				}
			})
		})
	}
}

// A third of all records cannot be reached, as after the failure of a node. Repeated
// calls end all others.
func TestRepeatedLogoutEverywhereGetsToAllThatCanBeReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		s := &hooked{Store: inner}
		digests := listedQuietly(t, s, 600)
		silent := keys(digests[:200])
		s.before = func(ctx context.Context, _, key string) error {
			if slices.Contains(silent, key) {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		calls := 0
		for alive(t, inner, digests[200:]) > 0 {
			if calls++; calls > 100 {
				t.Fatalf("after %d calls %d are alive", calls, alive(t, inner, digests[200:]))
			}
			endAll(t, s)
		}
		t.Logf("%d calls", calls)
	})
}

// Many logins on a slow store.
func TestLogoutEverywhereEndsManyOnASlowStore(t *testing.T) {
	for name, c := range map[string]struct {
		logins int
		each   time.Duration
		calls  int // at most
	}{
		"100 at 60 ms":   {100, 60 * time.Millisecond, 1},
		"1000 at 5 ms":   {1000, 5 * time.Millisecond, 1},
		"1000 at 60 ms":  {1000, 60 * time.Millisecond, 3},
		"1000 at 200 ms": {1000, 200 * time.Millisecond, 8},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &hooked{Store: &store.Memory{}}
				digests := listedQuietly(t, s, c.logins)
				s.before = slow(c.each)
				var reported int
				for calls := 1; ; calls++ {
					began, before := time.Now(), alive(t, s.Store, digests)
					ended, err := endAll(t, s)
					reported += len(ended)
					if took := time.Since(began); took > 5*time.Second {
						t.Errorf("took %v", took)
					}
					if err == nil {
						t.Logf("%d calls, the last took %v", calls, time.Since(began))
						break
					}
					if calls == c.calls || alive(t, s.Store, digests) >= before {
						t.Fatalf("call %d: %d of %d are alive: %v", calls, alive(t, s.Store, digests), before, err)
					}
				}
				if n := alive(t, s.Store, digests); n != 0 || reported != c.logins {
					t.Errorf("%d are alive, %d were reported", n, reported)
				}
				if left := quiet(s.Store).All(subject); len(left) != 0 {
					t.Errorf("%d entries are left", len(left))
				}
			})
		})
	}
}

// Logins that LogoutAll could not end do not slow down the next login, which ends
// some of them.
func TestABacklogDoesNotSlowDownTheNextLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := &store.Memory{}
		s := &hooked{Store: inner}
		digests := listedQuietly(t, s, 100)
		down := true
		records := keys(digests)
		s.before = func(ctx context.Context, _, key string) error {
			if down && slices.Contains(records, key) {
				<-ctx.Done()
				return ctx.Err()
			}
			return slow(60*time.Millisecond)(ctx, "", "")
		}
		if _, err := endAll(t, s); err == nil {
			t.Fatal("no error")
		}
		for _, down = range []bool{true, false} {
			before, began := alive(t, inner, digests), time.Now()
			d := newDigest()
			if _, err := s.CompareAndSwap(t.Context(), d.Key(), nil, liveRecord(), time.Hour); err != nil {
				t.Fatal(err)
			}
			if err := quiet(s).Add(t.Context(), subject, entry(d), nil); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("took %v", took)
			}
			if ended := before - alive(t, inner, digests); (ended > 0) == down {
				t.Errorf("has ended %d", ended)
			}
		}
	})
}

// A panic of the store becomes a panic of the caller, which may recover from it.
func TestAPanicOfTheStoreReachesTheCaller(t *testing.T) {
	s := &hooked{Store: &store.Memory{}}
	digests := listedQuietly(t, s, 5)
	s.before = func(_ context.Context, _, key string) error {
		if key == digests[3].Key() {
			panic("a defect")
		}
		return nil
	}
	defer func() {
		if p := recover(); p != "a defect" {
			t.Errorf("%v", p)
		}
		if n := alive(t, s.Store, slices.Delete(digests, 3, 4)); n != 0 {
			t.Errorf("%d others are alive", n)
		}
	}()
	endAll(t, s)
}

// Logins of one subject that come at once. All calls take the same time, so that
// without a queue one login of all succeeds at a time.
func TestLoginsAtOnceCostTheStoreFewCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		s := &hooked{Store: &store.Memory{}, before: slow(time.Millisecond)}
		l := quiet(s)
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				d := newDigest()
				err := l.Create(t.Context(), Session, func() (Digest, []byte, time.Duration) { return d, liveRecord(), time.Hour })
				if err == nil {
					err = l.Add(t.Context(), subject, entry(d), nil)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		t.Logf("%d calls", s.calls.Load())
		if calls := s.calls.Load(); calls > 5*n {
			t.Errorf("%d calls for %d logins", calls, n)
		}
		if left := l.All(subject); len(left) != n {
			t.Errorf("%d are listed", len(left))
		}
	})
}

// An eviction is reported when it is marked. The call that ends the login in the end
// does not report it again.
func TestALateEvictionIsReportedOnce(t *testing.T) {
	s := &hooked{Store: &store.Memory{}}
	digests := listedQuietly(t, s, 1)
	l := quiet(s)
	l.Bound = 1
	reported := 0
	l.Evicted = func(context.Context, string, Entry) { reported++ }
	s.before = func(_ context.Context, op, key string) error {
		if key == digests[0].Key() {
			return errors.New("unreachable")
		}
		return nil
	}
	d := newDigest()
	if err := l.Add(t.Context(), subject, entry(d), nil); err != nil {
		t.Fatal(err)
	}
	s.before = nil
	ended, err := l.End(t.Context(), subject, Revoked, everything)
	if err != nil || len(ended) != 0 || reported != 1 || alive(t, s, digests) != 0 {
		t.Errorf("%d ended, %d reported as evicted: %v", len(ended), reported, err)
	}
}
