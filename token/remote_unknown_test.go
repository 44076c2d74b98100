package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// hourly is a host whose set is fetched no more by itself during a test.
func hourly(h *fakeHost) { h.control = "max-age=3600" }

// valbuild#590: a new kid, while a cache in between serves the old set for 20
// seconds more.
func TestNewKeyBehindAStaleCacheIsNever401(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		time.Sleep(time.Minute)
		next := newMinter(t)
		first, start := next.mint(claims()), time.Now()
		for time.Since(start) < time.Minute {
			if time.Since(start) >= 20*time.Second {
				h.set(func(h *fakeHost) { h.document = publishes(m, next) })
			}
			late := time.Since(start) > 30*time.Second
			for name, text := range map[string]string{"the first token": first, "a new token": next.mint(claims())} {
				_, err := v.Verify(t.Context(), text)
				if got := outcome(err); got != "ok" && (late || got != "unknown") {
					t.Errorf("%s after %v: %v", name, time.Since(start), err)
				}
			}
			if got := verdict(t, v, m); got != "ok" {
				t.Errorf("a token of the former key: %s", got)
			}
			time.Sleep(time.Second)
		}
		if h.count() > 2+3 {
			t.Errorf("%d fetches", h.count())
		}
	})
}

// agents-at-scale-ark#2568: a new kid right after a fetch.
func TestNewKeyRightAfterAFetchIsNever401(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		next := newMinter(t)
		h.set(func(h *fakeHost) { h.document = publishes(m, next) })
		if got := verdict(t, v, next); got != "unknown" {
			t.Error(got)
		}
		// The fetch happens without a further request.
		time.Sleep(10 * time.Second)
		synctest.Wait()
		h.set(func(h *fakeHost) { h.err = errors.New("no route") })
		if got := verdict(t, v, next); got != "ok" || h.count() != 2 {
			t.Errorf("%s after %d fetches", got, h.count())
		}
	})
}

// A cache that sends an Age may keep its copy for longer.
func TestAgeOfACopyIsCounted(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		time.Sleep(time.Minute)
		next, published := newMinter(t), time.Now()
		text := next.mint(claims())
		for time.Since(published) < 5*time.Minute {
			h.set(func(h *fakeHost) { h.age = time.Since(published) + time.Second })
			if _, err := v.Verify(t.Context(), text); outcome(err) != "unknown" {
				t.Fatalf("after %v: %v", time.Since(published), err)
			}
			time.Sleep(10 * time.Second)
		}
		h.set(func(h *fakeHost) { h.document, h.age = publishes(m, next), 0 })
		time.Sleep(10 * time.Second)
		if _, err := v.Verify(t.Context(), text); err != nil {
			t.Error(err)
		}
	})
}

// A made-up kid is refused once the set is newer than its token.
func TestKidThatANewerSetLacksIsRefused(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		text := newMinter(t).mint(claims())
		for _, c := range []struct {
			wait time.Duration
			want string
		}{{0, "unknown"}, {29 * time.Second, "unknown"}, {15 * time.Second, "bad"}, {time.Minute, "bad"}} {
			time.Sleep(c.wait)
			if _, err := v.Verify(t.Context(), text); outcome(err) != c.want {
				t.Errorf("after %v more: %v", c.wait, err)
			}
		}
	})
}

// One token without a signature that names tomorrow's kid must not keep
// tomorrow's tokens out.
func TestTomorrowsKidCannotBeBlindedToday(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		next := newMinter(t)
		forged := newMinter(t)
		forged.kid = next.kid
		for range 10 {
			time.Sleep(11 * time.Second)
			if got := verdict(t, v, forged); got == "ok" {
				t.Fatal(got)
			}
		}
		h.set(func(h *fakeHost) { h.document = publishes(m, next) })
		time.Sleep(10 * time.Second)
		if got := verdict(t, v, next); got != "ok" {
			t.Error(got)
		}
	})
}

// What no key could make valid is refused at once, and fetches nothing.
func TestTokensThatNoKeyCouldSaveFetchNothing(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		time.Sleep(time.Minute)
		now := time.Now().Unix()
		stranger := newMinter(t)
		for name, changes := range map[string]map[string]any{
			"no iat":            {"iat": nil},
			"no exp":            {"exp": nil},
			"iat is not a date": {"iat": "now"},
			"iat in the future": {"iat": now + 301},
			"expired":           {"iat": now - 1000, "exp": now - 301},
		} {
			if _, err := v.Verify(t.Context(), stranger.mint(with(changes))); outcome(err) != "bad" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if h.count() != 1 {
			t.Errorf("%d fetches", h.count())
		}
	})
}

