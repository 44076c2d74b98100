package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// cors admits one other origin with cookies, as docs/troubleshooting.md has it.
func cors(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		h.Set("Access-Control-Allow-Origin", "https://app.example")
		h.Set("Access-Control-Allow-Credentials", "true")
		if r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "" {
			h.Set("Access-Control-Allow-Methods", "GET, POST")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// anonymousMode finds no credential.
type anonymousMode struct{}

func (anonymousMode) Authenticate(*http.Request) (auth.Identity, error) {
	return auth.Identity{}, auth.ErrNoCredential
}

// kdeps#468, nextjs-auth0#1603: a preflight request has no credential, so CORS stands outside
// of the guard. A refusal of the guard then has the headers without which a page cannot read
// its status.
func TestCORSStandsOutsideOfTheGuard(t *testing.T) {
	guard := &middleware.Guard{Authenticator: anonymousMode{}}
	api := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	send := func(h http.Handler, method string) *http.Response {
		r := httptest.NewRequest(method, "https://api.example/", nil)
		r.Header.Set("Origin", "https://app.example")
		if method == http.MethodOptions {
			r.Header.Set("Access-Control-Request-Method", "POST")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
	for name, require := range map[string]func(http.Handler) http.Handler{"Require": guard.Require, "RequireScope": guard.RequireScope("a")} {
		if res := send(cors(require(api)), "OPTIONS"); res.StatusCode != 204 || res.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s, CORS outside: %d", name, res.StatusCode)
		}
		if res := send(cors(require(api)), "POST"); res.StatusCode != 401 || res.Header.Get("Access-Control-Allow-Origin") == "" {
			t.Errorf("%s, CORS outside, without a login: %d, %v", name, res.StatusCode, res.Header)
		}
		if res := send(require(cors(api)), "OPTIONS"); res.StatusCode != 401 {
			t.Errorf("%s, CORS inside: %d", name, res.StatusCode)
		}
	}
}

// code-server#4712: a proxy strips a prefix of the path. A guard returns the browser to the
// page with the prefix, if it is put back as docs/troubleshooting.md says.
func TestAPrefixThatAProxyStripsCanBePutBack(t *testing.T) {
	guard := &middleware.Guard{Authenticator: anonymousMode{}, LoginPage: "/editor/login"}
	h := guard.Require(http.NotFoundHandler())
	restored := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.RequestURI = "/editor" + r.RequestURI
		h.ServeHTTP(w, r)
	})
	for target, want := range map[string]string{
		"/page?a=1": "/editor/login?next=" + url.QueryEscape("/editor/page?a=1"),
		"/":         "/editor/login?next=" + url.QueryEscape("/editor/"),
	} {
		r := httptest.NewRequest("GET", target, nil)
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		w := httptest.NewRecorder()
		restored.ServeHTTP(w, r)
		if got := w.Header().Get("Location"); w.Code != 303 || got != want {
			t.Errorf("%s: %d to %q, want %q", target, w.Code, got, want)
		}
		if got := middleware.SafeNext("/editor" + target); got != "/editor"+target {
			t.Errorf("SafeNext makes %q of it", got)
		}
	}
}
