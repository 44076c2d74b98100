package logins_test

import (
	"context"
	"errors"
	"testing"
	"time"

	. "github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/store"
)

// shaky is a store that calls a test before its next swap, or loses the response to
// it.
type shaky struct {
	store.Memory
	before func()
	after  error // what the swap says, though it has happened
}

func (s *shaky) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if before := s.before; before != nil {
		s.before = nil
		before()
	}
	swapped, err := s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
	if failure := s.after; failure != nil {
		s.after = nil
		return false, failure
	}
	return swapped, err
}

// listed makes logins over a store.
func listed(t *testing.T, s store.Store, n int) (l *Lists, digests []Digest) {
	t.Helper()
	l = &Lists{Store: s, Bound: 100, Fault: func(_ context.Context, _ string, err error) { t.Error(err) }}
	for range n {
		d := newDigest()
		if ok, err := s.CompareAndSwap(t.Context(), d.Key(), nil, liveRecord(), time.Hour); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := l.Add(t.Context(), subject, entry(d), nil); err != nil {
			t.Fatal(err)
		}
		digests = append(digests, d)
	}
	return l, digests
}

// The logins that were ended are reported, even if the response to the swap that marked
// them was lost.
func TestEndReturnsWhatASwapOfUnknownOutcomeHasEnded(t *testing.T) {
	s := &shaky{}
	l, digests := listed(t, s, 3)
	s.after = errors.New("no response")
	ended, err := l.End(t.Context(), subject, Revoked, func(e Entry) bool { return e.Digest != digests[1] })
	if err != nil || len(ended) != 2 || ended[0].Digest != digests[0] || ended[1].Digest != digests[2] {
		t.Errorf("%v, %v", ended, err)
	}
	if left, err := l.Entries(t.Context(), subject); err != nil || len(left) != 1 || left[0].Digest != digests[1] {
		t.Errorf("%v, %v", left, err)
	}
}

// Logins that another call has ended meanwhile are reported by that call.
func TestEndReturnsNothingThatAnotherHasEnded(t *testing.T) {
	s := &shaky{}
	l, digests := listed(t, s, 2)
	s.before = func() {
		if ended, err := l.End(t.Context(), subject, Revoked, only(digests[0])); err != nil || len(ended) != 1 {
			t.Errorf("%v, %v", ended, err)
		}
	}
	ended, err := l.End(t.Context(), subject, Revoked, everything)
	if err != nil || len(ended) != 1 || ended[0].Digest != digests[1] {
		t.Errorf("%v, %v", ended, err)
	}
}
