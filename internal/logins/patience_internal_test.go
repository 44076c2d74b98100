package logins

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// conflicting is a store whose swaps all meet another one. It counts them.
type conflicting struct {
	store.Store
	swaps int
}

func (c *conflicting) CompareAndSwap(ctx context.Context, _ string, _, _ []byte, _ time.Duration) (bool, error) {
	c.swaps++
	return false, ctx.Err()
}

// The end of logins marks the list if it can, and does not wait until it can.
func TestASwapWithPatienceGivesUpAfterSoManyConflicts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &conflicting{Store: &store.Memory{}}
	l := &Lists{Store: s}
	for patience := 1; patience <= markTries; patience++ {
		s.swaps = 0
		_, err := l.swap(ctx, "alice", patience, func(*list, bool) (bool, error) {
			if s.swaps > markTries {
				cancel()
			}
			return true, nil
		})
		if !errors.Is(err, errBusy) || s.swaps != patience {
			t.Errorf("patience %d: %d swaps, %v", patience, s.swaps, err)
		}
	}
}
