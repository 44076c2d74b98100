package bothmodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// watchedMode is one process of an application in one of the modes.
type watchedMode interface {
	Authenticate(*http.Request) (auth.Identity, error)
	Watch(context.Context, auth.Identity) (context.Context, context.CancelFunc)
	Login(http.ResponseWriter, *http.Request, auth.Identity) error
	Logout(http.ResponseWriter, *http.Request) error
	LogoutOne(ctx context.Context, subject, loginID string) error
	LogoutAll(ctx context.Context, subject string, keep ...string) error
}

// processes returns what opens the processes of an application over one store.
func processes(t *testing.T, mode string, s store.Store, maxLogins int, events func(context.Context, auth.Event)) func() watchedMode {
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	return func() watchedMode {
		var m watchedMode
		if mode == "session" {
			m, err = session.New(session.Config{Store: s, Limits: auth.Limits{MaxLogins: maxLogins}, Events: events})
		} else {
			m, err = token.NewIssuer(token.IssuerConfig{
				Keys: keys, Store: s, Issuer: "https://app.example", Audience: "api", ClientID: "web", Events: events,
				Limits: auth.Limits{MaxLogins: maxLogins, IdleTimeout: time.Hour, Lifetime: 24 * time.Hour}, RevocationCheck: mode == "token with a check",
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
}

// visitor is a browser of that application.
type visitor struct{ cookie, bearer string }

func (v *visitor) request(method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil)
	r.Header.Set("Refresh-Attempt", strings.Repeat("a", 22))
	if v.cookie != "" {
		r.Header.Set("Cookie", v.cookie)
	}
	if v.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+v.bearer)
	}
	return r
}

func (v *visitor) obey(w *httptest.ResponseRecorder) {
	for _, c := range w.Result().Cookies() {
		v.cookie = c.Name + "=" + c.Value
	}
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(w.Body.Bytes(), &body) == nil {
		v.bearer = body.AccessToken
	}
}

func (v *visitor) login(t *testing.T, m watchedMode) {
	t.Helper()
	w, r := httptest.NewRecorder(), v.request("POST")
	if err := m.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	v.obey(w)
}

// watch authenticates a request of the visitor, and watches its login.
func (v *visitor) watch(t *testing.T, m watchedMode) (context.Context, auth.Identity) {
	t.Helper()
	id, err := m.Authenticate(v.request("GET"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := m.Watch(t.Context(), id)
	t.Cleanup(cancel)
	return ctx, id
}

func inEachMode(t *testing.T, f func(t *testing.T, mode string)) {
	for _, mode := range []string{"session", "token", "token with a check"} {
		t.Run(mode, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { f(t, mode) }) })
	}
}

// seenElsewhere is how late another process may see that a login has ended.
const seenElsewhere = 5500 * time.Millisecond

// ASVS 5.0, 7.4.1, 7.4.2 and 7.4.3.
// A stream of events or a WebSocket ends with the login, in the process that ends the
// login at once, and in others within seconds (spring-session#44, ws#1653, klangk#3152,
// t3code#8418).
func TestWatchEndsWithTheLogin(t *testing.T) {
	for end, do := range map[string]func(t *testing.T, m watchedMode, v *visitor, id auth.Identity) error{
		"logged out": func(t *testing.T, m watchedMode, v *visitor, _ auth.Identity) error {
			return m.Logout(httptest.NewRecorder(), v.request("POST"))
		},
		"revoked": func(t *testing.T, m watchedMode, _ *visitor, id auth.Identity) error {
			return m.LogoutOne(t.Context(), "alice", id.LoginID)
		},
		"revoked ": func(t *testing.T, m watchedMode, _ *visitor, _ auth.Identity) error {
			return m.LogoutAll(t.Context(), "alice")
		},
		"replaced": func(t *testing.T, m watchedMode, v *visitor, _ auth.Identity) error {
			v.login(t, m)
			return nil
		},
		"evicted": func(t *testing.T, m watchedMode, _ *visitor, _ auth.Identity) error {
			for range 3 {
				time.Sleep(time.Second)
				(&visitor{}).login(t, m)
			}
			return nil
		},
	} {
		t.Run(end, func(t *testing.T) {
			inEachMode(t, func(t *testing.T, mode string) {
				open := processes(t, mode, &store.Memory{}, 3, nil)
				here, there := open(), open()
				v := &visitor{}
				v.login(t, here)
				near, id := v.watch(t, here)
				far, _ := v.watch(t, there)
				other := &visitor{}
				if end == "logged out" || end == "replaced" {
					other.login(t, here)
					defer func(ctx context.Context) {
						if time.Sleep(time.Minute); ctx.Err() != nil {
							t.Error("another login ends with it: ", context.Cause(ctx))
						}
					}(first(other.watch(t, there)))
				}
				time.Sleep(time.Minute)
				if near.Err() != nil || far.Err() != nil {
					t.Fatal(context.Cause(near), context.Cause(far))
				}
				if err := do(t, here, v, id); err != nil {
					t.Fatal(err)
				}
				if near.Err() == nil {
					t.Error("not at once in the same process")
				}
				began := time.Now()
				<-near.Done()
				if <-far.Done(); time.Since(began) > seenElsewhere {
					t.Errorf("elsewhere after %v", time.Since(began))
				}
				for _, ctx := range []context.Context{near, far} {
					if err := context.Cause(ctx); !errors.Is(err, auth.ErrUnauthenticated) || !strings.HasSuffix(err.Error(), strings.TrimSpace(end)) {
						t.Error("the cause is ", err)
					}
				}
			})
		})
	}
}

func first[A, B any](a A, _ B) A { return a }

// An impersonation ends with the login of its actor.
func TestWatchEndsWithTheLoginOfTheActor(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		open := processes(t, mode, &store.Memory{}, 0, nil)
		here, there := open(), open()
		admin, v := &visitor{}, &visitor{}
		admin.login(t, here)
		_, own := admin.watch(t, here)
		w := httptest.NewRecorder()
		if err := here.Login(w, v.request("POST"), auth.Identity{Subject: "bob", Actor: "alice", ActorLoginID: own.LoginID}); err != nil {
			t.Fatal(err)
		}
		v.obey(w)
		ctx, _ := v.watch(t, there)
		time.Sleep(time.Minute)
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		if err := here.LogoutOne(t.Context(), "alice", own.LoginID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(seenElsewhere)
		synctest.Wait()
		if err := context.Cause(ctx); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error("the cause is ", err)
		}
	})
}

