package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
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

// in logs a browser in without a password.
func (b *browser) in(o *opened, name string) *browser {
	b.t.Helper()
	r, w := httptest.NewRequest("POST", o.URL, nil), httptest.NewRecorder()
	if err := o.site.sessions.Login(w, r, auth.Identity{Subject: name}); err != nil {
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
	o.Config.ErrorLog = nil
	hash, err := o.site.passwords.Hash(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]func(name string, owner *browser) func(){
		"changed": func(name string, owner *browser) func() {
			owner.in(o, name)
			token := owner.form("/")
			return func() { owner.attempt("/password", token, "current", first, "password", second) }
		},
		"reset": func(name string, owner *browser) func() {
			link, err := o.site.links.Issue(t.Context(), resetting, "", time.Hour, name, hash)
			if err != nil {
				t.Fatal(err)
			}
			return func() { owner.attempt("/reset", "", "name", name, "token", link, "password", second) }
		},
	}
	for way, prepare := range set {
		for _, fault := range []string{"once", "late", "down", "crash"} {
			for at := int64(1); ; at++ {
				name := fmt.Sprint(way, " ", fault, " ", at)
				o.site.accounts.create(name, hash)
				owner, thief := o.browser(t), o.browser(t).in(o, name)
				send := prepare(name, owner)
				f.replaced = func() bool { return o.site.accounts.hash(name) != hash }
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
				owner.wants(200, "Hello")(owner.send("/login", "/login", "name", name, "password", second))
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
func (b *browser) attempt(action, token string, fields ...string) {
	if res, err := b.c.Do(b.request(action, token, fields...)); err == nil {
		res.Body.Close()
	}
}

// If a LogoutAll is due for an account, its first request runs it. Sessions by the current
// password stay valid.
func TestWhatIsRevokedIsRevokedOnce(t *testing.T) {
	var a accounts
	a.create("alice", "1")
	if _, owed := a.owes("alice"); owed || a.rehash("alice", "2", "3") || a.replace("alice", "", "3") || a.replace("bob", "", "3") {
		t.Error("an account of its own")
	}
	a.rehash("alice", "1", "2")
	if _, owed := a.owes("alice"); owed {
		t.Error("a password that is hashed anew revokes")
	}
	a.replace("alice", "2", "3")
	before, owed := a.owes("alice")
	a.rehash("alice", "3", "4")
	a.replace("alice", "4", "5")
	if a.revoked("alice", before); !owed {
		t.Error("a new password revokes nothing")
	}
	now, owed := a.owes("alice")
	if !owed {
		t.Error("what came meanwhile is forgotten")
	}
	a.revoked("alice", now)
	a.revoked("alice", before)
	if _, owed := a.owes("alice"); owed {
		t.Error("it is owed still")
	}
}

func TestANameIsNoLineOfAMail(t *testing.T) {
	for name, want := range map[string]bool{
		"alice": true, "alice bob": true, "zoë@shop.example": true, "李": true, strings.Repeat("a", 100): true,
		"": false, strings.Repeat("a", 101): false, "a\r\nBcc: b": false, "a\nb": false, "a\rb": false, "a\tb": false, "a\x00b": false,
		"a\x7fb": false, "a\u0085b": false, "a\u2028b": false, "a\u2029b": false, "a\u202eb": false, "a\u200bb": false, "a\ufeffb": false,
		"a\u00a0b": false, "a\xffb": false,
	} {
		if got := isName(nameOf(name)); got != want {
			t.Errorf("%q: %t", name, got)
		}
	}
	o := open(t)
	b := o.browser(t)
	b.wants(422, "can be seen")(b.send("/register", "/register", "name", "alice\r\nBcc: bob@evil.example", "password", first))
	b.wants(200, "on its way")(b.send("/forgotten", "/forgotten", "name", "alice\r\nBcc: bob@evil.example"))
	if len(o.links) > 0 {
		t.Errorf("a mail: %q", o.links)
	}
}

// Pages for visitors and bots cause no store calls.
func TestAVisitorHasNoSession(t *testing.T) {
	f := &faulty{replaced: func() bool { return true }, fault: "down", at: 1}
	o := openOver(t, f)
	for _, page := range []string{"/login", "/register", "/forgotten", "/reset?name=alice&token=x", "/style.css", "/"} {
		res, err := o.Client().Get(o.URL + page)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if n := f.calls.Load(); n != 0 || res.Header["Set-Cookie"] != nil || res.StatusCode != 200 && page != "/" {
			t.Errorf("%s: status %d, %d calls of the store, cookies %q", page, res.StatusCode, n, res.Header["Set-Cookie"])
		}
	}
}
