package session

import (
	"testing"
	"time"

	"github.com/authlatch/auth/internal/logins"
)

// ASVS 5.0, 7.4.2.
// Log-ins by token stand in the same list: they are neither shown here nor
// ended one by one, and go with all others.
func TestLoginsOfAnotherKindEndWithAllOnly(t *testing.T) {
	p := plant(t, nil)
	family := logins.Digest{7}
	if ok, err := p.store.CompareAndSwap(t.Context(), family.Key(), nil, []byte("a family"), time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
	entry := logins.Entry{Digest: family, Kind: logins.Family, Expires: time.Now().Add(time.Hour)}
	if err := p.lists.Add(t.Context(), "alice", entry, nil); err != nil {
		t.Fatal(err)
	}
	if list, err := p.List(t.Context(), "alice"); len(list) != 0 || err != nil {
		t.Errorf("shown: %v, %v", list, err)
	}
	ended := func() bool {
		raw, ok, err := p.store.Get(t.Context(), family.Key())
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		tombstone, ended := logins.ParseTombstone(raw)
		return ended && tombstone.Kind == logins.Family
	}
	if err := p.LogoutOne(t.Context(), "alice", family.LoginID()); err != nil || ended() {
		t.Error("log-out of one ends a log-in of another kind", err)
	}
	if err := p.LogoutAll(t.Context(), "alice", family.LoginID()); err != nil || ended() {
		t.Error("log-out of all ends what is to be kept", err)
	}
	if err := p.LogoutAll(t.Context(), "alice"); err != nil || !ended() {
		t.Error("log-out of all leaves a log-in of another kind", err)
	}
}
