package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// knock stands for a session.Manager or a token.Verifier.
type knock struct{}

func (knock) Authenticate(r *http.Request) (auth.Identity, error) {
	switch r.Header.Get("Knock") {
	case "":
		return auth.Identity{}, auth.ErrNoCredential
	case "three times":
		return auth.Identity{Subject: "alice", Scopes: "reports:read"}, nil
	}
	return auth.Identity{}, auth.ErrUnauthenticated
}

func ExampleGuard() {
	greet := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := auth.FromContext(r.Context())
		fmt.Fprintln(w, "hello", id.Subject, ok)
	})
	guard := &middleware.Guard{Authenticator: knock{}}
	mux := http.NewServeMux()
	mux.Handle("GET /me", guard.Require(greet))
	mux.Handle("GET /", guard.Optional(greet))
	mux.Handle("GET /users", guard.RequireScope("users:read")(greet))

	for _, try := range []struct{ path, knock string }{
		{"/me", "three times"}, {"/me", ""}, {"/", ""}, {"/", "once"}, {"/users", "three times"},
	} {
		r := httptest.NewRequest("GET", try.path, nil)
		r.Header.Set("Knock", try.knock)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello alice true
	// 401 {"title":"Unauthorized","status":401}
	// 200 hello  false
	// 401 {"title":"Unauthorized","status":401}
	// 403 {"title":"Forbidden","status":403}
}

func ExampleSafeNext() {
	for _, next := range []string{"/reports?page=2", "https://evil.example/", "//evil.example", `/\evil.example`} {
		fmt.Println(middleware.SafeNext(next))
	}
	// Output:
	// /reports?page=2
	// /
	// /
	// /
}

// A server behind a proxy on the same host and a load balancer in 10.0.0.0/8.
func ExampleClientAddress() {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "127.0.0.1:50000"
	r.Header.Set("X-Forwarded-For", "203.0.113.66, 192.0.2.7, 10.1.2.3") // the first by the client itself
	fmt.Println(middleware.ClientAddress(r, trusted...))
	fmt.Println(middleware.ClientAddress(r))
	// Output:
	// 192.0.2.7
	// 127.0.0.1
}
