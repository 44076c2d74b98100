package middleware_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// Browsers send the cookie of a session, and programs send a bearer token. Handlers
// need not distinguish them.
func ExampleAnyOf() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	tokens, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, NativeClients: true,
		Issuer: "https://app.example", Audience: "https://app.example", ClientID: "cli",
	})
	if err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: middleware.AnyOf(sessions, tokens)}
	me := guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprintln(w, "hello,", id.Subject)
	}))

	login := httptest.NewRecorder()
	if err := sessions.Login(login, httptest.NewRequest("POST", "/login", nil), auth.Identity{Subject: "alice"}); err != nil {
		panic(err)
	}
	browser := httptest.NewRequest("GET", "/me", nil)
	browser.AddCookie(login.Result().Cookies()[0])

	issued, err := tokens.Issue(context.Background(), auth.Identity{Subject: "nightly-job"})
	if err != nil {
		panic(err)
	}
	program := httptest.NewRequest("GET", "/me", nil)
	program.Header.Set("Authorization", "Bearer "+issued.AccessToken)

	for _, r := range []*http.Request{browser, program, httptest.NewRequest("GET", "/me", nil)} {
		w := httptest.NewRecorder()
		me.ServeHTTP(w, r)
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 hello, alice
	// 200 hello, nightly-job
	// 401 {"title":"Unauthorized","status":401}
}
