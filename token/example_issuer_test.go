package token_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	issuer, err := token.NewIssuer(token.Config{
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

// A program that calls an API, and keeps its log-in over many runs.
func ExampleTransport() {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	issuer, err := token.NewIssuer(token.Config{
		Keys: keys, Store: &store.Memory{}, NativeClients: true,
		Issuer: "https://login.example", Audience: "https://api.example", ClientID: "batch",
	})
	if err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: issuer}
	login := httptest.NewServer(issuer.RefreshHandler())
	defer login.Close()
	api := httptest.NewServer(guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprint(w, "hello, ", id.Subject)
	})))
	defer api.Close()

	transport, err := token.NewTransport(token.TransportConfig{
		Origins: []string{api.URL},
		Refresh: token.RefreshAt(login.URL, nil),
		// File: where the tokens are kept between runs.
	})
	if err != nil {
		panic(err)
	}
	tokens, err := issuer.Issue(context.Background(), auth.Identity{Subject: "nightly-job"})
	if err != nil {
		panic(err)
	}
	if err := transport.Login(tokens); err != nil {
		panic(err)
	}
	client := &http.Client{Transport: transport}
	response, err := client.Get(api.URL)
	if err != nil {
		panic(err)
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	fmt.Println(response.StatusCode, string(body))

	// Once the log-in is over, every request says so.
	refreshToken, _ := transport.Logout()
	if err := issuer.Revoke(context.Background(), refreshToken); err != nil {
		panic(err)
	}
	_, err = client.Get(api.URL)
	fmt.Println(errors.Is(err, token.ErrLoginEnded))

	// Output:
	// 200 hello, nightly-job
	// true
}
