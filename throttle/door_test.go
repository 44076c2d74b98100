package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

var errStore = errors.New("store: dial 10.0.0.7: secret refused")

// door is a limiter with a check, and the events that it reported.
type door struct {
	*throttle.Limiter
	t testing.TB

	mu     sync.Mutex
	events []auth.Event
	checks int
}

func newDoor(t testing.TB, c throttle.Config) *door {
	t.Helper()
	d := &door{t: t}
	if c.Store == nil {
		c.Store = &store.Memory{}
	}
	c.Events = func(_ context.Context, e auth.Event) {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.events = append(d.events, e)
	}
	var err error
	if d.Limiter, err = throttle.New(c); err != nil {
		t.Fatal(err)
	}
	return d
}

func newSealer(t testing.TB) *cookie.Sealer {
	t.Helper()
	s, err := cookie.NewSealer([]byte(strings.Repeat("0123456789abcdef", 2)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// guest is a browser at an address.
type guest struct {
	address string
	cookie  string
}

// from returns a browser with an address of its own.
func from(i int) *guest {
	return &guest{address: fmt.Sprintf("198.%d.%d.%d:1024", 18+i>>16, i>>8&255, i&255)}
}

func (g *guest) request() *http.Request {
	r := httptest.NewRequest("POST", "https://shop.example/login", nil)
	r.RemoteAddr = g.address
	if g.cookie != "" {
		r.Header.Set("Cookie", g.cookie)
	}
	return r
}

// try tries a proof that is right or wrong, keeps the cookie, and returns the outcome
// as a word.
func (d *door) try(g *guest, account string, right bool) string {
	d.t.Helper()
	outcome, _ := d.attempt(g, account, right)
	return outcome
}

func (d *door) attempt(g *guest, account string, right bool) (outcome string, wait time.Duration) {
	d.t.Helper()
	w, called := httptest.NewRecorder(), false
	err := d.Try(w, g.request(), account, func() error {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.checks++
		called = true
		if !right {
			return auth.ErrUnauthenticated
		}
		return nil
	})
	if set := w.Header().Get("Set-Cookie"); set != "" {
		if err != nil {
			d.t.Error("a cookie was set with an error")
		}
		g.cookie, _, _ = strings.Cut(set, ";")
	}
	var throttled *throttle.Error
	switch {
	case errors.As(err, &throttled) && errors.Is(err, auth.ErrForbidden) && !errors.Is(err, auth.ErrUnauthenticated) && !called:
		return "throttled", throttled.RetryAfter()
	case err == nil && right && called:
		return "right", 0
	case errors.Is(err, auth.ErrUnauthenticated) && !errors.Is(err, auth.ErrForbidden) && !right && called:
		return "wrong", 0
	case !called:
		return "no answer", 0
	}
	d.t.Fatalf("Try returns %v, called %t", err, called)
	return "", 0
}

// unable makes an attempt whose check fails.
func (d *door) unable(g *guest, account string) string {
	err := d.Try(httptest.NewRecorder(), g.request(), account, func() error { return errStore })
	if errors.Is(err, errStore) {
		return "unable"
	}
	return fmt.Sprint(err)
}

// wrongs tries n wrong proofs, all of which are checked.
func (d *door) wrongs(g *guest, account string, n int) {
	d.t.Helper()
	for i := range n {
		if got := d.try(g, account, false); got != "wrong" {
			d.t.Fatalf("attempt %d of %d is %s", i+1, n, got)
		}
	}
}

func (d *door) expect(want string, g *guest, account string, right bool) {
	d.t.Helper()
	if got := d.try(g, account, right); got != want {
		d.t.Fatalf("the outcome is %s, want %s", got, want)
	}
}
