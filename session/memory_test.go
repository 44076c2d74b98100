package session_test

import (
	"context"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// overwritten is a store that overwrites what Get has returned. A store must not, but a test
// sees by it who holds that memory.
type overwritten struct {
	store.Store
	returned [][]byte
}

func (o *overwritten) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := o.Store.Get(ctx, key)
	value = append([]byte(nil), value...)
	o.returned = append(o.returned, value)
	return value, ok, err
}

func (o *overwritten) overwrite() {
	for _, value := range o.returned {
		clear(value)
	}
}

// A request can last for hours, and its session with it. The record that the session was
// read from may have been replaced since then, and its memory belongs to the store.
func TestASessionHoldsNoMemoryOfTheStore(t *testing.T) {
	o := &overwritten{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: o})
	b := &browser{}
	check(t, b.loginWith(m, auth.Identity{Subject: "alice", Scopes: "read write", Claims: `{"plan":"gold"}`}))
	id, err := m.Authenticate(b.request("GET"))
	check(t, err)
	o.overwrite()
	if id.Subject != "alice" || id.Scopes != "read write" || id.Claims != `{"plan":"gold"}` {
		t.Errorf("%+v", id)
	}
	// Update swaps what was read, without another read.
	o.returned = nil
	check(t, m.Update(t.Context(), id.Credential.(*session.Session), addOne))
	if n := len(o.returned); n != 0 {
		t.Errorf("%d reads: the session no longer has what it was read from", n)
	}
}
