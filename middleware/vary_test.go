package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/authlatch/auth/middleware"
)

const varies = "Cookie, Authorization"

// ASVS 5.0, 14.2.2: every response lists the headers that it depends on in Vary.
func TestGuardsAddVary(t *testing.T) {
	for name, from := range map[string]authenticatorFunc{"authenticated": valid, "anonymous": none} {
		guard := &middleware.Guard{Authenticator: from}
		for _, test := range []struct {
			rule   string
			before []string
			h      http.Handler
			want   []string
		}{
			{"nothing was there", nil, guard.Optional(hello), []string{varies}},
			{"a field that was there stays", []string{"Accept-Encoding"}, guard.Optional(hello), []string{"Accept-Encoding", varies}},
			{"several fields stay", []string{"Origin", "Accept", "Range"}, guard.Optional(hello), []string{"Origin", "Accept", "Range", varies}},
			{"guards inside of guards say it once", []string{"Origin"}, guard.Optional(guard.Optional(hello)), []string{"Origin", varies}},
			{"so do different guards", nil, guard.Optional((&middleware.Guard{Authenticator: from}).Optional(hello)), []string{varies}},
			{"the handler may add", nil, guard.Optional(with((http.Header).Add, "Vary", "Accept")), []string{varies, "Accept"}},
			{"and replace", []string{"Origin"}, guard.Optional(with((http.Header).Set, "Vary", "*")), []string{"*"}},
			{"a guard inside says it again", nil, guard.Optional(outside((http.Header).Set, "Vary", "Accept", guard.Optional(hello))), []string{"Accept", varies}},
		} {
			w := httptest.NewRecorder()
			// The existing slice has spare capacity and is shared.
			shared := append(make([]string, 0, 8), test.before...)
			if test.before != nil {
				w.Header()["Vary"] = shared
			}
			test.h.ServeHTTP(w, get("/"))
			if got := w.Header()["Vary"]; !slices.Equal(got, test.want) {
				t.Errorf("%s, %s: Vary %q, want %q", name, test.rule, got, test.want)
			}
			if got := shared[:cap(shared)]; !slices.Equal(got[:len(shared)], test.before) || got[len(shared)] != "" {
				t.Errorf("%s, %s: a shared slice was changed: %q", name, test.rule, got)
			}
		}
	}
}

func with(change func(h http.Header, name, value string), name, value string) http.Handler {
	return outside(change, name, value, hello)
}

// outside changes the header before next runs.
func outside(change func(h http.Header, name, value string), name, value string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		change(w.Header(), name, value)
		next.ServeHTTP(w, r)
	})
}

// Header values that one handler overwrites do not change another response.
func TestVaryIsNotSharedByResponses(t *testing.T) {
	for name, from := range map[string]authenticatorFunc{"authenticated": valid, "anonymous": none} {
		guard := &middleware.Guard{Authenticator: from}
		serve(guard.Optional(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fields := w.Header()["Vary"]
			fields = fields[:cap(fields)]
			for i := range fields {
				fields[i] = "nothing"
			}
		})), get("/"))
		if got := serve(guard.Optional(hello), get("/")).Header["Vary"]; !slices.Equal(got, []string{varies}) {
			t.Errorf("%s: Vary %q", name, got)
		}
	}
}

// ASVS 5.0, 14.2.2: no cache stores a refusal, by Deny or a custom Guard.Deny.
func TestRefusalsAreNotStored(t *testing.T) {
	own := func(w http.ResponseWriter, r *http.Request, err error) { http.NotFound(w, r) }
	for rule, guard := range map[string]*middleware.Guard{
		"Deny":                        {Authenticator: bad},
		"Deny, to a login page":       {Authenticator: none, LoginPage: "/login"},
		"a Deny that hides the page":  {Authenticator: bad, Deny: own},
		"the same for who is unknown": {Authenticator: none, Deny: own},
		"a store that is down":        {Authenticator: down},
	} {
		r := get("/")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		h := serve(guard.Require(mustNotRun(t)), r).Header
		if !slices.Equal(h["Cache-Control"], []string{"no-store"}) || h["Vary"] != nil {
			t.Errorf("%s: Cache-Control %q, Vary %q", rule, h["Cache-Control"], h["Vary"])
		}
	}
	public := func(w http.ResponseWriter, r *http.Request, err error) {
		w.Header().Set("Cache-Control", "public")
	}
	h := serve((&middleware.Guard{Authenticator: bad, Deny: public}).Require(mustNotRun(t)), get("/")).Header
	if got := h["Cache-Control"]; !slices.Equal(got, []string{"public"}) {
		t.Errorf("a Deny that sets another value: %q", got)
	}
}
