package cookie_test

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/authlatch/auth/cookie"
)

// loosening is a method of Policy with its argument. A chain has at most one
// loosening of each kind, because two domains or paths are an error.
type loosening struct {
	kind  string
	apply func(cookie.Policy) cookie.Policy
	want  func(*http.Cookie)
}

func loosenings() []loosening {
	type P = cookie.Policy
	return []loosening{
		{"lax", P.SameSiteLax, func(c *http.Cookie) { c.SameSite = min(c.SameSite, http.SameSiteLaxMode) }},
		{"none", P.SameSiteNone, func(c *http.Cookie) { c.SameSite = 0 }},
		{"domain", func(p P) P { return p.Domain("example.com") }, func(c *http.Cookie) { c.Domain = "example.com" }},
		{"domain", func(p P) P { return p.Domain("a.localhost") }, func(c *http.Cookie) { c.Domain = "a.localhost" }},
		{"path", func(p P) P { return p.Path("/auth") }, func(c *http.Cookie) { c.Path = "/auth" }},
		{"path", func(p P) P { return p.Path("/") }, func(c *http.Cookie) { c.Path = "/" }},
		{"readable", P.ReadableByScripts, func(c *http.Cookie) { c.HttpOnly = false }},
		{"age", func(p P) P { return p.MaxAge(time.Second) }, func(c *http.Cookie) { c.MaxAge = 1 }},
		{"age", func(p P) P { return p.MaxAge(400 * day) }, func(c *http.Cookie) { c.MaxAge = 34560000 }},
		{"insecure", P.Insecure, func(c *http.Cookie) { c.Secure = false }},
		{"anywhere", P.InsecureAnywhere, func(c *http.Cookie) { c.Secure = false }},
		{"partitioned", P.Partitioned, func(c *http.Cookie) { c.Partitioned = true }},
	}
}

// expect derives the expected cookie from the attributes alone, and reports
// whether browsers would accept it.
func expect(chain []loosening, value string) (c http.Cookie, valid bool) {
	c = http.Cookie{Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	kinds := map[string]bool{}
	for _, l := range chain {
		l.want(&c)
		kinds[l.kind] = true
	}
	if kinds["none"] {
		c.SameSite = http.SameSiteNoneMode
	}
	valid = c.Secure || c.SameSite != http.SameSiteNoneMode && kinds["insecure"] != kinds["anywhere"] &&
		(c.Domain != "example.com" || kinds["anywhere"])
	if c.Partitioned {
		valid = valid && c.Secure && c.SameSite == http.SameSiteNoneMode && c.Domain == "" && c.Path == "/"
	}
	switch {
	case !c.Secure:
		c.Name = "id"
	case c.Domain != "" || c.Path != "/":
		c.Name = "__Secure-id"
	case !c.HttpOnly:
		c.Name = "__Host-id"
	default:
		c.Name = "__Host-Http-id"
	}
	return c, valid
}

// Property over random chains: the cookie that is sent has exactly the
// attributes of the chain, in any order of its methods, and a contradiction is
// an error in any order.
func TestRandomChainsMeanWhatTheySay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	valid, invalid := 0, 0
	for range 5000 {
		var chain []loosening
		all := loosenings()
		for _, i := range rng.Perm(len(all))[:rng.IntN(9)] {
			l := all[i]
			if !slices.ContainsFunc(chain, func(other loosening) bool { return other.kind == l.kind }) {
				chain = append(chain, l)
			}
		}
		p, reversed := cookie.New("id"), cookie.New("id")
		for i := range chain {
			p = chain[i].apply(p)
			reversed = chain[len(chain)-1-i].apply(reversed)
		}
		want, ok := expect(chain, "v4lue")
		if (p.Err() == nil) != ok || (reversed.Err() == nil) != ok {
			t.Fatalf("%v: errors %v and %v, valid %v", kinds(chain), p.Err(), reversed.Err(), ok)
		}
		if !ok {
			invalid++
			continue
		}
		valid++
		if p != reversed {
			t.Fatalf("%v: the order matters", kinds(chain))
		}
		checkSent(t, p, want)
	}
	if valid < 500 || invalid < 500 {
		t.Errorf("only %d valid and %d invalid chains", valid, invalid)
	}
}

func kinds(chain []loosening) (list []string) {
	for _, l := range chain {
		list = append(list, l.kind)
	}
	return list
}

// checkSent compares every attribute of what Set and Delete write.
func checkSent(t *testing.T, p cookie.Policy, want http.Cookie) {
	t.Helper()
	h := http.Header{}
	if err := p.Set(h, request(), want.Value); err != nil {
		t.Fatal(err)
	}
	compare(t, h, want)
	if err := p.Delete(h, request()); err != nil {
		t.Fatal(err)
	}
	want.Value, want.MaxAge = "", -1
	compare(t, h, want)
}

func compare(t *testing.T, h http.Header, want http.Cookie) {
	t.Helper()
	if len(h["Set-Cookie"]) != 1 {
		t.Fatalf("headers: %q", h["Set-Cookie"])
	}
	got, err := http.ParseSetCookie(h.Get("Set-Cookie"))
	if err != nil || got.Valid() != nil || len(got.Unparsed) > 0 || got.Quoted || !got.Expires.IsZero() {
		t.Fatalf("%q: %v, %+v", h.Get("Set-Cookie"), err, got)
	}
	if got.Name != want.Name || got.Value != want.Value || got.Domain != want.Domain || got.Path != want.Path ||
		got.MaxAge != want.MaxAge || got.Secure != want.Secure || got.HttpOnly != want.HttpOnly || got.SameSite != want.SameSite ||
		got.Partitioned != want.Partitioned {
		t.Fatalf("%q:\ngot  %+v\nwant %+v", h.Get("Set-Cookie"), *got, want)
	}
}
