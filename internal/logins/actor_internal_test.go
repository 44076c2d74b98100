package logins

import (
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// A login with an actor is remembered after its end as one without is.
func TestATombstoneKnowsNoActor(t *testing.T) {
	for _, kind := range []Kind{Session, Family} {
		got, ok := ParseTombstone(NewTombstone(kind|acting, Revoked))
		if !ok || got.Kind != kind || (kind|acting).TombstoneTTL() != kind.TombstoneTTL() {
			t.Errorf("kind %d: %+v, for %v", kind, got, (kind | acting).TombstoneTTL())
		}
	}
}

// A list with all that it may have fits into the store.
func TestTheLongestListFitsIntoAValue(t *testing.T) {
	now := time.Now()
	l := &list{}
	for _, class := range []struct {
		kind Kind
		n    int
	}{{Family, 1000}, {Pending, maxPending}, {Session | acting, 1000}} {
		for i := range class.n {
			e := Entry{Digest: Digest{byte(class.kind), byte(i), byte(i >> 8)}, Kind: class.kind, Expires: now.Add(maxLifetime), Used: now}
			l.entries = append(l.entries, e)
			l.evict(now, 1000, nil, func(*Entry) bool { return true })
		}
		l.remove(func(e Entry) bool { return e.Ending != 0 })
	}
	if n := len(l.encode("key")); n > store.MaxValue || len(l.entries) != 1000+maxPending+maxActing {
		t.Errorf("%d logins take %d bytes", len(l.entries), n)
	}
}
