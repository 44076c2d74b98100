package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// An attacker who reads an earlier link in a mailbox or a log cannot use it.
func TestANewPasswordEndsEarlierLinks(t *testing.T) {
	for name, set := range map[string]func(o *opened, owner *browser){
		"changed": func(o *opened, owner *browser) {
			owner.wants(200, "is changed")(owner.send("/", "/password", "current", first, "password", second))
		},
		"reset": func(o *opened, owner *browser) {
			link := o.links[1]
			owner.wants(200, "is set")(owner.send(link, "/reset", "name", "alice", "token", tokenOf(t, link), "password", second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			owner, thief := o.registered(t), o.browser(t)
			owner.send("/forgotten", "/forgotten", "name", "alice")
			owner.send("/forgotten", "/forgotten", "name", "alice")
			set(o, owner)
			old := o.links[0]
			thief.wants(403, "not good")(thief.send(old, "/reset", "name", "alice", "token", tokenOf(t, old), "password", "a third one of four"))
			thief.wants(200, "Hello")(thief.send("/login", "/login", "name", "alice", "password", second))
		})
	}
}

// One address can create 10 accounts at once. Further attempts hash nothing, even for a
// name that is in use.
func TestRegisteringIsBounded(t *testing.T) {
	o := open(t)
	owner, b := o.registered(t), o.browser(t)
	for i := range 4 {
		b.wants(409, "taken")(b.send("/register", "/register", "name", "alice", "password", second))
		b.wants(200, "Hello")(b.send("/register", "/register", "name", fmt.Sprint("bob", i), "password", second))
	}
	b.wants(422, "15 characters")(b.send("/register", "/register", "name", "carol", "password", "short"))
	b.wants(200, "Hello")(b.send("/register", "/register", "name", "carol", "password", second))
	b.wants(429, "too many")(b.send("/register", "/register", "name", "dave", "password", second))
	if o.site.accounts.hash("dave") != "" {
		t.Error("there is an account")
	}
	owner.wants(200, "logged out")(owner.send("/", "/logout"))
	owner.wants(200, "Hello")(owner.send("/login", "/login", "name", "alice", "password", first))
}

// An attacker's requests, as many as the limit allows, make the owner wait for an hour at
// most.
func TestNoAttackerLocksMailsOrRegisteringForGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := newSite(&store.Memory{}, func(to, link string) {})
		if err != nil {
			t.Fatal(err)
		}
		for name, limiter := range map[string]*throttle.Limiter{"mails": s.mails, "registering": s.newcomers} {
			try := func(address string) (wait time.Duration) {
				r := httptest.NewRequest("POST", "https://app.example/", nil)
				r.RemoteAddr = address
				err := limiter.Try(httptest.NewRecorder(), r, "alice", func() error { return errCounted })
				if many := (&throttle.Error{}); errors.As(err, &many) {
					if many.RetryAfter() == 0 || many.RetryAfter() > time.Hour {
						t.Fatalf("%s: %v", name, err)
					}
					return many.RetryAfter()
				}
				return 0
			}
			for range 300 {
				time.Sleep(try("203.0.113.66:1"))
			}
			time.Sleep(time.Hour)
			if wait := try("192.0.2.7:1"); wait > 0 {
				t.Errorf("%s: the owner waits for %v", name, wait)
			}
		}
	})
}

// counting counts store calls.
type counting struct {
	store.Memory
	calls atomic.Int64
}

func (c *counting) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.calls.Add(1)
	return c.Memory.Get(ctx, key)
}

func (c *counting) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	c.calls.Add(1)
	return c.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

// The response time does not reveal whether an account exists.
func TestAForgottenPasswordTakesTheSameForAnUnknownUser(t *testing.T) {
	db := &counting{}
	o := openOver(t, db)
	o.registered(t)
	calls := make(map[string]int64)
	for _, name := range []string{"alice", "unknown"} {
		b, before := o.browser(t), db.calls.Load()
		b.wants(200, "on its way")(b.send("/forgotten", "/forgotten", "name", name))
		calls[name] = db.calls.Load() - before
	}
	if calls["alice"] != calls["unknown"] {
		t.Errorf("the store is called %v times", calls)
	}
	if len(o.links) != 1 || !strings.Contains(o.links[0], "name=alice") {
		t.Errorf("mails: %q", o.links)
	}
}
