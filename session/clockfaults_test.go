package session_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
)

// hosts are several hosts over one store, which has a clock of its own. Each call runs
// on a host whose clock may be wrong.
type hosts struct {
	real    time.Duration // since the first call
	mu      sync.Mutex
	records map[string]kept
}

type kept struct {
	value []byte
	until time.Duration
}

func (h *hosts) Get(_ context.Context, key string) ([]byte, bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r, ok := h.records[key]
	if !ok || r.until <= h.real {
		return nil, false, nil
	}
	return r.value, true, nil
}

func (h *hosts) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	now, ok, _ := h.Get(ctx, key)
	if ok != (old != nil) || !bytes.Equal(now, old) {
		return false, nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.records == nil {
		h.records = make(map[string]kept)
	}
	h.records[key] = kept{new, h.real + ttl}
	return true, nil
}

func (h *hosts) Delete(_ context.Context, key string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.records, key)
	return nil
}

// on calls do on a host whose clock is wrong by skew. A bubble starts in the year 2000,
// so the right time is 20 years later.
func (h *hosts) on(t *testing.T, skew time.Duration, do func(m *session.Manager)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(20*365*day + h.real + skew)
		do(newManager(t, session.Config{Store: h}))
	})
}

// alive reports whether a session is alive on a host.
func (h *hosts) alive(t *testing.T, b *browser, skew time.Duration) (alive bool) {
	t.Helper()
	h.on(t, skew, func(m *session.Manager) {
		_, err := b.authenticate(m)
		alive = err == nil
	})
	return alive
}

var clockErrors = []time.Duration{2 * time.Second, time.Minute, 30 * time.Minute, 9 * time.Hour, 30 * day, 10 * 365 * day}

// glassfish-grizzly#2175, spring-session#1001: the clock was ahead and was put right. From
// then on a session lasts as long as ever, neither shorter nor longer.
func TestAClockThatWasAheadAndIsRightAgain(t *testing.T) {
	for _, ahead := range clockErrors {
		for _, c := range []struct {
			rule   string
			faulty func(m *session.Manager, b *browser) error // fails where the session has ended, by that clock
		}{
			{"at login", func(m *session.Manager, b *browser) error { return b.login(m, "alice") }},
			{"when the session was used", func(m *session.Manager, b *browser) error { b.authenticate(m); return nil }},
			{"at an update", func(m *session.Manager, b *browser) error { b.add(m); return nil }},
		} {
			t.Run(fmt.Sprintf("%v %s", ahead, c.rule), func(t *testing.T) {
				h, b := &hosts{}, &browser{}
				h.on(t, 0, func(m *session.Manager) { check(t, b.login(m, "alice")) })
				h.real += 7 * time.Minute
				h.on(t, ahead, func(m *session.Manager) { check(t, c.faulty(m, b)) })
				idle := &hosts{real: h.real, records: maps.Clone(h.records)}
				corrected := h.real
				for ; h.real < corrected+day-10*time.Minute; h.real += 5 * time.Minute {
					if !h.alive(t, b, 0) {
						t.Fatalf("ended %v after the correction, in use", h.real-corrected)
					}
				}
				h.real = corrected + day
				if h.alive(t, b, 0) {
					t.Error("alive after its lifetime")
				}
				if !idle.alive(t, b, 0) {
					t.Error("ended by the correction")
				}
				idle.real += time.Hour
				if idle.alive(t, b, 0) {
					t.Error("alive after its idle timeout")
				}
			})
		}
	}
}

// One of several hosts has a clock that is behind. Where the session is used on all of
// them, it ends on those that are right as if that host did not exist, or earlier by the
// error of its clock if that is shorter than the idle timeout.
func TestOneHostWhoseClockIsBehindEndsNoSession(t *testing.T) {
	for _, behind := range clockErrors {
		for seed := range uint64(8) {
			t.Run(fmt.Sprint(behind, seed), func(t *testing.T) {
				chance := rand.New(rand.NewPCG(1, seed))
				h, b := &hosts{}, &browser{}
				h.on(t, 0, func(m *session.Manager) { check(t, b.login(m, "alice")) })
				shorter := behind
				if behind > time.Hour {
					shorter = 0
				}
				for h.real < day-shorter-10*time.Minute {
					h.real += time.Duration(1+chance.IntN(9)) * time.Minute
					skew := -behind
					if chance.IntN(3) > 0 {
						skew = 0
					}
					if !h.alive(t, b, skew) {
						t.Fatalf("ended after %v, in use", h.real)
					}
				}
				h.real = day
				if h.alive(t, b, 0) {
					t.Error("alive after its lifetime")
				}
			})
		}
	}
}

// Whatever the clocks of hosts do: on a host that is right, no session is alive a
// lifetime after its login, or after the last call on a host whose clock was ahead, and
// none that was not used for the idle timeout and the minute that the store adds.
func TestNoClockErrorKeepsASessionAlive(t *testing.T) {
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(2, seed))
		h, b := &hosts{}, &browser{}
		skew := func() time.Duration {
			d := clockErrors[chance.IntN(len(clockErrors))]
			return []time.Duration{0, 0, 0, d, -d}[chance.IntN(5)]
		}
		s := skew()
		h.on(t, s, func(m *session.Manager) { check(t, b.login(m, "alice")) })
		bound, used, history := day, time.Duration(0), fmt.Sprint("login ", s)
		for h.real < 4*day {
			h.real += []time.Duration{time.Second, 5 * time.Minute, 50 * time.Minute, 62 * time.Minute}[chance.IntN(4)]
			s := skew()
			alive := h.alive(t, b, s)
			history += fmt.Sprintf("; at %v, clock %v: %t", h.real, s, alive)
			if s == 0 && alive && (h.real >= bound || h.real >= used+time.Hour+time.Minute) {
				t.Fatalf("alive: %s", history)
			}
			if alive {
				used = h.real
			}
			if s > 0 {
				bound = h.real + day
			}
			if !alive && s == 0 {
				break
			}
		}
	}
}
