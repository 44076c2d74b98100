package tokenclient_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/authlatch/auth/token/tokenclient"
)

// A program that calls an API, and keeps its login over many runs.
func ExampleTransport() {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
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

	transport, err := tokenclient.New(tokenclient.Config{
		Origins: []string{api.URL},
		Refresh: tokenclient.RefreshAt(login.URL, nil),
		// File: where the tokens are kept between runs.
	})
	if err != nil {
		panic(err)
	}
	tokens, err := issuer.Issue(context.Background(), auth.Identity{Subject: "nightly-job"})
	if err != nil {
		panic(err)
	}
	if err := transport.SetTokens(tokenclient.Tokens(tokens)); err != nil {
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

	// Once the login has ended, every request returns ErrLoginEnded.
	refreshToken, _ := transport.Clear()
	if err := issuer.Revoke(context.Background(), refreshToken); err != nil {
		panic(err)
	}
	_, err = client.Get(api.URL)
	fmt.Println(errors.Is(err, tokenclient.ErrLoginEnded))

	// Output:
	// 200 hello, nightly-job
	// true
}
