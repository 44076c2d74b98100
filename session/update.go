package session

import (
	"bytes"
	"context"
	"fmt"
)

// Update changes the values of s. It calls change with a fresh copy of the
// session, which is the one to read from and to set values in, and saves the
// result as a whole or, if change returns an error, not at all. If another
// request has saved the session in the meantime, Update calls change again with
// what is there now. When Update returns nil, the change is kept.
//
// The error wraps [auth.ErrNoCredential] if the session has ended since:
// Update never brings one back. Any error that is neither that nor change's own
// means that the store could not answer; the change may or may not have been
// saved. s itself stays as it is. The save goes on if ctx is cancelled, for 5
// seconds at most.
func (m *Manager) Update(ctx context.Context, s *Session, change func(*Session) error) error {
	ctx, cancel := writing(ctx)
	defer cancel()
	for failures := 0; ; {
		fresh, err := m.load(ctx, m.store.Get, s.digest)
		if err != nil {
			return err
		}
		read := fresh.raw
		fresh.editing = true
		err = change(fresh)
		fresh.editing = false
		if err != nil || !fresh.changed {
			return err
		}
		saved := fresh.encode()
		swapped, err := m.store.CompareAndSwap(ctx, fresh.key, read, saved, m.ttl(&fresh.record))
		if swapped {
			return nil
		}
		if err == nil {
			continue // another request has saved the session
		}
		// The outcome is unknown. What is there now tells, unless yet another
		// request was faster: then change must not be made twice.
		now, ok, again := m.store.Get(ctx, fresh.key)
		switch failures++; {
		case again == nil && ok && bytes.Equal(now, saved):
			return nil
		case again == nil && ok && bytes.Equal(now, read) && failures == 1:
		default:
			return fmt.Errorf("session: update: %w", err)
		}
	}
}
