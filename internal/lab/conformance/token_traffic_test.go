package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func newIssuers(t *testing.T, stores ...store.Store) (issuers [2]*token.Issuer) {
	t.Helper()
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range stores {
		issuers[i], err = token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: s, Issuer: "https://login.example", Audience: "https://api.example", ClientID: "traffic",
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return issuers
}

// renew is a login by token from its beginning to its end. A refresh whose outcome is
// unknown is repeated with its idempotency key.
func (f *traffic) renew(i int, subject string) {
	here, there := f.issuers[i%2], f.issuers[(i+1)%2]
	var tokens token.Tokens
	issue := func(ctx context.Context) (err error) {
		tokens, err = here.Issue(ctx, auth.Identity{Subject: subject})
		return err
	}
	if f.request(issue) != nil {
		time.Sleep(5 * time.Millisecond)
		return
	}
	for range 3 {
		attempt := random()
		err := f.again(func(ctx context.Context) error {
			next, err := there.Refresh(ctx, tokens.RefreshToken, attempt)
			if err == nil {
				tokens = next
			}
			return err
		})
		if over(err) {
			f.count(&f.tally.wronglyOut)
		}
		if err != nil {
			return
		}
		time.Sleep(2 * time.Millisecond)
	}
	if f.again(func(ctx context.Context) error { return there.Revoke(ctx, tokens.RefreshToken) }) == nil {
		f.isRevoked(tokens.RefreshToken, here)
		f.mu.Lock()
		defer f.mu.Unlock()
		f.revoked = append(f.revoked, tokens.RefreshToken)
	}
}

func (f *traffic) isRevoked(refresh string, i *token.Issuer) error {
	return f.request(func(ctx context.Context) error {
		_, err := i.Refresh(ctx, refresh, random())
		if err == nil {
			f.count(&f.tally.undone)
			return errors.New("a logout is undone")
		}
		return err
	})
}
