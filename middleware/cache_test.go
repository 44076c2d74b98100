package middleware_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// cache stores every response of a handler that it may store, without expiry. It
// obeys no-store, Vary and, if it is shared, private. It ignores the other rules of
// RFC 9111, such as that for Authorization, so it stores more than a real cache.
type cache struct {
	next   http.Handler
	shared bool
	kept   []kept
	hits   int
}

type kept struct {
	path    string
	asked   http.Header
	given   http.Header
	status  int
	body    string
	subject string // of whom the handler saw, as it says in its header
}

func (c *cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != "GET" {
		c.next.ServeHTTP(w, r)
		return
	}
	found := slices.IndexFunc(c.kept, func(k kept) bool { return k.answers(r) })
	if found < 0 {
		recorded := httptest.NewRecorder()
		c.next.ServeHTTP(recorded, r)
		h := recorded.Header()
		k := kept{r.URL.Path, r.Header.Clone(), h.Clone(), recorded.Code, recorded.Body.String(), h.Get("Subject")}
		if c.mayKeep(h) {
			c.kept = append(c.kept, k)
		}
		k.write(w)
		return
	}
	c.hits++
	c.kept[found].write(w)
}

func (c *cache) mayKeep(h http.Header) bool {
	says := words(h, "Cache-Control")
	return !slices.Contains(says, "no-store") && !(c.shared && slices.Contains(says, "private"))
}

// answers implements RFC 9111, 4.1.
func (k kept) answers(r *http.Request) bool {
	return k.path == r.URL.Path && !slices.ContainsFunc(words(k.given, "Vary"), func(name string) bool {
		return name == "*" || !slices.Equal(k.asked.Values(name), r.Header.Values(name))
	})
}

func (k kept) write(w http.ResponseWriter) {
	for name, values := range k.given {
		w.Header()[name] = values
	}
	w.WriteHeader(k.status)
	fmt.Fprint(w, k.body)
}

func words(h http.Header, name string) (list []string) {
	for _, field := range h.Values(name) {
		for word := range strings.SplitSeq(field, ",") {
			list = append(list, strings.TrimSpace(word))
		}
	}
	return list
}

// cached is a site behind a cache. It has pages for authenticated users and public
// pages, by session or token, with various Cache-Control headers.
type cached struct {
	*cache
	t      *testing.T
	logins *session.Manager
}

var directives = map[string]string{
	"default": "", "public": "public, max-age=60", "private": "private, max-age=60", "careless": "max-age=60",
}

func openCached(t *testing.T, shared bool) *cached {
	t.Helper()
	logins, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: middleware.AnyOf(logins, &counting{})}
	mux := http.NewServeMux()
	for name, directive := range directives {
		page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := auth.FromContext(r.Context())
			w.Header().Set("Subject", id.Subject)
			if directive != "" {
				w.Header().Set("Cache-Control", directive)
			}
			fmt.Fprint(w, "hello, ", id.Subject)
		})
		mux.Handle("/all/"+name, guard.Optional(page))
		mux.Handle("/own/"+name, guard.Require(page))
		mux.Handle("/both/"+name, guard.Optional(guard.Optional(page)))
	}
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := logins.Login(w, r, auth.Identity{Subject: r.URL.RawQuery}); err != nil {
			t.Error(err)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := logins.Logout(w, r); err != nil {
			t.Error(err)
		}
	})
	return &cached{&cache{next: mux, shared: shared}, t, logins}
}

// visitor is a client with a cookie, with a token, or with neither.
type visitor struct {
	subject string
	header  http.Header
}

func (s *cached) send(v *visitor, method, target string) *http.Response {
	r := httptest.NewRequest(method, target, nil)
	for name, values := range v.header {
		r.Header[name] = values
	}
	res := serve(s, r)
	for _, c := range res.Cookies() {
		v.header = http.Header{}
		if c.MaxAge >= 0 {
			v.header.Set("Cookie", c.Name+"="+c.Value)
		}
	}
	return res
}

func (s *cached) login(v *visitor, subject string) {
	s.send(v, "POST", "/login?"+subject)
	v.subject = subject
}

// mustSeeItself requests a page and checks that it belongs to the visitor.
func (s *cached) mustSeeItself(v *visitor, path string) {
	s.t.Helper()
	res := s.send(v, "GET", path)
	body := readAll(s.t, res)
	if v.subject == "" && strings.HasPrefix(path, "/own/") {
		if res.StatusCode != 401 || body != problems[401] {
			s.t.Errorf("%s: an anonymous visitor gets %d, %q", path, res.StatusCode, body)
		}
	} else if want := "hello, " + v.subject; res.StatusCode != 200 || body != want {
		s.t.Errorf("%s: %q gets %d, %q", path, v.subject, res.StatusCode, body)
	}
}

func paths() (list []string) {
	for name := range directives {
		list = append(list, "/all/"+name, "/own/"+name, "/both/"+name)
	}
	slices.Sort(list)
	return list
}

// ASVS 5.0, 14.2.2; CVE-2023-30861. In any order of requests, a shared cache serves
// each visitor only its own page. It stores no page of a user unless the handler
// allows it.
func TestASharedCacheGivesNoUserThePageOfAnother(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		s := openCached(t, true)
		first, second := &visitor{}, &visitor{}
		s.login(first, "alice")
		s.login(second, "bob")
		visitors := []*visitor{
			first, second, {}, {header: http.Header{"Cookie": {"theme=dark"}}},
			{subject: "alice", header: http.Header{"Authorization": {"alice"}}},
			{subject: "bob", header: http.Header{"Authorization": {"bob"}}},
		}
		for range 200 {
			all := paths()
			s.mustSeeItself(visitors[rng.IntN(len(visitors))], all[rng.IntN(len(all))])
		}
		anonymous, public := 0, 0
		for _, k := range s.kept {
			_, directive, _ := strings.Cut(k.path[1:], "/")
			switch {
			case k.subject == "":
				anonymous++
			case directive == "public" || directive == "careless":
				public++
			default:
				t.Errorf("the cache keeps %s of %s", k.path, k.subject)
			}
			if directive == "private" {
				t.Errorf("the cache keeps %s", k.path)
			}
		}
		if anonymous == 0 || public == 0 || s.hits < 20 {
			t.Errorf("%d anonymous and %d public pages are kept, %d were given: this proves little", anonymous, public, s.hits)
		}
	}
}

// Two users share one browser, one after the other, with pages that it may store.
func TestABrowsersCacheGivesNoUserThePageOfAnother(t *testing.T) {
	s := openCached(t, false)
	browser := &visitor{}
	for _, subject := range []string{"alice", "bob", "", "alice", ""} {
		if subject == "" {
			s.send(browser, "POST", "/logout")
			browser.subject = ""
		} else {
			s.login(browser, subject)
		}
		for range 2 {
			for _, path := range paths() {
				s.mustSeeItself(browser, path)
			}
		}
	}
	if s.hits < 20 {
		t.Errorf("%d pages came from the cache: this proves little", s.hits)
	}
	for _, k := range s.kept {
		if k.subject != "" && strings.HasSuffix(k.path, "/default") {
			t.Errorf("the browser keeps %s of %s", k.path, k.subject)
		}
	}
}