// A flood of made-up kids neither makes many fetches nor keeps a new key out.
func TestFloodOfMadeUpKidsHidesNoNewKey(t *testing.T) {
	remote(t, hourly, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		verdict(t, v, m)
		ctx, stop := context.WithCancel(t.Context())
		var flood sync.WaitGroup
		for i := range 20 {
			flood.Go(func() {
				forged := newMinter(t)
				for n := 0; ctx.Err() == nil; n++ {
					forged.kid = fmt.Sprintf("kid-%d-%d", i, n)
					if got := verdict(t, v, forged); got == "ok" {
						t.Error(got)
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		time.Sleep(2 * time.Minute)
		next := newMinter(t)
		h.set(func(h *fakeHost) { h.document = publishes(m, next) })
		time.Sleep(11 * time.Second)
		if got := verdict(t, v, next); got != "ok" {
			t.Error(got)
		}
		stop()
		flood.Wait()
		if n := h.count(); n < 10 || n > 15 {
			t.Errorf("%d fetches in 131 seconds", n)
		}
	})
}

// supabase/auth#1724: an empty set for a moment.
func TestEmptySetIsAFailedFetch(t *testing.T) {
	for _, document := range []string{`{"keys":[]}`, `{"keys":[{"kty":"AKP","kid":"a"}]}`, `{"keys":[null]}`} {
		synctest.Test(t, func(t *testing.T) {
			m := newMinter(t)
			h := &fakeHost{document: publishes(m), control: "max-age=3600"}
			var faults atomic.Int32
			keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{Events: func(_ context.Context, e auth.Event) {
				if e.Kind == auth.EventFault && e.Reason == "keys not fetched" && strings.Contains(e.Err.Error(), "no key") {
					faults.Add(1)
				}
			}}, h)
			must(t, err)
			defer keys.Close()
			v := remoteVerifier(t, keys)
			if got := verdict(t, v, m); got != "ok" {
				t.Error(got)
			}
			next := newMinter(t)
			h.set(func(h *fakeHost) { h.document = document })
			time.Sleep(time.Hour)
			if got := verdict(t, v, m); got != "ok" || faults.Load() == 0 || verdict(t, v, next) != "unknown" {
				t.Errorf("a token of the former key: %s, %d events", got, faults.Load())
			}
			h.set(func(h *fakeHost) { h.document = publishes(next) })
			time.Sleep(time.Minute)
			if got := verdict(t, v, next); got != "ok" || verdict(t, v, m) == "ok" {
				t.Errorf("a token of the new key: %s", got)
			}
		})
	}
}

// supabase/auth#1724: an empty set at the first fetch is looked at again within
// seconds.
func TestEmptySetAtTheStartIsRetriedSoon(t *testing.T) {
	remote(t, func(h *fakeHost) { h.document, h.control = `{"keys":[]}`, "max-age=3600" }, func(t *testing.T, m *minter, h *fakeHost, keys *token.RemoteKeySet, v *token.Verifier) {
		if got := verdict(t, v, m); got != "unknown" || keys.Ready() == nil {
			t.Error(got)
		}
		h.set(func(h *fakeHost) { h.document = publishes(m) })
		time.Sleep(time.Second)
		synctest.Wait()
		if got := verdict(t, v, m); got != "ok" || h.count() != 2 {
			t.Errorf("%s after %d fetches", got, h.count())
		}
	})
}

// The same on a real server: the issuer rotates while requests go on, and the
// new key is met right after a fetch.
func TestRotationOverTheNetworkIsNever401(t *testing.T) {
	m, next := newMinter(t), newMinter(t)
	var document atomic.Pointer[string]
	publish := func(text string) { document.Store(&text) }
	publish(publishes(m))
	var fetches atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fetches.Add(1)
		w.Header().Set("Cache-Control", "max-age=3600")
		w.Write([]byte(*document.Load()))
	}))
	defer server.Close()
	keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
	must(t, err)
	defer keys.Close()
	v := remoteVerifier(t, keys)
	if got := verdict(t, v, m); got != "ok" {
		t.Fatal(got)
	}
	publish(publishes(m, next))
	text, got := next.mint(claims()), ""
	for got != "ok" {
		_, err := v.Verify(t.Context(), text)
		if got = outcome(err); got == "bad" {
			t.Fatal(err)
		}
		if old := verdict(t, v, m); old != "ok" {
			t.Fatal(old)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if fetches.Load() != 2 {
		t.Errorf("%d fetches", fetches.Load())
	}
}

// An unknown kid that may be new is a 503 with Retry-After. An attacker can make up such
// a token, so it is not reported as a fault.
func TestUnknownKidThatMayBeNewIsServedAs503(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{}, serving(publishes(m)))
		must(t, err)
		defer keys.Close()
		var received []auth.Event
		v, err := token.NewVerifier(token.VerifierConfig{
			Keys: keys, Issuer: issuerName, Audience: audienceName,
			Events: func(_ context.Context, e auth.Event) { received = append(received, e) },
		})
		must(t, err)
		guard := &middleware.Guard{Authenticator: v}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+newMinter(t).mint(claims()))
		w := httptest.NewRecorder()
		guard.Require(http.NotFoundHandler()).ServeHTTP(w, r)
		if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || w.Header().Get("WWW-Authenticate") != "" {
			t.Errorf("%d, %v", w.Code, w.Header())
		}
		if len(received) != 1 || received[0].Kind != auth.EventRejected || received[0].Reason != "unknown key" {
			t.Errorf("%+v", received)
		}
	})
}
