package conformance

import (
	"net/http"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// ASVS 5.0, 14.2.2: a browser keeps a page that says it may, and shows it
// to nobody who comes after.
func TestABrowserShowsNoUserThePageOfAnother(t *testing.T) {
	s := openHosts(t)
	logins := newSessions(t)
	guard := &middleware.Guard{Authenticator: logins}
	mux := http.NewServeMux()
	page := func(directive string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if directive != "" {
				w.Header().Set("Cache-Control", directive)
			}
			id, _ := auth.FromContext(r.Context())
			answer("text/html", "<!DOCTYPE html><p>hello, "+id.Subject+".</p>").ServeHTTP(w, r)
		})
	}
	mux.Handle("/private", guard.Optional(page("private, max-age=600")))
	mux.Handle("/public", guard.Optional(page("public, max-age=600")))
	mux.Handle("/plain", guard.Optional(page("")))
	mux.HandleFunc("POST /login", must(t, func(w http.ResponseWriter, r *http.Request) error {
		return logins.Login(w, r, auth.Identity{Subject: r.URL.RawQuery})
	}))
	mux.HandleFunc("POST /logout", must(t, func(w http.ResponseWriter, r *http.Request) error { return logins.Logout(w, r) }))
	mux.Handle("/", answer("text/html", "<!DOCTYPE html>home"))
	s.set(app, mux)

	b := newTab(t)
	b.visit(s.url(app, "/"))
	for _, subject := range []string{"", "alice", "bob", "", "alice"} {
		change := "/logout"
		if subject != "" {
			change = "/login?" + subject
		}
		if status := eval[int](b, `fetch("`+change+`", {method: "POST"}).then(r => r.status)`); status != 200 {
			t.Fatalf("%s: status %d", change, status)
		}
		for path, mayKeep := range map[string]bool{"/private": true, "/public": true, "/plain": false} {
			s.forget()
			want := "hello, " + subject + "."
			for range 2 {
				if got := eval[string](b, `fetch("`+path+`").then(r => r.text())`); !strings.Contains(got, want) {
					t.Errorf("%s: a script of %q gets %q", path, subject, got)
				}
				b.visit(s.url(app, path))
				b.shows(want)
			}
			// A page without a word is kept for as long as it seems to last: not at all.
			if n := len(s.requests(app, path)); mayKeep && n > 2 || n == 0 {
				t.Errorf("%s: %d requests of %q: this proves little", path, n, subject)
			}
		}
	}
}