// Looking is no use: the session ends when its idle timeout is over. A use, or a refresh,
// in another process keeps it.
func TestWatchEndsByTheIdleTimeout(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		open := processes(t, mode, &store.Memory{}, 0, nil)
		here, there := open(), open()
		v := &visitor{}
		v.login(t, here)
		ctx, _ := v.watch(t, here)
		began := time.Now()
		for range 4 {
			time.Sleep(30 * time.Minute)
			switch there := there.(type) {
			case *session.Manager:
				if _, err := there.Authenticate(v.request("GET")); err != nil {
					t.Fatal(err)
				}
			case *token.Issuer:
				w := httptest.NewRecorder()
				if there.RefreshHandler().ServeHTTP(w, v.request("POST")); w.Code != http.StatusOK {
					t.Fatal(w.Code, w.Body)
				}
				v.obey(w)
			}
		}
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		<-ctx.Done()
		if took := time.Since(began); took != 3*time.Hour {
			t.Errorf("ended after %v, want the idle timeout of an hour after the last use", took)
		}
		if err := context.Cause(ctx); !errors.Is(err, auth.ErrUnauthenticated) || !strings.HasSuffix(err.Error(), "expired") {
			t.Error("the cause is ", err)
		}
	})
}

// counted counts reads, and can be down.
type counted struct {
	store.Memory
	reads atomic.Int64
	down  atomic.Bool
}

func (c *counted) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.reads.Add(1)
	if c.down.Load() {
		return nil, false, errors.New("connection refused")
	}
	return c.Memory.Get(ctx, key)
}

