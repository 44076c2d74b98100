package middleware_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

var errWhy = fmt.Errorf("session: \"<its>\" cookie is sent twice: %w", auth.ErrUnauthenticated)

func explained(remote, host, accept string, err error) *httptest.ResponseRecorder {
	guard := &middleware.Guard{
		Authenticator: authenticatorFunc(func(*http.Request) (auth.Identity, error) { return auth.Identity{}, err }),
		LoginPage:     "/login",
		Deny:          middleware.Explain,
	}
	r := httptest.NewRequest("GET", "/me", nil)
	r.RemoteAddr, r.Host = remote, host
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	w := httptest.NewRecorder()
	guard.Require(http.NotFoundHandler()).ServeHTTP(w, r)
	return w
}

func TestExplainSaysWhyOnThisMachineOnly(t *testing.T) {
	for _, c := range []struct {
		remote, host string
		explains     bool
	}{
		{"127.0.0.1:5000", "localhost:8080", true},
		{"127.0.0.1:5000", "localhost", true},
		{"[::1]:5000", "[::1]:8080", true},
		{"[::1]:5000", "[::1]", true},
		{"127.1.2.3:5000", "127.0.0.1:8080", true},
		{"127.0.0.1:5000", "app.example", false}, // a proxy on this machine
		{"127.0.0.1:5000", "localhost.example", false},
		{"192.168.0.9:5000", "localhost:8080", false}, // a made-up Host
		{"192.168.0.9:5000", "192.168.0.5:8080", false},
		{"@", "localhost:8080", false},
		{"", "localhost:8080", false},
		{"127.0.0.1:5000", "", false},
	} {
		w := explained(c.remote, c.host, "", errWhy)
		if explains := strings.Contains(w.Body.String(), "sent twice"); w.Code != http.StatusUnauthorized || explains != c.explains {
			t.Errorf("from %q for %q: %d %s", c.remote, c.host, w.Code, w.Body)
		}
	}
}

// A proxy on this machine may pass on the Host header, which an attacker chooses.
func TestExplainDoesNotSayWhyThroughAProxy(t *testing.T) {
	guard := &middleware.Guard{
		Authenticator: authenticatorFunc(func(*http.Request) (auth.Identity, error) { return auth.Identity{}, errWhy }),
		Deny:          middleware.Explain,
	}
	server := httptest.NewServer(guard.Require(http.NotFoundHandler()))
	defer server.Close()
	target, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	r := httptest.NewRequest("GET", "/me", nil)
	r.RemoteAddr, r.Host = "203.0.113.66:5000", "localhost"
	w := httptest.NewRecorder()
	if proxy.ServeHTTP(w, r); w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "sent twice") {
		t.Errorf("through a proxy: %d %s", w.Code, w.Body)
	}
	for _, field := range []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"} {
		r := httptest.NewRequest("GET", "/me", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:5000", "localhost"
		r.Header.Set(field, "")
		w := httptest.NewRecorder()
		if guard.Require(http.NotFoundHandler()).ServeHTTP(w, r); strings.Contains(w.Body.String(), "sent twice") {
			t.Errorf("with %s: %s", field, w.Body)
		}
	}
}

// Apart from the reason, the response is that of Deny.
func TestExplainRespondsLikeDeny(t *testing.T) {
	for _, err := range []error{errWhy, auth.ErrForbidden, errors.New("the store is down"), &auth.InsufficientError{Scope: "admin"}} {
		for _, accept := range []string{"", "text/html"} {
			got, want := explained("127.0.0.1:1", "localhost", accept, err), explained("192.0.2.1:1", "localhost", accept, err)
			if got.Code != want.Code || got.Header().Get("Location") != want.Header().Get("Location") ||
				got.Header().Get("Retry-After") != want.Header().Get("Retry-After") || got.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%v, %q: %d %v, want %d %v", err, accept, got.Code, got.Header(), want.Code, want.Header())
			}
			if want.Body.Len() > 0 && strings.Contains(want.Body.String(), "detail") {
				t.Errorf("%v: %s", err, want.Body)
			}
		}
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr, r.Host = "127.0.0.1:1", "localhost"
	if middleware.Explain(w, r, nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("no error: %d", w.Code)
	}
}
