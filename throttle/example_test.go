package throttle_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

func Example() {
	key := make([]byte, 32) // keep it where other secrets are
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	if err != nil {
		panic(err)
	}
	limiter, err := throttle.New(throttle.Config{Store: &store.Memory{}, Sealer: sealer})
	if err != nil {
		panic(err)
	}
	passwords, err := password.New(password.Config{})
	if err != nil {
		panic(err)
	}

	login := func(w http.ResponseWriter, r *http.Request) {
		name := strings.ToLower(r.PostFormValue("name"))
		err := limiter.Try(w, r, name, func() error {
			hash := "" // look it up; empty if there is no such account
			return passwords.Verify(r.Context(), hash, r.PostFormValue("password"))
		})
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		// Here sessions.Login or issuer.Login logs the browser in.
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
