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

	// Alice has forgotten her password: send her a link with this in it.
	const reset = "password reset"
	token, err := tokens.Issue(ctx, reset, "alice", time.Hour)
	if err != nil {
		panic(err)
	}

	// The form behind the link is posted, twice.
	for range 2 {
		subject, err := tokens.Redeem(ctx, reset, token)
		switch {
		case err == nil:
			fmt.Println("200: a new password for", subject)
		case errors.Is(err, onetime.ErrUsed):
			fmt.Println("410: this link was used")
		case errors.Is(err, onetime.ErrUnknown):
			fmt.Println("404: ask for another link")
		default:
			fmt.Println("503")
		}
	}
	// Output:
	// 200: a new password for alice
	// 410: this link was used
}
