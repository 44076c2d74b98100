package main

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// One address gets five mails at once, and one client sends ten.
func TestMailsAreBounded(t *testing.T) {
	o := open(t)
	o.account(t)
	b := o.tab(t)
	for i := range 5 {
		b.wants(200, "a link is on its way")(b.post([]string{"/forgotten", "/signup"}[i%2], "", "mail", alice))
	}
	b.wants(429, "too many attempts")(b.post("/forgotten", "", "mail", alice))
	for i := range 5 {
		b.wants(200, "a link is on its way")(b.post("/signup", "", "mail", fmt.Sprint("bob", i, "@example.com")))
	}
	b.wants(429, "too many attempts")(b.post("/signup", "", "mail", "carol@example.com"))
	if len(o.to) != 10 {
		t.Errorf("%d mails", len(o.to))
	}
}

// An attacker's requests, as many as the limit allows, make the owner wait for an hour at
// most.
func TestNoAttackerLocksMailsForGood(t *testing.T) {
	s, _ := siteOver(t, &store.Memory{}, auth.Limits{})
	synctest.Test(t, func(t *testing.T) {
		try := func(address string) (wait time.Duration) {
			r := httptest.NewRequest("POST", "https://app.example/", nil)
			r.Header.Set("Sec-Fetch-Site", "same-origin")
			r.RemoteAddr = address
			err := s.mails.Try(httptest.NewRecorder(), r, alice, func() error { return errCounted })
			if many := (&throttle.Error{}); errors.As(err, &many) {
				if many.RetryAfter() == 0 || many.RetryAfter() > time.Hour {
					t.Fatal(err)
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
			t.Errorf("the owner waits for %v", wait)
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

// PostgreSQL refuses such text with an error, which would be a 503 and an alert.
func TestAnAddressThatNoAccountCanHaveIsNotQueried(t *testing.T) {
	db, err := openDatabase(t.Context(), options{sqlite: filepath.Join(t.TempDir(), "site.db")})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.close(); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"\x00", "a\x00@example.com", "\xff"} {
		for name, read := range map[string]func(context.Context, string) (account, error){
			"byMail": accounts{db.SQL}.byMail, "byID": accounts{db.SQL}.byID,
		} {
			if a, err := read(t.Context(), value); err != nil || a != (account{}) {
				t.Errorf("%s %q: %v, %v", name, value, a, err)
			}
		}
	}
	if _, err := (accounts{db.SQL}).byMail(t.Context(), alice); err == nil {
		t.Error("the database is closed, and an address was not queried")
	}
}
