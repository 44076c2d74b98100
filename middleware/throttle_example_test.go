package middleware_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
)

func ExampleThrottle() {
	key := make([]byte, 32) // keep it where other secrets are
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	if err != nil {
		panic(err)
	}
	throttle, err := middleware.NewThrottle(middleware.ThrottleConfig{Store: &store.Memory{}, Sealer: sealer})
	if err != nil {
		panic(err)
	}
	passwords, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}

	login := func(w http.ResponseWriter, r *http.Request) {
		name := strings.ToLower(r.PostFormValue("name"))
		err := throttle.Try(w, r, name, func() error {
			hash := "" // look it up; empty if there is no such account
			return passwords.Verify(r.Context(), hash, r.PostFormValue("password"))
		})
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		// Here sessions.Login or issuer.Login tells the browser who it is now.
	}

	for range 7 {
		form := url.Values{"name": {"Alice"}, "password": {"a guess"}}
		r := httptest.NewRequest("POST", "/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		login(w, r)
		fmt.Println(w.Code, http.StatusText(w.Code), w.Header().Get("Retry-After") != "")
	}
	// Output:
	// 401 Unauthorized false
	// 401 Unauthorized false
	// 401 Unauthorized false
	// 401 Unauthorized false
	// 401 Unauthorized false
	// 429 Too Many Requests true
	// 429 Too Many Requests true
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
