package session_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// shakyEnd is a store whose next swaps to a tombstone fail.
type shakyEnd struct {
	store.Memory
	failures int
}

var errShaky = errors.New("no answer")

func (s *shakyEnd) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if new[0]&0x80 != 0 && s.failures > 0 {
		s.failures--
		return false, errShaky
	}
	return s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

// One swap without an answer is tried again, and the login succeeds; after two the
// store is down, and the new session must not stay beside the old one.
func TestALoginReplacesTheOldSessionInSpiteOfOneFailure(t *testing.T) {
	for failures := range 3 {
		s := &shakyEnd{}
		m := newManager(t, session.Config{Store: s})
		var b browser
		if err := b.login(m, "alice"); err != nil {
			t.Fatal(err)
		}
		old := b
		s.failures = failures
		err := b.login(m, "alice")
		if (err == nil) != (failures < 2) || failures == 2 && !errors.Is(err, errShaky) {
			t.Errorf("%d failures: %v", failures, err)
		}
		s.failures = 0
		if got, want := old.outcome(m), map[bool]string{true: noCredential, false: valid}[err == nil]; got != want {
			t.Errorf("%d failures: the old session is %s, want %s", failures, got, want)
		}
		list, err := m.Logins(t.Context(), "alice")
		if len(list) != 1 || err != nil {
			t.Errorf("%d failures: %d sessions, %v", failures, len(list), err)
		}
	}
}
