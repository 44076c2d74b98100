package middleware_test

import (
	"maps"
	"net/http"
	"slices"
	"testing"

	"github.com/authlatch/auth/middleware"
)

const strictTransport = "max-age=31536000; includeSubDomains"

// The literal headers, so that none of them changes unnoticed.
//
// ASVS 5.0, 3.4.1, 3.4.3, 3.4.4, 3.4.5, 3.4.6 and 3.4.8.
func TestGoldenSecurityHeaders(t *testing.T) {
	want := http.Header{
		"Strict-Transport-Security":    {strictTransport},
		"X-Content-Type-Options":       {"nosniff"},
		"Referrer-Policy":              {"same-origin"},
		"Content-Security-Policy":      {"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"},
		"Cross-Origin-Opener-Policy":   {"same-origin"},
		"Cross-Origin-Resource-Policy": {"same-origin"},
	}
	nothing := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for rule, next := range map[string]http.Handler{
		"a page":                  nothing,
		"a page that is guarded":  (&middleware.Guard{Authenticator: valid}).Require(nothing),
		"a refusal":               (&middleware.Guard{Authenticator: bad}).Require(nothing),
		"a page that is not here": http.NotFoundHandler(),
		"a page that fails": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "Internal Server Error", http.StatusInternalServerError)
		}),
		"a redirect":               http.RedirectHandler("/", http.StatusFound),
		"headers within the other": middleware.SecurityHeaders(nothing),
	} {
		got := serve(middleware.SecurityHeaders(next), get("/")).Header
		for name, values := range want {
			if !slices.Equal(got[name], values) {
				t.Errorf("%s: %s %q, want %q", rule, name, got[name], values)
			}
		}
	}
	if got := serve(middleware.SecurityHeaders(nothing), get("/")).Header; !maps.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestHandlersReplaceSecurityHeaders(t *testing.T) {
	h := serve(middleware.SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "sandbox")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Del("Strict-Transport-Security")
	})), get("/")).Header
	for name, want := range map[string][]string{
		"Content-Security-Policy": {"sandbox"}, "Referrer-Policy": {"no-referrer"}, "Strict-Transport-Security": nil,
		"X-Content-Type-Options": {"nosniff"},
	} {
		if !slices.Equal(h[name], want) {
			t.Errorf("%s %q, want %q", name, h[name], want)
		}
	}
}

// ASVS 5.0, 3.4.1: HSTS is set whether the server or a proxy terminates TLS.
func TestStrictTransportIsAskedForEverywhereButOnLocalhost(t *testing.T) {
	for _, test := range []struct {
		target string
		host   string // what a proxy has made of it
		want   bool
	}{
		{"https://shop.example/", "", true},
		{"https://shop.example:8443/", "", true},
		{"https://localhost.example/", "", true},
		{"https://notlocalhost/", "", true},
		{"https://127.0.0.1/", "", true}, // browsers do not obey it there
		{"https://[::1]:8443/", "", true},
		{"http://shop.example/", "", true},
		{"http://shop.example/", "localhost:8080", true},
		{"http://localhost:8080/", "", true}, // browsers do not obey it there
		{"https://localhost/", "", false},
		{"https://LOCALHOST:8443/", "", false},
		{"https://app.localhost:8443/", "", false},
	} {
		r := get(test.target)
		if test.host != "" {
			r.Host = test.host
		}
		got := serve(middleware.SecurityHeaders(hello), r).Header.Get("Strict-Transport-Security")
		if (got == strictTransport) != test.want || (got == "") == test.want {
			t.Errorf("%s for %s: %q", test.target, r.Host, got)
		}
	}
}

func TestMiddlewarePanicsWhenWrappingNothing(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"SecurityHeaders": middleware.SecurityHeaders, "Isolate": middleware.Isolate,
	} {
		for _, next := range []http.Handler{nil, http.HandlerFunc(nil), (*http.ServeMux)(nil)} {
			t.Run(name, func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("did not panic")
					}
				}()
				wrap(next)
			})
		}
	}
}

// ASVS 5.0, 14.3.1.
func TestGoldenClearSiteData(t *testing.T) {
	h := http.Header{"Set-Cookie": {"a=; Max-Age=0"}}
	for range 2 {
		middleware.ClearSiteData(h)
		if got := h["Clear-Site-Data"]; !slices.Equal(got, []string{`"cache", "storage"`}) || len(h) != 2 {
			t.Errorf("%q", h)
		}
	}
}
