package onetime_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/store"
)

func Example() {
	ctx := context.Background()
	tokens, err := onetime.New(onetime.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}

	// Send a link with the token to the address that Alice has entered.
	const confirm = "confirm address"
	token, err := tokens.Issue(ctx, confirm, "alice@example.com", time.Hour)
	if err != nil {
		panic(err)
	}

	// The form on the page of the link is submitted twice.
	for range 2 {
		address, err := tokens.Redeem(ctx, confirm, token)
		switch {
		case err == nil:
			fmt.Println("200: confirmed", address)
		case errors.Is(err, onetime.ErrUsed):
			fmt.Println("410: this link was used")
		case errors.Is(err, onetime.ErrUnknown):
			fmt.Println("404: ask for another link")
		default:
			fmt.Println("503")
		}
	}
	// Output:
	// 200: confirmed alice@example.com
	// 410: this link was used
}
