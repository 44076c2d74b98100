package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 7.4.1 and 7.4.2.
// Over each backend: a logout and a LogoutAll in one process end the watches of another,
// in both modes, and no watch of another login. It prints how long that took.
func TestWatchEndsInAnotherProcessOverEachBackend(t *testing.T) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	var table strings.Builder
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			open := backend.start(t)
			here, there := openProcess(t, open(t), keys), openProcess(t, open(t), keys)
			stays := there.watchSession(t, here.logIn(t, "bob"))
			alice := here.logIn(t, "alice")
			watched := there.watchSession(t, alice)
			goesOn(t, watched)
			if err := alice.logout(t.Context(), here.sessions); err != nil {
				t.Fatal(err)
			}
			took := untilEnded(t, watched)
			fmt.Fprintf(&table, "\n%-26s logout %v", backend.name, took.Round(time.Millisecond))

			tokens, err := here.issuer.Issue(t.Context(), auth.Identity{Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			cookie := there.watchSession(t, here.logIn(t, "alice"))
			bearer := there.watchToken(t, tokens.AccessToken)
			goesOn(t, cookie)
			goesOn(t, bearer)
			if err := here.issuer.LogoutAll(t.Context(), "alice"); err != nil {
				t.Fatal(err)
			}
			took = untilEnded(t, cookie) + untilEnded(t, bearer)
			fmt.Fprintf(&table, ", LogoutAll of both modes %v", took.Round(time.Millisecond))
			goesOn(t, stays)
		})
	}
	t.Log(table.String())
}

// process is one process of an application with both modes.
type process struct {
	sessions *session.Manager
	issuer   *token.Issuer
}

func openProcess(t *testing.T, s store.Store, keys *token.KeySet) *process {
	t.Helper()
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, Issuer: "https://app.example", Audience: "api", ClientID: "web",
	})
	if err != nil {
		t.Fatal(err)
	}
	return &process{newManager(t, s), issuer}
}

func (p *process) logIn(t *testing.T, subject string) *client {
	t.Helper()
	c := &client{}
	if err := c.login(t.Context(), p.sessions, subject); err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *process) watchSession(t *testing.T, c *client) context.Context {
	t.Helper()
	id, err := p.sessions.Authenticate(c.request(t.Context(), "GET"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := p.sessions.Watch(t.Context(), id)
	t.Cleanup(stop)
	return ctx
}

func (p *process) watchToken(t *testing.T, accessToken string) context.Context {
	t.Helper()
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("Authorization", "Bearer "+accessToken)
	id, err := p.issuer.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := p.issuer.Watch(t.Context(), id)
	t.Cleanup(stop)
	return ctx
}

func goesOn(t *testing.T, ctx context.Context) {
	t.Helper()
	if ctx.Err() != nil {
		t.Error("it has ended: ", context.Cause(ctx))
	}
}

// untilEnded returns how long it takes until the watch has ended, by its login.
func untilEnded(t *testing.T, ctx context.Context) time.Duration {
	t.Helper()
	start := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(hang):
		t.Fatal("it goes on")
	}
	if !errors.Is(context.Cause(ctx), auth.ErrUnauthenticated) {
		t.Error("the cause is ", context.Cause(ctx))
	}
	return time.Since(start)
}

func TestNearCacheReportsChangesOfOthers(t *testing.T) {
	for name, url := range map[string]string{
		"one server": servers.Redis(t).URL(),
		"a Cluster":  servers.RedisCluster(t)[0].URL(),
	} {
		t.Run(name, func(t *testing.T) {
			var s store.Store = openNear(t, url)
			here, there := s.(store.Notifying), openRedis(t, url)
			changed := make(chan string, 100)
			here.OnChange(func(key string) { changed <- key })
			for n := range 20 {
				key, one, other := fmt.Sprint("key", n), []byte{1}, []byte{2}
				if _, err := there.CompareAndSwap(t.Context(), key, nil, one, time.Minute); err != nil {
					t.Fatal(err)
				}
				if _, _, err := here.GetCached(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				if n%2 == 0 {
					_, err := there.CompareAndSwap(t.Context(), key, one, other, time.Minute)
					if err != nil {
						t.Fatal(err)
					}
				} else if err := there.Delete(t.Context(), key); err != nil {
					t.Fatal(err)
				}
				for got := ""; got != key; {
					select {
					case got = <-changed:
					case <-time.After(hang):
						t.Fatalf("no change of %s is reported", key)
					}
				}
				if value, _, err := here.GetCached(t.Context(), key); err != nil || n%2 == 0 && value[0] != 2 || n%2 == 1 && value != nil {
					t.Error("the old value after the report: ", value, err)
				}
			}
		})
	}
}
