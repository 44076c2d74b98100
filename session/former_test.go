package session_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// jarred is a browser that scopes its cookies as browsers do.
type jarred struct {
	jar *cookiejar.Jar
	url *url.URL
}

func newJarred(t *testing.T, address string) *jarred {
	jar, err := cookiejar.New(nil)
	check(t, err)
	u, err := url.Parse(address)
	check(t, err)
	return &jarred{jar, u}
}

// send lets handle respond to a request, and keeps the cookies of the response.
func (j *jarred) send(method string, handle http.HandlerFunc) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, j.url.String(), nil)
	for _, c := range j.jar.Cookies(j.url) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	handle(w, r)
	j.jar.SetCookies(j.url, w.Result().Cookies())
	return w
}

func (j *jarred) sent() int { return len(j.jar.Cookies(j.url)) }

func (j *jarred) login(m *session.Manager, id auth.Identity) error {
	var err error
	j.send("POST", func(w http.ResponseWriter, r *http.Request) { err = m.Login(w, r, id) })
	return err
}

func (j *jarred) logout(m *session.Manager) error {
	var err error
	j.send("POST", func(w http.ResponseWriter, r *http.Request) { err = m.Logout(w, r) })
	return err
}

// visit returns the status of a page behind a guard.
func (j *jarred) visit(m *session.Manager) int {
	guard := &middleware.Guard{Authenticator: m}
	return j.send("GET", guard.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})).ServeHTTP).Code
}

// deploys are changes of a cookie's policy.
var deploys = map[string][2]cookie.Policy{
	"Domain to the parent":    {cookie.New("s").Domain("app.example.com"), cookie.New("s").Domain("example.com")},
	"Domain to the host":      {cookie.New("s").Domain("example.com"), cookie.New("s").Domain("app.example.com")},
	"Domain to Path":          {cookie.New("s").Domain("example.com"), cookie.New("s").Path("/shop")},
	"Path to Domain":          {cookie.New("s").Path("/shop"), cookie.New("s").Domain("example.com")},
	"a longer Path":           {cookie.New("s").Domain("example.com"), cookie.New("s").Domain("example.com").Path("/shop")},
	"Domain to __Host-":       {cookie.New("s").Domain("example.com"), cookie.New("s")},
	"__Host- to Domain":       {cookie.New("s"), cookie.New("s").Domain("example.com")},
	"the name":                {cookie.New("old"), cookie.New("s")},
	"SameSite":                {cookie.New("s").SameSiteNone(), cookie.New("s").SameSiteLax()},
	"the prefix":              {cookie.New("s").InsecureAnywhere(), cookie.New("s")},
	"Domain without a prefix": {cookie.New("s").InsecureAnywhere(), cookie.New("s").InsecureAnywhere().Domain("example.com")},
}

// forem#10169, flask#5464, zulip#10151: a deploy changes the cookie's policy. Users log in
// once, whether the session of the old cookie is alive or has ended, and can log out.
func TestAChangedCookiePolicyLocksNobodyOut(t *testing.T) {
	remembered := auth.Identity{Subject: "alice", Expires: time.Now().Add(20 * day)}
	for what, policies := range deploys {
		for _, ended := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, ended %t", what, ended), func(t *testing.T) {
				s := &store.Memory{}
				before := newManager(t, session.Config{Store: s, Cookie: policies[0]})
				after := newManager(t, session.Config{Store: s, Cookie: policies[1], FormerCookies: policies[:1]})
				j := newJarred(t, "https://app.example.com/shop/")
				check(t, j.login(before, remembered))
				if ended {
					check(t, before.LogoutAll(t.Context(), "alice"))
				}
				j.visit(after)
				check(t, j.login(after, remembered))
				if code := j.visit(after); code != 200 || j.sent() != 1 {
					t.Errorf("after the first login: %d, %d cookies", code, j.sent())
				}
				check(t, j.logout(after))
				if code := j.visit(after); code != 401 || j.sent() != 0 {
					t.Errorf("after the logout: %d, %d cookies", code, j.sent())
				}
			})
		}
	}
}

// The deploy came first, and FormerCookies after users could not log in: browsers send
// both cookies. One refused request, login or logout mends it.
func TestABrowserThatSendsBothCookiesIsNotLockedOut(t *testing.T) {
	for what, policies := range deploys {
		t.Run(what, func(t *testing.T) {
			s := &store.Memory{}
			before := newManager(t, session.Config{Store: s, Cookie: policies[0]})
			broken := newManager(t, session.Config{Store: s, Cookie: policies[1]})
			after := newManager(t, session.Config{Store: s, Cookie: policies[1], FormerCookies: policies[:1]})
			both := func() *jarred {
				check(t, after.LogoutAll(t.Context(), "alice"))
				j := newJarred(t, "https://app.example.com/shop/")
				check(t, j.login(before, alice))
				check(t, j.login(broken, alice))
				return j
			}
			j := both()
			check(t, j.login(after, alice))
			if code := j.visit(after); code != 200 || j.sent() != 1 {
				t.Errorf("login: %d, %d cookies", code, j.sent())
			}
			if list, err := after.Logins(t.Context(), "alice"); err != nil || policies[0].Name() == policies[1].Name() && len(list) != 1 {
				t.Errorf("after the login %d are alive, %v", len(list), err)
			}
			j = both()
			doubled := j.sent() > 1 && policies[0].Name() == policies[1].Name()
			if code := j.visit(after); doubled && (code != 401 || j.sent() != 0) {
				t.Errorf("refused: %d, %d cookies", code, j.sent())
			}
			j = both()
			check(t, j.logout(after))
			if code := j.visit(after); code != 401 || j.sent() != 0 {
				t.Errorf("logout: %d, %d cookies", code, j.sent())
			}
			if list, err := after.Logins(t.Context(), "alice"); err != nil || doubled && len(list) != 0 {
				t.Errorf("after the logout %d are alive, %v", len(list), err)
			}
		})
	}
}

