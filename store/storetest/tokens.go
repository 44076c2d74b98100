package storetest

import (
	"context"
	"crypto/rand"
	"strings"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/simulate"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// refreshLogout logs out a client with several tabs, which refresh meanwhile.
func refreshLogout(k *kit) {
	const tabs = 6
	issuers := k.issuers()
	for range k.rounds(50) {
		subject := k.subject()
		issued, err := issuers[0].Issue(k.ctx, auth.Identity{Subject: subject})
		if err != nil {
			k.fatalf("Issue: %v", err)
		}
		var answers [tabs]token.Tokens
		k.parallel(tabs+1, func(i int, v view) (err error) {
			if i == tabs {
				return issuers[1].LogoutAll(k.ctx, subject)
			}
			answers[i], err = issuers[v.which].Refresh(k.ctx, issued.RefreshToken, rand.Text())
			if refused(err) {
				return nil
			}
			return err
		})
		latest := issued.RefreshToken
		for _, a := range answers {
			if a.RefreshToken != "" {
				latest = a.RefreshToken
			}
		}
		for i := range issuers {
			if _, err := issuers[i].Refresh(k.ctx, latest, rand.Text()); !refused(err) {
				k.fatalf("process %d refreshes after LogoutAll and concurrent refreshes: %v", i+1, err)
			}
		}
	}
}

// issuers returns an issuer for each of the two stores.
func (k *kit) issuers() (issuers [2]*token.Issuer) {
	k.Helper()
	keys, err := token.NewKeySet(token.HS256) // cheap: this is not about signatures
	if err != nil {
		k.fatalf("NewKeySet: %v", err)
	}
	for i := range issuers {
		issuers[i], err = token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: k.paced(i), Issuer: "https://app.example", Audience: "api", ClientID: "app",
			Limits: auth.Limits{Lifetime: loginLifetime, IdleTimeout: loginLifetime},
		})
		if err != nil {
			k.fatalf("NewIssuer: %v", err)
		}
	}
	return issuers
}

// refreshSchedules plays schedules of one login on two hosts, each of some dozens of calls,
// with the clock of a bubble.
func refreshSchedules(k *kit) {
	const schedules, steps = 500, 20
	s := &alternating{stores: k.stores}
	seed := uint64(time.Now().UnixNano())
	for n := range k.rounds(schedules) {
		_, trace, err := simulate.Try(k.t, s, seed, uint64(n))
		if err == nil {
			continue
		}
		last := trace[max(0, len(trace)-steps):]
		k.fatalf("schedule %d of seed %d: %s\nafter these steps, the last of %d:\n\t%s", n, seed, err, len(trace), strings.Join(last, "\n\t"))
	}
}

// alternating makes its calls by one store and the other in turn, like a load balancer in
// front of two processes.
type alternating struct {
	stores [2]store.Store
	calls  atomic.Uint64
}

func (a *alternating) next() store.Store { return a.stores[a.calls.Add(1)%2] }

func (a *alternating) Get(ctx context.Context, key string) ([]byte, bool, error) {
	return a.next().Get(ctx, key)
}

func (a *alternating) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	return a.next().CompareAndSwap(ctx, key, old, new, ttl)
}

func (a *alternating) Delete(ctx context.Context, key string) error {
	return a.next().Delete(ctx, key)
}
