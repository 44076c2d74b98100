package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// One process makes the key file, and every host loads it. Rotating keeps the
// tokens valid that the former key has signed.
func ExampleKeySet() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "keys.json")

	made, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	if err := made.Save(path); err != nil {
		panic(err)
	}

	keys, err := token.LoadKeySet(path)
	if err != nil {
		panic(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, NativeClients: true,
		Issuer: "https://app.example", Audience: "https://app.example", ClientID: "cli",
	})
	if err != nil {
		panic(err)
	}
	tokens, err := issuer.Issue(context.Background(), auth.Identity{Subject: "alice"})
	if err != nil {
		panic(err)
	}

	// A scheduled job rotates. The other hosts call Reload after it.
	if err := keys.Rotate(); err != nil {
		panic(err)
	}
	if err := keys.Save(path); err != nil {
		panic(err)
	}
	if err := made.Reload(path); err != nil {
		panic(err)
	}

	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	id, err := issuer.Authenticate(r)
	fmt.Println(id.Subject, err)
	// Output: alice <nil>
}

// An API knows the address of the issuer's keys. Its health check reports
// whether they were fetched and are fresh.
func ExampleRemoteKeySet() {
	published, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		panic(err)
	}
	login := httptest.NewServer(published.JWKSHandler()) // in another program
	defer login.Close()

	keys, err := token.NewRemoteKeySet(login.URL, token.RemoteConfig{})
	if err != nil {
		panic(err)
	}
	defer keys.Close()
	http.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		if err := keys.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
		}
	})
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Issuer: "https://login.example", Audience: "https://api.example",
	})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/orders", nil)
	r.Header.Set("Authorization", "Bearer not.a.token")
	_, err = verifier.Authenticate(r)
	fmt.Println(errors.Is(err, auth.ErrUnauthenticated))
	// Output: true
}
