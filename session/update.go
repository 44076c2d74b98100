package session

import (
	"bytes"
	"context"
	"fmt"

	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// Update changes the values of s. It calls change with a fresh copy of the session, to
// read from and to set values in, and saves the result as a whole or, if change returns
// an error, not at all. If another request has saved the session in the meantime, Update
// calls change again with the saved values. After nil, the change is kept.
//
// The error wraps [auth.ErrNoCredential] if the session has ended: Update never revives
// one. Any other error that is not from change means that the values are too large,
// together more than 32 KiB, or that the store could not answer; in the latter case the
// change may or may not have been saved. s itself does not change. Update continues if
// ctx is canceled, for at most 5 seconds, including change. Updates of one session that
// conflict within this process wait for each other, so change must not call Update for
// the same session.
func (m *Manager) Update(ctx context.Context, s *Session, change func(*Session) error) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	for conflicts := 0; ; conflicts++ {
		if conflicts == 1 {
			leave, err := m.queue.Enter(ctx, s.digest)
			if err != nil {
				return m.failed(ctx, s.event(""), fmt.Errorf("session: update: %w", err))
			}
			defer leave()
		}
		fresh, err := m.readSession(ctx, m.store.Get, s.digest)
		if err != nil {
			return err
		}
		fresh.editing = true
		err = change(fresh)
		fresh.editing = false
		if err != nil || !fresh.changed {
			return err
		}
		if len(fresh.record.Values) > maxValues {
			return fmt.Errorf("session: update: the values take more than %d bytes", maxValues)
		}
		swapped, err := m.swap(ctx, fresh, fresh.encode())
		if err != nil {
			return m.failed(ctx, s.event(""), fmt.Errorf("session: update: %w", err))
		}
		if swapped {
			return nil
		}
		// Another request has saved the session.
	}
}

// maxValues leaves room for an identity, so that a full cart does not prevent a login.
const maxValues = store.MaxValue / 2

// swap puts saved in the place of what s was read from. After an error of the
// store it makes the very same swap again, which then happens once at most,
// even if the first one was only late.
func (m *Manager) swap(ctx context.Context, s *Session, saved []byte) (bool, error) {
	ttl := m.ttl(&s.record)
	swapped, err := m.store.CompareAndSwap(ctx, s.key, s.raw, saved, ttl)
	if err == nil {
		return swapped, nil
	}
	if swapped, again := m.store.CompareAndSwap(ctx, s.key, s.raw, saved, ttl); swapped && again == nil {
		return true, nil
	}
	now, ok, again := m.store.Get(ctx, s.key)
	if again == nil && ok && bytes.Equal(now, saved) {
		return true, nil
	}
	return false, err
}
