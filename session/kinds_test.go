package session

import (
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
)

// ASVS 5.0, 7.4.2 and 7.5.2.
// Logins by token stand in the same list: they are shown, and end one by one and
// with all others.
func TestLoginsByTokenAreShownAndEnded(t *testing.T) {
	p := plant(t, nil)
	d := logins.Digest{7}
	now := time.Now()
	family := rotation.Family{
		Created: now.UnixMilli(), Rotated: now.UnixMilli(), AuthTime: now.UnixMilli(),
		Idle: now.Add(time.Minute).UnixMilli(), Expires: now.Add(time.Hour).UnixMilli(), Subject: "alice",
	}
	if ok, err := p.store.CompareAndSwap(t.Context(), d.Key(), nil, family.Encode(), time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	entry := logins.Entry{Digest: d, Kind: logins.Family, Expires: now.Add(time.Hour)}
	if err := p.lists.Add(t.Context(), "alice", entry, nil); err != nil {
		t.Fatal(err)
	}
	if list, err := p.Logins(t.Context(), "alice"); len(list) != 1 || err != nil || list[0].ID != d.LoginID() || list[0].Kind != auth.LoginToken {
		t.Errorf("shown: %v, %v", list, err)
	}
	ended := func() bool {
		raw, ok, err := p.store.Get(t.Context(), d.Key())
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		tombstone, ended := logins.ParseTombstone(raw)
		return ended && tombstone.Kind == logins.Family
	}
	if err := p.LogoutAll(t.Context(), "alice", d.LoginID()); err != nil || ended() {
		t.Error("LogoutAll ends what is to be kept", err)
	}
	if err := p.LogoutOne(t.Context(), "bob", d.LoginID()); err != nil || ended() {
		t.Error("LogoutOne ends a login of another subject", err)
	}
	if err := p.LogoutOne(t.Context(), "alice", d.LoginID()); err != nil || !ended() {
		t.Error("LogoutOne leaves a login by token", err)
	}
}
