package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// Update changes the values of s. It calls change with a copy of the session, to read from
// and to set values in, and saves the result as a whole or, if change returns an error, not
// at all. If another request has saved the session in the meantime, Update calls change again
// with the saved values. After nil, the change is kept, and [Key.Get] of s returns it.
//
// Update writes once. It first tries change on s as it is, without a read. If the store
// has another version by then, or if change returns an error or sets nothing, Update
// reads the session and calls change again. The result of the last call counts. If that
// changes nothing, Update writes nothing.
//
// The error wraps [auth.ErrNoCredential] if the session has ended: Update never revives
// one. Any other error that is not from change means that the values are too large,
// together more than 32 KiB, or that the store could not answer; in the latter case the
// change may or may not have been saved. After an error s is as it was. Update continues
// if ctx is canceled, for at most 5 seconds, including change. Updates of one session
// that conflict within this process wait for each other, so change must not call Update
// for the same session. After concurrent Updates of the same s, s has the values that one
// of them has saved or, if it changed nothing, has read.
func (m *Manager) Update(ctx context.Context, s *Session, change func(*Session) error) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	if saved, err := m.updateUnread(ctx, s, change); saved || err != nil {
		return err
	}
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
		if err := fresh.edit(change); err != nil {
			return err
		}
		if !fresh.changed {
			s.saved.Store(fresh)
			return nil
		}
		if saved, err := m.save(ctx, s, fresh); saved || err != nil {
			return err
		}
		// Another request has saved the session.
	}
}

// updateUnread makes the change to the session as s has it: the swap finds out whether that
// is what the store has. Without a swap nothing would, so an error of change does not count.
func (m *Manager) updateUnread(ctx context.Context, s *Session, change func(*Session) error) (saved bool, err error) {
	latest := s.latest()
	if !m.ends(latest).After(time.Now()) {
		return false, nil
	}
	fresh := &Session{record: latest.record, digest: s.digest, key: s.key, raw: latest.raw, loginID: s.loginID}
	if fresh.edit(change) != nil || !fresh.changed || len(fresh.record.Values) > maxValues {
		return false, nil
	}
	return m.save(ctx, s, fresh)
}

// edit calls change, within which values can be set.
func (s *Session) edit(change func(*Session) error) error {
	s.editing = true
	err := change(s)
	s.editing = false
	return err
}

// save stores fresh in place of what it was read from, and lets s have its values.
func (m *Manager) save(ctx context.Context, s, fresh *Session) (saved bool, err error) {
	if len(fresh.record.Values) > maxValues {
		return false, fmt.Errorf("session: update: the values take more than %d bytes", maxValues)
	}
	raw := fresh.encode()
	saved, err = m.swap(ctx, fresh, raw)
	if err != nil {
		return false, m.failed(ctx, s.event(""), fmt.Errorf("session: update: %w", err))
	}
	if saved {
		fresh.raw = string(raw)
		s.saved.Store(fresh)
	}
	return saved, nil
}

// maxRecord leaves room for the times of a record, which grow while it is used.
const maxRecord = store.MaxValue - 64

// maxValues leaves room for an identity, so that a full cart does not prevent a login.
const maxValues = store.MaxValue / 2

// swap puts saved in the place of what s was read from. After an error of the
// store it makes the very same swap again, which then happens once at most,
// even if the first one was only late.
func (m *Manager) swap(ctx context.Context, s *Session, saved []byte) (bool, error) {
	if len(saved) > maxRecord {
		return false, errors.New("the session is too large to be stored")
	}
	old, ttl := []byte(s.raw), m.ttl(&s.record)
	swapped, err := m.store.CompareAndSwap(ctx, s.key, old, saved, ttl)
	if err == nil {
		return swapped, nil
	}
	if swapped, again := m.store.CompareAndSwap(ctx, s.key, old, saved, ttl); swapped && again == nil {
		return true, nil
	}
	now, ok, again := m.store.Get(ctx, s.key)
	if again == nil && ok && bytes.Equal(now, saved) {
		return true, nil
	}
	return false, err
}
