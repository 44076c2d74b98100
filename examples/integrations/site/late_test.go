package main

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
)

// gated is a store that can delay a login after its password was verified, and that can
// fail.
type gated struct {
	store.Memory
	gate    atomic.Pointer[gate]
	failing atomic.Bool // goes down once a login is complete
	down    atomic.Bool
}

type gate struct{ reached, open chan struct{} }

const listFormat = 0x02 // of the logins of a subject, which each login changes last

func (g *gated) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if new[0] == listFormat {
		if held := g.gate.Swap(nil); held != nil {
			close(held.reached)
			<-held.open
		}
	}
	swapped, err := g.Memory.CompareAndSwap(ctx, key, old, new, ttl)
	if swapped && new[0] == listFormat && g.failing.Load() {
		g.down.Store(true)
	}
	return swapped, err
}

func (g *gated) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if g.down.Load() {
		return nil, false, errors.New("down")
	}
	return g.Memory.Get(ctx, key)
}

// heldUp logs b in with the first password, and calls meanwhile between its verification
// and the login.
func (g *gated) heldUp(b *tab, meanwhile func()) (status int) {
	held := &gate{make(chan struct{}), make(chan struct{})}
	open := sync.OnceFunc(func() { close(held.open) })
	defer open()
	g.gate.Store(held)
	done := make(chan struct{})
	go func() {
		defer close(done)
		status, _ = b.post("/login", "", "mail", alice, "password", first)
	}()
	<-held.reached
	meanwhile()
	open()
	<-done
	return status
}

func TestALoginByAPasswordThatIsReplacedMeanwhileIsRefused(t *testing.T) {
	for name, replace := range map[string]func(o *running, owner *tab){
		"changed": func(o *running, owner *tab) {
			owner.wants(200, "is changed")(owner.send("/account", "/password", "current", first, "password", second))
		},
		"reset": func(o *running, owner *tab) {
			owner.post("/forgotten", "", "mail", alice)
			owner.wants(200, "is set")(owner.post("/set", "", "mail", alice, "token", o.tokenOf(t, o.pages[0]), "password", second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := &gated{}
			o := openOver(t, db)
			owner, thief := o.user(t), o.tab(t)
			if status := db.heldUp(thief, func() { replace(o, owner) }); status != http.StatusConflict {
				t.Errorf("status %d", status)
			}
			if thief.isIn() {
				t.Error("a login by the old password outlived it")
			}
			owner.login(second)
		})
	}
}

func TestALoginThatCannotBeEndedIsNotDisclosed(t *testing.T) {
	db := &gated{}
	o := openOver(t, db)
	owner, thief := o.user(t), o.tab(t)
	status := db.heldUp(thief, func() {
		owner.wants(200, "is changed")(owner.send("/account", "/password", "current", first, "password", second))
		db.failing.Store(true)
	})
	db.failing.Store(false)
	if !db.down.Swap(false) || status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if thief.isIn() {
		t.Error("a login by the old password outlived it")
	}
}

// older hashes the first password of alice with older settings.
func (o *running) older(t *testing.T) {
	t.Helper()
	older, err := password.New(password.Config{Memory: 12288, Iterations: 3})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := older.Hash(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	a := o.row(t, alice)
	if stored, err := o.site.accounts.rehash(t.Context(), a.ID, a.Hash, hash); err != nil || !stored {
		t.Fatal(stored, err)
	}
}

func TestAPasswordThatIsHashedAnewIsStillTheOne(t *testing.T) {
	o := open(t)
	b := o.user(t)
	o.older(t)
	b.login(first)
	if o.site.passwords.NeedsRehash(o.row(t, alice).Hash) {
		t.Error("the older hash is stored still")
	}
}

// Two concurrent logins both rehash the password, and one of them stores the hash.
func TestTwoConcurrentLoginsThatRehashBothSucceed(t *testing.T) {
	o := open(t)
	in := []*tab{o.user(t), o.tab(t)}
	for range 3 {
		o.older(t)
		var all sync.WaitGroup
		for _, b := range in {
			all.Go(func() {
				if status, _ := b.post("/login", "", "mail", alice, "password", first); status != 200 || !b.isIn() {
					t.Errorf("status %d", status)
				}
			})
		}
		all.Wait()
	}
}

// Clients log in repeatedly with the old password while it is changed.
func TestNoLoginByTheOldPasswordOutlivesItsChange(t *testing.T) {
	changes := 3
	if testing.Short() {
		changes = 1
	}
	for range changes {
		o := open(t)
		owner := o.user(t) // known, so not throttled with them
		in := make([]*tab, 8)
		var all sync.WaitGroup
		for i := range in {
			in[i] = o.tab(t)
		}
		for half := range 2 {
			all.Go(func() {
				for _, b := range in[half*4:][:4] {
					b.post("/login", "", "mail", alice, "password", first)
				}
			})
		}
		owner.wants(200, "is changed")(owner.send("/account", "/password", "current", first, "password", second))
		all.Wait()
		for _, b := range in {
			if b.isIn() {
				t.Error("a login by the old password outlived its change")
			}
		}
	}
}
