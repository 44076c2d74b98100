package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// faulty is a store that fails at one call or from one call on, or ends the program at a
// call. It counts calls from the replacement of a hash.
type faulty struct {
	store.Memory
	replaced func() bool
	fault    string // "", "once", "down" or "crash"
	late     bool   // what fails has been done all the same
	at       int64
	calls    atomic.Int64
}

var errFaulty = errors.New("the store fails")

func (f *faulty) fails() error {
	if f.fault == "" || !f.replaced() {
		return nil
	}
	n := f.calls.Add(1)
	switch {
	case n == f.at && f.fault == "crash":
		panic(http.ErrAbortHandler)
	case n == f.at && f.fault == "once", n >= f.at && f.fault == "down":
		return errFaulty
	}
	return nil
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if err := f.fails(); err != nil {
		return nil, false, err
	}
	return f.Memory.Get(ctx, key)
}

func (f *faulty) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if err := f.fails(); err != nil {
		if f.late {
			f.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
		return false, err
	}
	return f.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if err := f.fails(); err != nil {
		return err
	}
	return f.Memory.Delete(ctx, key)
}

// in logs a tab in without a password.
func (b *tab) in(o *running, a account) *tab {
	b.t.Helper()
	r, w := httptest.NewRequest("POST", o.URL, nil), httptest.NewRecorder()
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if err := o.site.enter(w, r, a, time.Time{}); err != nil {
		b.t.Fatal(err)
	}
	u, err := url.Parse(o.URL)
	if err != nil {
		b.t.Fatal(err)
	}
	b.c.Jar.SetCookies(u, w.Result().Cookies())
	return b
}

// After a hash is replaced, with any failure and any end of the program: no earlier
// session is accepted, the owner can log in with the new password, and that login stays
// valid.
func TestNoThiefOutlivesANewPasswordWhoseRevocationFailed(t *testing.T) {
	f := &faulty{}
	o := openOver(t, f)
	o.Config.ErrorLog = log.New(io.Discard, "", 0)
	hash, err := o.site.passwords.Hash(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]func(a account, owner *tab) func(){
		"changed": func(a account, owner *tab) func() {
			csrf := owner.in(o, a).csrf("/account")
			return func() { owner.attempt("/password", csrf, "current", first, "password", second) }
		},
		"reset": func(a account, owner *tab) func() {
			link, err := o.site.links.Issue(t.Context(), setting, "", time.Hour, a.Mail, hash)
			if err != nil {
				t.Fatal(err)
			}
			return func() { owner.attempt("/set", "", "mail", a.Mail, "token", link, "password", second) }
		},
	}
	for way, prepare := range set {
		for _, fault := range []string{"once", "late", "down", "crash"} {
			for at := int64(1); ; at++ {
				name := fmt.Sprint(way, ".", fault, ".", at)
				mail := name + "@example.com"
				if made, err := o.site.accounts.create(t.Context(), mail, hash, ""); err != nil || !made {
					t.Fatal(made, err)
				}
				a := o.row(t, mail)
				owner, thief := o.tab(t), o.tab(t).in(o, a)
				send := prepare(a, owner)
				f.replaced = func() bool { return o.row(t, mail).Hash != hash }
				f.at, f.late, f.fault = at, fault == "late", strings.Replace(fault, "late", "once", 1)
				f.calls.Store(0)
				send()
				reached := f.calls.Load()
				if reached < at || fault == "crash" { // which starts anew
					f.fault = ""
				}
				if thief.isIn() {
					t.Errorf("%s: the thief is served while the store fails", name)
				}
				f.fault = ""
				if thief.isIn() {
					t.Errorf("%s: the thief is in", name)
				}
				send() // and not undone by trying again
				if status, _ := owner.post("/login", "", "mail", mail, "password", second); status != 200 {
					t.Errorf("%s: status %d", name, status)
				}
				if thief.isIn() || !owner.isIn() {
					t.Errorf("%s: the thief is in %t, the owner %t", name, thief.isIn(), owner.isIn())
				}
				if reached < at {
					break // nothing failed
				}
			}
		}
	}
}

// attempt is a post that may get no response.
func (b *tab) attempt(action, csrf string, fields ...string) {
	if res, err := b.c.Do(b.request(action, csrf, fields...)); err == nil {
		res.Body.Close()
	}
}

// If a LogoutAll is due for an account, it is run once, and a password that is replaced
// meanwhile is not forgotten.
func TestWhatIsRevokedIsRevokedOnce(t *testing.T) {
	o := open(t)
	a := o.account(t)
	table, ctx := o.site.accounts, t.Context()
	do := func(what string, want bool, got bool, err error) {
		t.Helper()
		if err != nil || got != want {
			t.Errorf("%s: %t, %v", what, got, err)
		}
	}
	due := func() bool { a = o.row(t, alice); return a.Replaced > a.Revoked }
	stored, err := table.rehash(ctx, a.ID, "another", "2")
	do("a hash that is not the one", false, stored, err)
	stored, err = table.replace(ctx, "another", a.Hash, "2")
	do("another account", false, stored, err)
	stored, err = table.rehash(ctx, a.ID, a.Hash, "2")
	do("rehash", true, stored, err)
	do("a password that is hashed anew revokes", false, due(), nil)
	stored, err = table.replace(ctx, a.ID, "2", "3")
	do("replace", true, stored, err)
	do("a new password revokes", true, due(), nil)
	before := a.Replaced
	stored, err = table.replace(ctx, a.ID, "3", "4")
	do("replace again", true, stored, err)
	do("revoked", true, table.setRevoked(ctx, a.ID, before) == nil, nil)
	do("what came meanwhile is due", true, due(), nil)
	do("revoked", true, table.setRevoked(ctx, a.ID, a.Replaced) == nil, nil)
	do("late", true, table.setRevoked(ctx, a.ID, before) == nil, nil)
	do("it is due still", false, due(), nil)
}

// The program that starts after a crash revokes what the one before has not.
func TestAStartRevokesWhatACrashHasLeft(t *testing.T) {
	o := open(t)
	a := o.account(t)
	thief := o.tab(t).in(o, a)
	if done, err := o.site.accounts.replace(t.Context(), a.ID, a.Hash, "the hash of a new password"); err != nil || !done {
		t.Fatal(done, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		o.site.upkeep(ctx, stopping{stop})
	}()
	<-ended
	if list, err := o.site.sessions.Logins(t.Context(), a.ID); err != nil || len(list) > 0 {
		t.Errorf("%d logins, %v", len(list), err)
	}
	if a = o.row(t, alice); a.Replaced != a.Revoked || thief.isIn() {
		t.Errorf("%d of %d revoked", a.Revoked, a.Replaced)
	}
}

// stopping is a database whose first sweep is the last.
type stopping struct{ stop func() }

func (s stopping) DeleteExpired(context.Context) (int64, error) { s.stop(); return 0, nil }

// Pages for visitors and bots cause no store calls.
func TestAVisitorHasNoSession(t *testing.T) {
	f := &faulty{replaced: func() bool { return true }, fault: "down", at: 1}
	o := openOver(t, f)
	for _, page := range []string{"/login", "/signup", "/forgotten", "/set?mail=alice&token=x", "/static/style.css", "/", "/nothing"} {
		res, err := o.Client().Get(o.URL + page)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if n := f.calls.Load(); n != 0 || res.Header["Set-Cookie"] != nil || res.StatusCode != 200 && page != "/nothing" {
			t.Errorf("%s: status %d, %d calls of the store, cookies %q", page, res.StatusCode, n, res.Header["Set-Cookie"])
		}
	}
}
