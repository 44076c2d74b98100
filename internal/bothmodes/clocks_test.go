package bothmodes

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/token"
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
func (h *hosts) on(t *testing.T, skew time.Duration, do func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(20*365*day + h.real + skew)
		do(t)
	})
}

// client is one client of a mode. Its calls run on a host of its own each.
type client interface {
	login(t *testing.T, h *hosts)
	use(t *testing.T, h *hosts) (alive bool) // noted by the mode
}

// sessionClient uses its session by reading it.
type sessionClient struct{ cookie string }

func (c *sessionClient) login(t *testing.T, h *hosts) {
	w := httptest.NewRecorder()
	if err := openManager(t, h).Login(w, httptest.NewRequest("POST", "https://app.example/", nil), auth.Identity{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	c.cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
}

func (c *sessionClient) use(t *testing.T, h *hosts) bool {
	_, err := openManager(t, h).Authenticate(c.request())
	return err == nil
}

func (c *sessionClient) request() *http.Request {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("Cookie", c.cookie)
	return r
}

func openManager(t *testing.T, h *hosts) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{Store: h})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// updatingClient uses its session by changing it.
type updatingClient struct{ sessionClient }

func (c *updatingClient) use(t *testing.T, h *hosts) bool {
	m := openManager(t, h)
	s, err := m.Get(c.request())
	if err != nil {
		return false
	}
	const count = session.Key[int]("count")
	return m.Update(t.Context(), s, func(s *session.Session) error {
		n, err := count.Get(s)
		if err != nil {
			return err
		}
		return count.Set(s, n+1)
	}) == nil
}

// tokenClient uses its login by refreshing it.
type tokenClient struct {
	keys    *token.KeySet
	refresh string
}

func (c *tokenClient) issuer(t *testing.T, h *hosts) *token.Issuer {
	t.Helper()
	if c.keys == nil {
		keys, err := token.NewKeySet(token.HS256)
		if err != nil {
			t.Fatal(err)
		}
		c.keys = keys
	}
	i, err := token.NewIssuer(token.IssuerConfig{Keys: c.keys, Store: h, Issuer: "https://app.example", Audience: "api", ClientID: "native"})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (c *tokenClient) login(t *testing.T, h *hosts) {
	tokens, err := c.issuer(t, h).Issue(t.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	c.refresh = tokens.RefreshToken
}

func (c *tokenClient) use(t *testing.T, h *hosts) bool {
	tokens, err := c.issuer(t, h).Refresh(t.Context(), c.refresh, rand.Text())
	if err != nil {
		return false
	}
	c.refresh = tokens.RefreshToken
	return true
}

var clients = map[string]func() client{
	"session":           func() client { return &sessionClient{} },
	"session, updating": func() client { return &updatingClient{} },
	"token":             func() client { return &tokenClient{} },
}

// alive uses a login on a host.
func (h *hosts) alive(t *testing.T, c client, skew time.Duration) (alive bool) {
	t.Helper()
	h.on(t, skew, func(t *testing.T) { alive = c.use(t, h) })
	return alive
}

var clockErrors = []time.Duration{2 * time.Second, time.Minute, 30 * time.Minute, 9 * time.Hour, 30 * day, 10 * 365 * day}

// glassfish-grizzly#2175, spring-session#1001: the clock was ahead and was put right. From
// then on a login lasts as long as ever, neither shorter nor longer.
func TestAClockThatWasAheadAndIsRightAgain(t *testing.T) {
	for mode, newClient := range clients {
		for _, ahead := range clockErrors {
			for rule, faulty := range map[string]func(t *testing.T, c client, h *hosts){
				"at login": func(t *testing.T, c client, h *hosts) { c.login(t, h) },
				"at a use": func(t *testing.T, c client, h *hosts) { c.use(t, h) },
			} {
				t.Run(fmt.Sprintf("%s, %v %s", mode, ahead, rule), func(t *testing.T) {
					h, c := &hosts{}, newClient()
					h.on(t, 0, func(t *testing.T) { c.login(t, h) })
					h.real += 7 * time.Minute
					h.on(t, ahead, func(t *testing.T) { faulty(t, c, h) })
					endsAsEver(t, h, c)
				})
			}
		}
	}
}

// endsAsEver checks that a login is alive for its lifetime from now, if it is used, and for
// its idle timeout if it is not.
func endsAsEver(t *testing.T, h *hosts, c client) {
	t.Helper()
	if !h.alive(t, c, 0) {
		t.Fatal("ended by the correction")
	}
	idle := &hosts{real: h.real + time.Hour + time.Minute, records: maps.Clone(h.records)}
	if idle.alive(t, c, 0) {
		t.Error("alive after its idle timeout")
	}
	corrected := h.real
	for h.real < corrected+day-15*time.Minute {
		if h.real += 5 * time.Minute; !h.alive(t, c, 0) {
			t.Fatalf("ended %v after the correction, in use", h.real-corrected)
		}
	}
	h.real = corrected + day
	if h.alive(t, c, 0) {
		t.Error("alive after its lifetime")
	}
}

// One of several hosts has a clock that is behind. Where a login is used on all of them,
// it ends on those that are right as if that host did not exist, or earlier by the error
// of its clock if that is shorter than the idle timeout.
func TestOneHostWhoseClockIsBehindEndsNoLogin(t *testing.T) {
	for mode, newClient := range clients {
		for _, behind := range clockErrors {
			for seed := range uint64(8) {
				t.Run(fmt.Sprintf("%s, %v %d", mode, behind, seed), func(t *testing.T) {
					chance := mathrand.New(mathrand.NewPCG(1, seed))
					h, c := &hosts{}, newClient()
					h.on(t, 0, func(t *testing.T) { c.login(t, h) })
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
						if !h.alive(t, c, skew) {
							t.Fatalf("ended after %v, in use, clock %v", h.real, skew)
						}
					}
					h.real = day
					if h.alive(t, c, 0) {
						t.Error("alive after its lifetime")
					}
				})
			}
		}
	}
}

// Whatever the clocks of hosts do: on a host that is right, no login is alive a lifetime
// after it, or after its last use on a host whose clock was ahead, and none that was not
// used for the idle timeout and the minute that the store adds.
func TestNoClockErrorKeepsALoginAlive(t *testing.T) {
	for mode, newClient := range clients {
		for seed := range uint64(200) {
			chance := mathrand.New(mathrand.NewPCG(2, seed))
			h, c := &hosts{}, newClient()
			skew := func() time.Duration {
				d := clockErrors[chance.IntN(len(clockErrors))]
				return []time.Duration{0, 0, 0, d, -d}[chance.IntN(5)]
			}
			s := skew()
			h.on(t, s, func(t *testing.T) { c.login(t, h) })
			bound, used, history := day, time.Duration(0), fmt.Sprint(mode, ": login, clock ", s)
			for h.real < 4*day {
				h.real += []time.Duration{time.Second, 5 * time.Minute, 50 * time.Minute, 62 * time.Minute}[chance.IntN(4)]
				s := skew()
				alive := h.alive(t, c, s)
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
}
