package conformance

import (
	"net/http"
	"slices"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// must answers 500 for an error and reports it.
func must(t *testing.T, handle func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := handle(w, r); err != nil {
			t.Errorf("%s: %v", r.URL.Path, err)
			w.WriteHeader(http.StatusInternalServerError)
		}
	}
}

func newSessions(t *testing.T) *session.Manager {
	t.Helper()
	logins, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	return logins
}

// openClearing is an app with a logout that clears and one that does not, and
// a sibling with a cookie of its own and one for the whole site.
func openClearing(t *testing.T) *hosts {
	t.Helper()
	s := openHosts(t)
	logins := newSessions(t)
	language := cookie.Preference("language")
	mux := http.NewServeMux()
	mux.Handle("GET /", answer("text/html", `<!DOCTYPE html>page`))
	mux.HandleFunc("GET /cached", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, max-age=3600")
		answer("text/plain", "cached").ServeHTTP(w, r)
	})
	mux.HandleFunc("POST /login", must(t, func(w http.ResponseWriter, r *http.Request) error {
		return logins.Login(w, r, auth.Identity{Subject: "alice"})
	}))
	mux.HandleFunc("POST /logout", must(t, func(w http.ResponseWriter, r *http.Request) error {
		return logins.Logout(w, r)
	}))
	mux.HandleFunc("POST /logout-and-clear", must(t, func(w http.ResponseWriter, r *http.Request) error {
		if err := logins.Logout(w, r); err != nil {
			return err
		}
		middleware.ClearSiteData(w.Header())
		return language.Set(w.Header(), r, "de")
	}))
	s.set(app, mux)
	s.set(sibling, must(t, func(w http.ResponseWriter, r *http.Request) error {
		if err := cookie.New("neighbour").Set(w.Header(), r, "v"); err != nil {
			return err
		}
		return cookie.New("shared").Domain("shop.test").Set(w.Header(), r, "v")
	}))
	return s
}

// cookieNames are what the browser has for a host, in order.
func (s *hosts) cookieNames(b tab, host string) (names []string) {
	for _, c := range b.cookies(s.url(host, "/")) {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return names
}

// kept is what the page finds of what it has kept: four kinds of storage.
const kept = `(async () => [
	localStorage.getItem("a") ?? "", sessionStorage.getItem("a") ?? "",
	(await indexedDB.databases()).map(d => d.name).join(), (await caches.keys()).join(),
])()`

// ASVS 5.0, 14.3.1: a logout that clears leaves nothing that pages have kept,
// and takes nothing of others.
func TestALogoutMayClearWhatTheBrowserKeeps(t *testing.T) {
	s := openClearing(t)
	for path, cleared := range map[string]bool{"/logout": false, "/logout-and-clear": true} {
		b := newTab(t)
		s.forget()
		b.visit(s.url(sibling, "/"))
		eval[bool](b, `localStorage.setItem("a", "sibling"), true`)
		b.visit(s.url(app, "/"))
		eval[int](b, `fetch("/login", {method: "POST"}).then(r => r.status)`)
		eval[bool](b, `(async () => {
			localStorage.setItem("a", "b")
			sessionStorage.setItem("a", "b")
			await new Promise(done => { indexedDB.open("a").onsuccess = e => { e.target.result.close(); done() } })
			await (await caches.open("a")).put("/page", new Response("b"))
			for (let i = 0; i < 2; i++) await (await fetch("/cached")).text()
			return true
		})()`)
		if got := eval[[]string](b, kept); !slices.Equal(got, []string{"b", "b", "a", "a"}) {
			t.Fatalf("before logout the page keeps %q", got)
		}
		if n := len(s.requests(app, "/cached")); n != 1 {
			t.Fatalf("the browser does not cache: %d requests", n)
		}
		before := []string{cookieName, "__Secure-shared"}
		if got := s.cookieNames(b, app); !slices.Equal(got, before) {
			t.Fatalf("before logout there are %q", got)
		}

		if status := eval[int](b, `fetch("`+path+`", {method: "POST"}).then(r => r.status)`); status != 200 {
			t.Fatalf("%s: status %d", path, status)
		}
		b.visit(s.url(app, "/"))
		wantKept, wantRequests, wantCookies := []string{"b", "b", "a", "a"}, 1, []string{"__Secure-shared"}
		if cleared {
			wantKept, wantRequests = []string{"", "", "", ""}, 2
			wantCookies = []string{"__Host-language", "__Secure-shared"} // what the same response sets
		}
		if got := eval[[]string](b, kept); !slices.Equal(got, wantKept) {
			t.Errorf("after %s the page keeps %q, want %q", path, got, wantKept)
		}
		eval[string](b, `fetch("/cached").then(r => r.text())`)
		if n := len(s.requests(app, "/cached")); n != wantRequests {
			t.Errorf("after %s: %d requests, want %d", path, n, wantRequests)
		}
		if got := s.cookieNames(b, app); !slices.Equal(got, wantCookies) {
			t.Errorf("after %s there are %q, want %q", path, got, wantCookies)
		}
		if got := s.cookieNames(b, sibling); !slices.Equal(got, []string{"__Host-Http-neighbour", "__Secure-shared"}) {
			t.Errorf("after %s the sibling has %q", path, got)
		}
		b.visit(s.url(sibling, "/"))
		if got := eval[string](b, `localStorage.getItem("a")`); got != "sibling" {
			t.Errorf("after %s the sibling keeps %q", path, got)
		}
	}
}
