package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 7.5.3: a highly sensitive operation requires a recent second factor.
func TestStepUpNeedsTheFactorAndTheMoment(t *testing.T) {
	for _, test := range []struct {
		rule    string
		methods auth.Words
		age     time.Duration
		status  int
	}{
		{"a second factor just now passes", "pwd otp", 0, 200},
		{"a password just now does not", "pwd", 0, 401},
		{"a second factor long ago does not", "pwd otp", time.Hour, 401},
		{"an unknown way does not", "", 0, 401},
	} {
		t.Run(test.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				id := auth.Identity{Subject: "alice", Methods: test.methods, AuthTime: time.Now().Add(-test.age)}
				guard := &middleware.Guard{Authenticator: always(id, nil)}
				h := guard.RequireRecent(5 * time.Minute)(guard.RequireMethods("otp")(hello))
				if res := serve(h, get("/transfer")); res.StatusCode != test.status {
					t.Errorf("status %d, want %d", res.StatusCode, test.status)
				}
			})
		})
	}
}

// sameAgent is an application's rule: a login is valid only in the browser in which
// it began.
type sameAgent struct{ *session.Manager }

type agent struct{ Agent string }

func (s sameAgent) Authenticate(r *http.Request) (auth.Identity, error) {
	id, err := s.Manager.Authenticate(r)
	if err != nil {
		return auth.Identity{}, err
	}
	var began agent
	if err := id.Claims.Decode(&began); err != nil {
		return auth.Identity{}, err
	}
	if began.Agent != r.UserAgent() {
		return auth.Identity{}, fmt.Errorf("another browser: %w", auth.ErrUnauthenticated)
	}
	return id, nil
}

// ASVS 5.0, 8.2.4: an Authenticator that wraps another checks the context of the
// request at login and at each later request.
func TestARuleOfTheApplicationSeesEachRequest(t *testing.T) {
	logins, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.UserAgent(), "old") {
			middleware.Deny(w, r, auth.ErrForbidden)
			return
		}
		claims, err := auth.NewClaims(agent{r.UserAgent()})
		if err == nil {
			err = logins.Login(w, r, auth.Identity{Subject: "alice", Claims: claims})
		}
		if err != nil {
			t.Error(err)
		}
	})
	page := (&middleware.Guard{Authenticator: sameAgent{logins}}).Require(hello)
	by := func(h http.Handler, method, agent, cookie string) *http.Response {
		r := httptest.NewRequest(method, "/", nil)
		r.Header.Set("User-Agent", agent)
		r.Header.Set("Cookie", cookie)
		return serve(h, r)
	}
	if res := by(login, "POST", "old", ""); res.StatusCode != 403 || res.Header["Set-Cookie"] != nil {
		t.Errorf("a login that must be refused: status %d", res.StatusCode)
	}
	cookie, _, _ := strings.Cut(by(login, "POST", "a", "").Header.Get("Set-Cookie"), ";")
	for i, step := range []struct {
		agent  string
		status int
	}{{"a", 200}, {"a", 200}, {"b", 401}, {"", 401}, {"a", 200}} {
		if res := by(page, "GET", step.agent, cookie); res.StatusCode != step.status {
			t.Errorf("step %d: status %d, want %d", i, res.StatusCode, step.status)
		}
	}
}

// ASVS 5.0, 4.2.5: no requested URL makes the Location too long for browsers.
func TestNoLocationIsTooLong(t *testing.T) {
	for _, long := range []string{
		"/" + strings.Repeat("a", 1<<20), "/?q=" + strings.Repeat("a", 1<<20), "/" + strings.Repeat("%C3%A9", 400),
		"/?q=" + strings.Repeat("%", 2000), "/?q=" + strings.Repeat("&", 2044), "/" + strings.Repeat("a", 2047),
	} {
		r := get("/")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		r.RequestURI = long
		w := httptest.NewRecorder()
		refuse(t, w, r, auth.ErrNoCredential, "/login")
		if got := w.Header().Get("Location"); w.Code != 303 || !strings.HasPrefix(got, "/login") || len(got) > 3*2048+20 {
			t.Errorf("%.20s: status %d, a Location of %d bytes", long, w.Code, len(got))
		}
	}
}