// ASVS 5.0, 16.5.2.
func TestAnOutageEndsNoWatchAndIsOneEvent(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		s := &counted{}
		var mu sync.Mutex
		var heard []string
		m := processes(t, mode, s, 0, func(_ context.Context, e auth.Event) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, fmt.Sprintln(e.Source, e.Kind, len(e.LoginID), e.Err))
		})()
		v := &visitor{}
		v.login(t, m)
		began := time.Now()
		ctx, _ := v.watch(t, m)
		time.Sleep(seenElsewhere) // a token's login has been read
		synctest.Wait()
		heard = nil
		s.down.Store(true)
		time.Sleep(4 * time.Hour)
		synctest.Wait()
		if ctx.Err() != nil {
			t.Fatal(context.Cause(ctx))
		}
		if len(heard) != 1 || !strings.HasPrefix(heard[0], strings.Fields(mode)[0]+" fault 22 ") || !strings.Contains(heard[0], "connection refused") {
			t.Errorf("events %q", heard)
		}
		if <-ctx.Done(); time.Since(began) != 24*time.Hour {
			t.Errorf("expired after %v", time.Since(began))
		}
	})
}

// Reads are those of logins, not of watches, once an interval, and none writes.
func TestWatchesCostOneReadOfEachLoginAnInterval(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		s := &counted{}
		m := processes(t, mode, s, 0, nil)()
		const visitors = 50
		for range visitors {
			v := &visitor{}
			v.login(t, m)
			for range 4 {
				v.watch(t, m)
			}
		}
		if n := runtime.NumGoroutine(); n > visitors {
			t.Errorf("%d goroutines", n)
		}
		s.reads.Store(0)
		time.Sleep(5 * time.Minute)
		if n := s.reads.Load(); n > 60*visitors || n < 54*visitors {
			t.Errorf("%d reads in 60 intervals of %d logins", n, visitors)
		}
	})
}

// nearby is a near cache that learns of changes at once.
type nearby struct {
	counted
	cached  atomic.Int64
	changed []func(key string)
}

func (n *nearby) GetCached(ctx context.Context, key string) ([]byte, bool, error) {
	n.cached.Add(1)
	return n.Memory.Get(ctx, key)
}

func (n *nearby) OnChange(f func(key string)) { n.changed = append(n.changed, f) }

func (n *nearby) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	swapped, err := n.counted.CompareAndSwap(ctx, key, old, new, ttl)
	for _, f := range n.changed {
		f(key)
	}
	return swapped, err
}

func TestANearCacheEndsWatchesAtOnceAndSavesReads(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		s := &nearby{}
		open := processes(t, mode, s, 0, nil)
		here, there := open(), open()
		var all []context.Context
		for range 20 {
			v := &visitor{}
			v.login(t, here)
			all = append(all, first(v.watch(t, there)))
		}
		time.Sleep(time.Second) // a token's first look is at once
		s.reads.Store(0)
		s.cached.Store(0)
		time.Sleep(time.Minute)
		if reads, cached := s.reads.Load(), int(s.cached.Load()); reads != 0 || cached < 10*len(all) || cached > 12*len(all) {
			t.Errorf("%d reads, %d of the near cache", reads, cached)
		}
		if err := here.LogoutAll(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // a look may have come a moment before
		synctest.Wait()
		for _, ctx := range all {
			if ctx.Err() == nil {
				t.Error("it goes on")
			}
		}
	})
}

// An identity of the other mode, or one that a handler has made, cannot be watched: the
// handler serves nothing, and tells nobody that a login has ended.
func TestWatchOfAnotherIdentityIsRefused(t *testing.T) {
	inEachMode(t, func(t *testing.T, mode string) {
		m := processes(t, mode, &store.Memory{}, 0, nil)()
		for _, credential := range []any{nil, "x", (*session.Session)(nil), (*token.Token)(nil)} {
			ctx, cancel := m.Watch(t.Context(), auth.Identity{Subject: "alice", LoginID: "x", Credential: credential})
			defer cancel()
			if err := context.Cause(ctx); err == nil || errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, context.Canceled) {
				t.Errorf("%T: the cause is %v", credential, err)
			}
		}
	})
}
