package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// TestThrottleOverBackends lets a thousand attempts go at three servers over each
// backend, hundreds at once: on one account from everywhere, and on all accounts
// from one address. Exactly the allowed number is tried, and the owner gets in from
// the browser that the account knows. It prints a table.
//
// Where the machine is so busy that a database does not answer in time, an attempt
// ends in an error: it may have been counted, and is not tried.
//
// ASVS 5.0, 2.4.1 and 6.3.1.
func TestThrottleOverBackends(t *testing.T) {
	var table strings.Builder
	fmt.Fprintf(&table, "\n%-26s %22s %22s", "backend", "one account", "one address")
	for _, backend := range backends {
		t.Run(backend.name, func(t *testing.T) {
			a := newSiege(t, backend.start(t))
			account := a.oneAccount(t)
			address := a.oneAddress(t)
			fmt.Fprintf(&table, "\n%-26s %22s %22s", backend.name, account, address)
		})
	}
	t.Log(table.String())
}

// siege is servers, and the cookie of alice's browser.
type siege struct {
	servers []*throttle.Limiter
	known   string
	pools   []*pooled
}

// So many attempts are made, so many of them at once, over so many connections
// of each server.
const (
	attempts    = 1000
	atOnce      = 300
	connections = 20
)

func newSiege(t *testing.T, open func(*testing.T) store.Store) *siege {
	t.Helper()
	sealer, err := cookie.NewSealer([]byte(strings.Repeat("0123456789abcdef", 2)))
	if err != nil {
		t.Fatal(err)
	}
	a := &siege{}
	for range 3 {
		pool := &pooled{Store: open(t), places: make(chan struct{}, connections)}
		server, err := throttle.New(throttle.Config{
			Store: pool, Sealer: sealer, FirstWait: time.Hour, AddressRecovery: time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		a.servers, a.pools = append(a.servers, server), append(a.pools, pool)
	}
	w := httptest.NewRecorder()
	if err := a.servers[0].Try(w, loginFrom("198.51.100.1", ""), "alice", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	a.known, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return a
}

// pooled is a store with a bounded number of connections, which counts its calls.
type pooled struct {
	store.Store
	places chan struct{}
	calls  atomic.Int64
}

func (p *pooled) enter() (leave func()) {
	p.places <- struct{}{}
	p.calls.Add(1)
	return func() { <-p.places }
}

func (p *pooled) Get(ctx context.Context, key string) ([]byte, bool, error) {
	defer p.enter()()
	return p.Store.Get(ctx, key)
}

func (p *pooled) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	defer p.enter()()
	return p.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func loginFrom(address, cookie string) *http.Request {
	r := httptest.NewRequest("POST", "https://shop.example/login", nil)
	r.RemoteAddr = address + ":1024"
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	return r
}

func (a *siege) oneAccount(t *testing.T) string {
	return a.run(t, 5, func(i int) (*http.Request, string) {
		return loginFrom(fmt.Sprintf("203.0.%d.%d", i>>8, i&255), ""), "alice"
	})
}

func (a *siege) oneAddress(t *testing.T) string {
	return a.run(t, 100, func(i int) (*http.Request, string) {
		return loginFrom("192.0.2.7", ""), fmt.Sprint("account ", i)
	})
}

// run makes all attempts at once, while the owner logs in ten times.
func (a *siege) run(t *testing.T, allowed int64, attempt func(i int) (*http.Request, string)) string {
	t.Helper()
	var tried, refused, unable, owners atomic.Int64
	var all sync.WaitGroup
	start, places := make(chan struct{}), make(chan struct{}, atOnce)
	all.Go(func() {
		<-start
		for i := range 10 {
			err := a.servers[i%len(a.servers)].Try(httptest.NewRecorder(), loginFrom("192.0.2.7", a.known), "alice", func() error { return nil })
			switch {
			case err == nil:
				owners.Add(1)
			case errors.Is(err, context.DeadlineExceeded):
				unable.Add(1)
			default:
				t.Errorf("the owner: %v", err)
			}
		}
	})
	for i := range attempts {
		all.Go(func() {
			<-start
			places <- struct{}{}
			defer func() { <-places }()
			r, account := attempt(i)
			err := a.servers[i%len(a.servers)].Try(httptest.NewRecorder(), r, account, func() error {
				tried.Add(1)
				return auth.ErrUnauthenticated
			})
			var throttled *throttle.Error
			switch {
			case errors.As(err, &throttled):
				refused.Add(1)
			case errors.Is(err, context.DeadlineExceeded):
				unable.Add(1)
			case !errors.Is(err, auth.ErrUnauthenticated):
				t.Errorf("attempt %d: %v", i, err)
			}
		})
	}
	began := time.Now()
	close(start)
	all.Wait()
	done, no, in, late := tried.Load(), refused.Load(), owners.Load(), unable.Load()
	exact := done <= allowed && done+late >= allowed && in+late >= 10 && done+no+in+late == attempts+10
	if works := done > 0 && in > 0 && late <= attempts/2; !exact || !works {
		t.Errorf("%d were tried and %d refused, the owner got in %d times, %d had no answer in time", done, no, in, late)
	}
	took, calls := time.Since(began).Round(time.Millisecond), int64(0)
	for _, p := range a.pools {
		calls += p.calls.Swap(0)
	}
	if late > 0 {
		t.Logf("%d had no answer in time", late)
	}
	return fmt.Sprintf("%v, %d calls", took, calls)
}
