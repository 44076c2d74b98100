package token_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// A site for browsers: the access token is in the answer, for the script, and
// the refresh token in a cookie, which no script sees.
func ExampleIssuer() {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{},
		Issuer: "https://app.example", Audience: "https://app.example", ClientID: "web",
	})
	if err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: issuer}

	site := http.NewServeMux()
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check a password here.
		if err := issuer.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	site.Handle("/refresh", issuer.RefreshHandler())
	site.Handle("/logout", issuer.LogoutHandler())
	site.Handle("GET /me", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprint(w, "hello, ", id.Subject)
	})))

	login := httptest.NewRecorder()
	site.ServeHTTP(login, httptest.NewRequest("POST", "/login", nil))
	cookie := login.Result().Cookies()[0]
	fmt.Println(login.Code, cookie.Name, cookie.Secure, cookie.HttpOnly)

	// The script makes up an attempt for each refresh (see package browser).
	r := httptest.NewRequest("POST", "/refresh", nil)
	r.AddCookie(cookie)
	r.Header.Set(token.AttemptHeader, "KbHV8gVyGQnPkEhYhNzU5Q")
	refresh := httptest.NewRecorder()
	site.ServeHTTP(refresh, r)
	var tokens token.Tokens
	if err := json.Unmarshal(refresh.Body.Bytes(), &tokens); err != nil {
		panic(err)
	}
	fmt.Println(refresh.Code, tokens.TokenType, tokens.ExpiresIn)

	r = httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	me := httptest.NewRecorder()
	site.ServeHTTP(me, r)
	fmt.Println(me.Code, me.Body)

	// Output:
	// 200 __Host-Http-refresh true true
	// 200 Bearer 600
	// 200 hello, alice
}
