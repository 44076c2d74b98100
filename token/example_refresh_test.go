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
