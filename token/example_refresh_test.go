package token_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// Roles are reread at each refresh, so a change takes effect when the access token
// expires. A disabled account is signed out then.
func ExampleIssuerConfig_refreshing() {
	type account struct {
		Roles    auth.Words
		Disabled bool
	}
	find := func(_ context.Context, subject string) (account, error) { // in the users' database
		return account{Disabled: subject == "mallory"}, nil
	}
	config := token.IssuerConfig{
		Refreshing: func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
			user, err := find(ctx, id.Subject)
			switch {
			case err != nil:
				return id, err // 503: the client tries again
			case user.Disabled:
				return id, fmt.Errorf("the account is disabled: %w", auth.ErrUnauthenticated)
			}
			id.Scopes = user.Roles
			return id, nil
		},
	}
	alice, err := config.Refreshing(context.Background(), auth.Identity{Subject: "alice", Scopes: "admin"})
	fmt.Printf("alice has the scopes %q: %v\n", alice.Scopes, err)
	_, err = config.Refreshing(context.Background(), auth.Identity{Subject: "mallory"})
	fmt.Println("mallory:", err)
	// Output:
	// alice has the scopes "": <nil>
	// mallory: the account is disabled: auth: unauthenticated
}

// A refresh token is for single use. A client that lost the response repeats
// the refresh with the same attempt, and gets the same tokens.
func ExampleIssuer_Refresh() {
	keys, err := token.NewKeySet(token.Ed25519)
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
	ctx := context.Background()
	first, err := issuer.Issue(ctx, auth.Identity{Subject: "alice"})
	if err != nil {
		panic(err)
	}

	attempt := rand.Text() // a new one for each refresh, kept until it is answered
	second, err := issuer.Refresh(ctx, first.RefreshToken, attempt)
	if err != nil {
		panic(err)
	}
	again, err := issuer.Refresh(ctx, first.RefreshToken, attempt)
	fmt.Println("the same tokens:", again.RefreshToken == second.RefreshToken, err)

	// After the end of the login there is only one way: log in again. After any
	// other error the client keeps its tokens and tries again later.
	if err := issuer.Revoke(ctx, second.RefreshToken); err != nil {
		panic(err)
	}
	_, err = issuer.Refresh(ctx, second.RefreshToken, rand.Text())
	fmt.Println("log in again:", errors.Is(err, auth.ErrUnauthenticated))
	// Output:
	// the same tokens: true <nil>
	// log in again: true
}