// A sibling domain plants the cookie of its own session beside the owner's, whose session
// is alive or has ended, in either order. Its session is never accepted, and neither is left
// alone in the browser.
func TestOfSeveralCookiesNoneIsAccepted(t *testing.T) {
	old, new := cookie.New("s").Domain("example.com"), cookie.New("s").Domain("app.example.com")
	m := newManager(t, session.Config{Cookie: new, FormerCookies: []cookie.Policy{old, cookie.New("s").Path("/a")}})
	for range 2 {
		victim, attacker := tokenOf(t, m, "alice"), tokenOf(t, m, "mallory")
		for _, ended := range []bool{false, true} {
			if ended {
				check(t, m.LogoutAll(t.Context(), "alice"))
			}
			for _, value := range []string{victim + ";" + attacker, attacker + ";" + victim, attacker + ";" + attacker, attacker + ";" + attacker + ";" + victim} {
				r := httptest.NewRequest("GET", "https://app.example.com/", nil)
				r.Header.Set("Cookie", "__Secure-s="+strings.ReplaceAll(value, ";", "; __Secure-s="))
				id, err := m.Authenticate(r)
				if outcome(err) != invalid || id.Subject != "" {
					t.Fatalf("%+v, %v", id, err)
				}
				h := make(http.Header)
				m.Challenge(h, r, err)
				deleted := strings.Join(h["Set-Cookie"], "\n")
				if strings.Count(deleted, "Max-Age=0") != 3 || !strings.Contains(deleted, "Domain=example.com") || !strings.Contains(deleted, "Domain=app.example.com") {
					t.Errorf("the challenge deletes %q", deleted)
				}
			}
		}
	}
	// More cookies than policies is nothing that policies explain.
	r := httptest.NewRequest("POST", "https://app.example.com/", nil)
	r.Header.Set("Cookie", strings.Repeat("__Secure-s="+tokenOf(t, m, "alice")+"; ", 4))
	w := httptest.NewRecorder()
	if err := m.Logout(w, r); outcome(err) != invalid {
		t.Errorf("a logout with four cookies: %v", err)
	}
}

// tokenOf returns the token of a new login.
func tokenOf(t *testing.T, m *session.Manager, subject string) string {
	w := httptest.NewRecorder()
	check(t, m.Login(w, httptest.NewRequest("POST", "https://app.example.com/", nil), auth.Identity{Subject: subject}))
	for _, c := range w.Result().Cookies() {
		if c.MaxAge >= 0 {
			return c.Value
		}
	}
	t.Fatal("no cookie")
	return ""
}

// A logout that the store cannot answer keeps the cookies that it could not end.
func TestALogoutOfBothCookiesCanBeRepeated(t *testing.T) {
	down := false
	s := &hooked{&store.Memory{}, func(context.Context, bool, string) error {
		if down {
			return errDown
		}
		return nil
	}}
	old, new := cookie.New("s").Domain("example.com"), cookie.New("s").Domain("app.example.com")
	m := newManager(t, session.Config{Store: s, Cookie: new, FormerCookies: []cookie.Policy{old}})
	r := httptest.NewRequest("POST", "https://app.example.com/", nil)
	r.Header.Set("Cookie", "__Secure-s="+tokenOf(t, m, "alice")+"; __Secure-s="+tokenOf(t, m, "alice"))
	down = true
	w := httptest.NewRecorder()
	if err := m.Logout(w, r); !errors.Is(err, errDown) {
		t.Errorf("%v", err)
	}
	down = false
	check(t, m.Logout(httptest.NewRecorder(), r))
	if list, err := m.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
		t.Errorf("%d logins, %v", len(list), err)
	}
}

// Former policies that contradict the current one, or each other, are refused by name.
func TestFormerPoliciesThatContradictAreRefused(t *testing.T) {
	s := cookie.New("s")
	for what, c := range map[string]session.Config{
		"the current one":     {Cookie: s, FormerCookies: []cookie.Policy{s}},
		"the default":         {FormerCookies: []cookie.Policy{cookie.Session()}},
		"twice":               {FormerCookies: []cookie.Policy{s.Path("/a"), s, s.Path("/a")}},
		"not usable":          {FormerCookies: []cookie.Policy{{}}},
		"contradicts itself":  {FormerCookies: []cookie.Policy{s.Domain("a.example").Domain("b.example")}},
		"partitioned, no way": {FormerCookies: []cookie.Policy{s.Partitioned()}},
	} {
		c.Store = &store.Memory{}
		if _, err := session.New(c); err == nil || !strings.HasPrefix(err.Error(), "session: Config.FormerCookies: ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}
