package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
)

// A cost is how often one operation calls the store.
type cost struct {
	how, what              string // such as "sessions" and "login"
	gets, swaps, deletions int
}

// counting counts the calls of a store.
type counting struct {
	store.Memory
	gets, swaps, deletions atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.gets.Add(1)
	return c.Memory.Get(ctx, key)
}

func (c *counting) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	c.swaps.Add(1)
	return c.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (c *counting) Delete(ctx context.Context, key string) error {
	c.deletions.Add(1)
	return c.Memory.Delete(ctx, key)
}

// of returns what a call costs.
func (c *counting) of(how, what string, call func() error) (cost, error) {
	c.gets.Store(0)
	c.swaps.Store(0)
	c.deletions.Store(0)
	err := call()
	return cost{how, what, int(c.gets.Load()), int(c.swaps.Load()), int(c.deletions.Load())}, err
}

// loginCosts counts what operations cost, and measures the hash of a password.
func loginCosts(ctx context.Context, b *bench) error {
	costs, err := storeCalls(ctx)
	if err != nil {
		return err
	}
	b.results.costs = costs
	b.results.hash, err = hashTime(ctx)
	return err
}

// storeCalls counts for the second device of a subject.
func storeCalls(ctx context.Context) ([]cost, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	s := new(counting)
	browsers, err := ourSessions("sessions", s)
	if err != nil {
		return nil, err
	}
	plain, err := ourTokens("tokens", s, key, false, 0)
	if err != nil {
		return nil, err
	}
	checked, err := ourTokens("tokens with RevocationCheck", s, key, true, 0)
	if err != nil {
		return nil, err
	}
	var all []cost
	for _, of := range []site{browsers, plain.site, checked.site} {
		costs, err := s.ofSite(of)
		if err != nil {
			return nil, err
		}
		all = append(all, costs...)
	}
	tokens, err := plain.issuer.Issue(ctx, typical)
	if err != nil {
		return nil, err
	}
	refresh, err := s.of(plain.name, "refresh", func() error {
		_, err := plain.issuer.Refresh(ctx, tokens.RefreshToken, rand.Text())
		return err
	})
	return append(all, refresh), err
}

// ofSite counts what a login, a request and a logout cost.
func (c *counting) ofSite(of site) (all []cost, err error) {
	if _, err := of.login(typical.Subject); err != nil { // on another device
		return nil, err
	}
	credential := ""
	for _, call := range []struct {
		what string
		do   func() error
	}{
		{"login", func() error { credential, err = of.login(typical.Subject); return err }},
		{"request", func() error { return of.reading(credential, typical.Subject)() }},
		{"logout", func() error { return of.logout(credential) }},
	} {
		one, err := c.of(of.name, call.what, call.do)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// hashTime returns how long the verification of a password takes.
func hashTime(ctx context.Context) (time.Duration, error) {
	passwords, err := password.New(password.Config{})
	if err != nil {
		return 0, err
	}
	hash, err := passwords.Hash(ctx, "the right one")
	if err != nil {
		return 0, err
	}
	var times []time.Duration
	for range 9 {
		start := time.Now()
		if err := passwords.Verify(ctx, hash, "the right one"); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	return median(times), nil
}
