package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/redisstore"
	"github.com/authlatch/auth/token"
)

// soakSamples are taken of each backend. The first third is left out: it is
// longer than logins live, so that all has filled up by then.
const soakSamples = 15

// TestSoak looks whether anything grows under mixed traffic at two processes,
// over each backend. In the end nothing is left in the store but the logouts
// that must be remembered. It takes ten minutes in all if AUTH_LONG is 1.
func TestSoak(t *testing.T) {
	lasts := 4500 * time.Millisecond
	if os.Getenv("AUTH_LONG") == "1" {
		lasts = 10 * time.Minute / time.Duration(len(soakBackends))
	}
	for _, backend := range soakBackends {
		t.Run(backend.name, func(t *testing.T) {
			stores, measure := backend.start(t)
			s := newSoak(t, stores)
			curves := s.run(t, lasts, measure)
			for _, name := range []string{"heap", "goroutines", "connections", "records"} {
				if curve, ok := curves[name]; ok {
					judgeCurve(t, name, curve, lasts)
				}
			}
			if _, counts := curves["records"]; counts {
				s.drain(t, measure)
			}
		})
	}
}

// soakSlack is how much more the second half may have than a quarter more.
var soakSlack = map[string]float64{"heap": 2 << 20, "goroutines": 6, "connections": 6, "records": 60}

func judgeCurve(t *testing.T, name string, curve []float64, lasts time.Duration) {
	curve = curve[len(curve)/3:]
	half := len(curve) / 2
	first, second := mean(curve[:half]), mean(curve[half:])
	a := slope(curve) * soakSamples / lasts.Minutes()
	t.Logf("%-12s %10.0f in the first half, %10.0f in the second, slope %+10.1f a minute", name, first, second, a)
	if second > first*1.25+soakSlack[name] {
		t.Errorf("%s grows: %.0f", name, curve)
	}
}

func mean(curve []float64) (m float64) {
	for _, y := range curve {
		m += y / float64(len(curve))
	}
	return m
}

// slope is that of the line of least squares, for each step.
func slope(curve []float64) float64 {
	var above, below float64
	middle, m := float64(len(curve)-1)/2, mean(curve)
	for i, y := range curve {
		x := float64(i) - middle
		above += x * (y - m)
		below += x * x
	}
	return above / below
}

// A soak is users at two processes that log in both ways.
type soak struct {
	sessions [2]*session.Manager
	issuers  [2]*token.Issuer
	stores   [2]store.Store

	mu     sync.Mutex
	logins int
	ended  []time.Time // when tokens were logged out, which is known for an hour
}

// Stores keep records for some minutes more than logins last. A soak does not take as
// long: it divides all times to live in its stores by haste, so that a minute takes half
// a second.
const (
	haste        = 120
	soakLifetime = time.Minute
)

type hasty struct{ store.Store }

func (h hasty) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	return h.Store.CompareAndSwap(ctx, key, old, new, ttl/haste)
}

type hastyNear struct{ *redisstore.Near }

func (h hastyNear) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	return h.Near.CompareAndSwap(ctx, key, old, new, ttl/haste)
}

func hasten(s store.Store) store.Store {
	if near, ok := s.(*redisstore.Near); ok {
		return hastyNear{near}
	}
	return hasty{s}
}

func newSoak(t *testing.T, stores [2]store.Store) *soak {
	t.Helper()
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	s := &soak{stores: stores}
	for i, st := range stores {
		st = hasten(st)
		var err1, err2 error
		s.sessions[i], err1 = session.New(session.Config{Store: st, Limits: auth.Limits{IdleTimeout: soakLifetime, Lifetime: soakLifetime}})
		s.issuers[i], err2 = token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: st, RevocationCheck: true, Issuer: "https://login.example", Audience: "https://api.example", ClientID: "soak",
			AccessLifetime: soakLifetime, Limits: auth.Limits{IdleTimeout: soakLifetime, Lifetime: soakLifetime},
		})
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// run has traffic of an even pace, and samples what must not grow.
func (s *soak) run(t *testing.T, lasts time.Duration, measure func() map[string]float64) map[string][]float64 {
	ctx, cancel := context.WithCancel(t.Context())
	var users sync.WaitGroup
	defer users.Wait()
	defer cancel()
	for i := range 4 {
		users.Go(func() {
			pace := time.NewTicker(80 * time.Millisecond)
			defer pace.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				if err := s.stay(i, n); err != nil && !over(err) { // it may have expired on the way
					t.Error(err)
				}
				<-pace.C
			}
		})
	}
	curves := make(map[string][]float64)
	for range soakSamples {
		time.Sleep(lasts / soakSamples)
		for name, value := range s.sample(t, measure) {
			curves[name] = append(curves[name], value)
		}
	}
	return curves
}

// stay is a login in both ways that is used, and then ended or left to expire.
func (s *soak) stay(i, n int) error {
	ctx := context.Background() // what was begun goes to its end
	here, there := i%2, (i+1)%2
	subject := fmt.Sprintf("user %d.%d", i, n)
	var c client
	err := c.login(ctx, s.sessions[here], subject)
	for range 2 {
		if err == nil {
			err = c.increment(ctx, s.sessions[there])
		}
		if err == nil {
			_, err = c.authenticate(ctx, s.sessions[there])
		}
	}
	if err != nil {
		return err
	}
	tokens, err := s.issuers[here].Issue(ctx, auth.Identity{Subject: subject})
	if err == nil {
		tokens, err = s.issuers[there].Refresh(ctx, tokens.RefreshToken, random())
	}
	if err == nil {
		r := httptest.NewRequest("GET", "https://app.example/", nil)
		r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		_, err = s.issuers[here].Authenticate(r)
	}
	if err != nil {
		return err
	}
	return s.leave(ctx, here, n, subject, &c, tokens)
}

func (s *soak) leave(ctx context.Context, here, n int, subject string, c *client, tokens token.Tokens) (err error) {
	ends := n%4 < 2
	switch n % 4 {
	case 0:
		err = errors.Join(c.logout(ctx, s.sessions[here]), s.issuers[here].Revoke(ctx, tokens.RefreshToken))
	case 1:
		err = s.sessions[here].LogoutAll(ctx, subject)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins++
	if ends {
		s.ended = append(s.ended, time.Now())
	}
	return err
}

// remembered is how many logouts of tokens the store must know of.
func (s *soak) remembered() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.ended) > 0 && time.Since(s.ended[0]) > time.Hour/haste {
		s.ended = s.ended[1:]
	}
	return float64(len(s.ended))
}

// sample sweeps, and measures. Records are those beside remembered logouts.
func (s *soak) sample(t *testing.T, measure func() map[string]float64) map[string]float64 {
	if st, ok := s.stores[0].(sweeper); ok {
		if _, err := st.DeleteExpired(t.Context()); err != nil {
			t.Error(err)
		}
	}
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	values := measure()
	values["heap"] = float64(memory.HeapAlloc)
	values["goroutines"] = float64(runtime.NumGoroutine())
	if _, ok := values["records"]; ok {
		values["records"] -= s.remembered()
	}
	return values
}

// drain waits until all logins have expired and are gone.
func (s *soak) drain(t *testing.T, measure func() map[string]float64) {
	left := 0.0
	for start := time.Now(); time.Since(start) < hang; {
		if left = s.sample(t, measure)["records"]; left <= 0 {
			t.Logf("nothing is left of %d logins each way but %.0f logouts", s.logins, s.remembered())
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%.0f records are left of logins that have expired", left)
}
