package token_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

type outage struct {
	store.Store
	down bool
}

func (g *outage) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if g.down {
		return nil, false, errors.New("down")
	}
	return g.Store.Get(ctx, key)
}

// A logout that failed leaves the browser the cookies of former policies.
func TestALogoutThatFailedCanBeRepeatedWithFormerCookies(t *testing.T) {
	was, is := cookie.New("r").Domain("example.com"), cookie.New("r").Domain("app.example.com")
	g, keys := &outage{Store: &store.Memory{}}, cheapKeys(t)
	issuer := func(c1 cookie.Policy, former ...cookie.Policy) *token.Issuer {
		return newIssuer(t, func(c *token.IssuerConfig) {
			c.Store, c.Keys, c.Cookie, c.FormerCookies, c.AccessCookie = g, keys, c1, former, cookie.New("a")
		})
	}
	old, i := issuer(was), issuer(is, was)
	jar, _ := cookiejar.New(nil)
	u, _ := url.Parse("https://app.example.com/auth/x")
	send := func(handle func(http.ResponseWriter, *http.Request) error) error {
		r := httptest.NewRequest("POST", u.String(), nil)
		r.Header.Set(token.AttemptHeader, newAttempt())
		for _, c := range jar.Cookies(u) {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		err := handle(w, r)
		jar.SetCookies(u, w.Result().Cookies())
		return err
	}
	must(t, send(func(w http.ResponseWriter, r *http.Request) error { return old.Login(w, r, alice) }))
	g.down = true
	if err := send(i.Logout); err == nil || errors.Is(err, auth.ErrUnauthenticated) {
		t.Fatal(err)
	}
	g.down = false
	must(t, send(i.Logout))
	if list, err := i.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
		t.Errorf("after the logout %d logins are alive, %v", len(list), err)
	}
}

// A change of the refresh cookie alone.
func TestFormerCookiesNeedNoAccessCookie(t *testing.T) {
	was, is := cookie.New("r").Domain("example.com"), cookie.New("r").Domain("app.example.com")
	i := newIssuer(t, over(&store.Memory{}, cheapKeys(t)), func(c *token.IssuerConfig) {
		c.Cookie, c.FormerCookies = is, []cookie.Policy{was}
	})
	r := httptest.NewRequest("POST", "https://app.example.com/", nil)
	r.Header.Set(token.AttemptHeader, newAttempt())
	w := httptest.NewRecorder()
	must(t, i.Login(w, r, alice))
	if h := strings.Join(w.Header()["Set-Cookie"], "\n"); !strings.Contains(h, "Domain=example.com") {
		t.Errorf("the former cookie is not expired: %s", h)
	}
}

// A RevocationCheck refuses an acting token whose actor's own login has ended by a
// dropped secret, as the refresh does.
func TestALoginWithAnActorEndsWithTheSecretOfTheActor(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		i := newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.RevocationCheck = true })
		agent, err := i.Issue(t.Context(), auth.Identity{Subject: "agent"}) // secret 1
		must(t, err)
		time.Sleep(time.Second)
		must(t, keys.Rotate())
		acting, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", Actor: "agent", ActorLoginID: agent.LoginID}) // secret 2
		must(t, err)
		id, err := i.Verify(t.Context(), acting.AccessToken)
		must(t, err)
		ctx, stop := i.Watch(t.Context(), id.Identity())
		defer stop()
		_, err = keys.DropFormer(0)
		must(t, err)
		if _, err := i.Verify(t.Context(), agent.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("control: the agent's own token: %v", err)
		}
		if _, err := i.Verify(t.Context(), acting.AccessToken); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("the acting token is still accepted: %v", err)
		}
		time.Sleep(time.Minute)
		if ctx.Err() == nil {
			t.Error("the watched stream of the acting login goes on")
		}
		wants(t, i, acting.RefreshToken, refusedAs) // the refresh knows
	})(t)
}
