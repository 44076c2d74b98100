package conformance

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// forem#10169, zulip#10151 and code-dot-org#74198 in a real browser: a deploy changes the
// policy of the session cookie. Users log in once, and can log out, whether the deploy named
// the former policy at once or only after browsers had got both cookies.
func TestAChangedCookiePolicyLocksNobodyOutOfTheBrowser(t *testing.T) {
	s := openHosts(t)
	none := cookie.New("s").SameSiteNone()
	for what, policies := range map[string][2]cookie.Policy{
		"Domain to the parent": {cookie.New("s").Domain(app).SameSiteLax(), cookie.New("s").Domain("shop.test").SameSiteLax()},
		"Domain to the host":   {cookie.New("s").Domain("shop.test").SameSiteLax(), cookie.New("s").Domain(app).SameSiteLax()},
		"Domain to Path":       {cookie.New("s").Domain("shop.test").SameSiteLax(), cookie.New("s").Path("/in").SameSiteLax()},
		"Path to Domain":       {cookie.New("s").Path("/in").SameSiteLax(), cookie.New("s").Domain("shop.test").SameSiteLax()},
		"prefix":               {cookie.New("s").Domain("shop.test").SameSiteLax(), cookie.New("s").SameSiteLax()},
		"name":                 {cookie.New("old").SameSiteLax(), cookie.New("s").SameSiteLax()},
		"SameSite":             {none, cookie.New("s").SameSiteLax()},
		"Partitioned":          {none, none.Partitioned()},
	} {
		for _, both := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, both %t", what, both), func(t *testing.T) {
				memory := &store.Memory{}
				b := newTab(t)
				deploy := func(c session.Config) {
					c.Store = memory
					m, err := session.New(c)
					if err != nil {
						t.Fatal(err)
					}
					s.set(app, inAndOut(m))
				}
				at := func(path, text string) {
					t.Helper()
					b.visit(s.url(app, path))
					b.shows(text)
				}
				deploy(session.Config{Cookie: policies[0]})
				at("/in/", "logged out")
				b.click("#login")
				at("/in/me", "hello")
				if both {
					deploy(session.Config{Cookie: policies[1]})
					at("/in/", "logged out")
					b.click("#login")
				}
				deploy(session.Config{Cookie: policies[1], FormerCookies: policies[:1]})
				at("/in/", "logged out")
				b.click("#login")
				at("/in/me", "hello")
				if n := len(b.cookies(s.url(app, "/in/"))); n != 1 {
					t.Errorf("%d cookies after the login", n)
				}
				at("/in/", "logged out")
				b.click("#logout")
				at("/in/me", "Unauthorized")
				if n := len(b.cookies(s.url(app, "/in/"))); n != 0 {
					t.Errorf("%d cookies after the logout", n)
				}
			})
		}
	}
}

// inAndOut is an app with a form to log in and one to log out, under one path.
func inAndOut(m *session.Manager) http.Handler {
	mux := http.NewServeMux()
	then := func(do func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, r); err != nil {
				middleware.Deny(w, r, err)
				return
			}
			http.Redirect(w, r, "/in/", http.StatusSeeOther)
		}
	}
	mux.Handle("GET /in/", answer("text/html", `<!DOCTYPE html>logged out or in
		<form method="post" action="/in/login"><button id="login">log in</button></form>
		<form method="post" action="/in/logout"><button id="logout">log out</button></form>`))
	mux.Handle("POST /in/login", then(func(w http.ResponseWriter, r *http.Request) error {
		return m.Login(w, r, auth.Identity{Subject: "alice"})
	}))
	mux.Handle("POST /in/logout", then(m.Logout))
	guard := &middleware.Guard{Authenticator: m}
	mux.Handle("GET /in/me", guard.Require(answer("text/html", "<!DOCTYPE html>hello")))
	return mux
}
