package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

// touchTimeout bounds how long recording a use may delay a request. touchPause is how
// long no use is recorded after the store has failed to: a store that is read-only must
// not slow down every request.
const (
	touchTimeout = time.Second
	touchPause   = 5 * time.Second
)

// maxTouchInterval bounds a tenth of the idle timeout of a remembered login: a list of
// devices should say on which day each was last used.
const maxTouchInterval = 24 * time.Hour

// WithoutTouch returns a Manager of the same sessions that does not record their use: a
// request that it authenticates does not extend the idle timeout, and does not call
// [Config.Refreshing]. Use it in the guard of requests that a page sends by itself, such
// as polling or prefetching. Otherwise a session with an open page that polls never
// reaches the idle timeout.
//
//	poll := &middleware.Guard{Authenticator: sessions.WithoutTouch()}
//
// A session that has ended is refused as by any Manager.
func (m *Manager) WithoutTouch() *Manager {
	looking := *m
	looking.untouched = true
	return &looking
}

// touch records that a session is in use, once a tenth of its idle timeout, or a day, has
// passed since the last time, and then checks that the session is still in its subject's list.
// If not, a store has lost the write of an entry or of a tombstone, and touch ends the
// session. Any other failure is an event only: the session was read and is valid.
func (m *Manager) touch(ctx context.Context, s *Session) error {
	if !s.due {
		return nil
	}
	limit := touchTimeout
	if m.config.Refreshing != nil {
		limit += maxRefreshing
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), limit)
	defer cancel()
	return m.touchNow(ctx, s)
}

// clockTolerance is how much the stored times may be ahead without being put right: the
// clocks of hosts differ a little.
const clockTolerance = time.Second

// due reports whether the last use was long ago, or the stored times were ahead.
func (m *Manager) due(s *Session, now time.Time) bool {
	if m.untouched || now.Sub(time.UnixMilli(s.record.Used)) < m.touchInterval(s) && s.moved < clockTolerance {
		return false
	}
	paused := time.UnixMilli(m.touchPausedUntil.Load()).Sub(now)
	return paused <= 0 || paused > touchPause // the clock may have jumped back
}

func (m *Manager) touchInterval(s *Session) time.Duration {
	return min(m.idle(&s.record)/10, maxTouchInterval)
}

// touchNow is touch for a call that has a context for its writes.
func (m *Manager) touchNow(ctx context.Context, s *Session) error {
	now := time.Now()
	if !m.due(s, now) {
		return nil
	}
	if !s.Anonymous() {
		listed, err := m.lists.ListedFor(ctx, s.record.Subject, s.record.Actor, s.digest)
		if err != nil {
			m.pauseTouch(ctx, s, now, err)
			return nil
		}
		if !listed {
			return m.revoke(ctx, s, "not in the list")
		}
	}
	if m.config.Refreshing != nil && s.authenticates() {
		return m.refreshAndTouch(ctx, s)
	}
	// A request that got in between has recorded a use as well, or ended the session.
	m.recordUse(ctx, s, now)
	return nil
}

// recordUse writes the session as used at a time. If the store fails, that is an event.
func (m *Manager) recordUse(ctx context.Context, s *Session, at time.Time) (swapped bool, err error) {
	rec := s.record
	rec.Used = at.UnixMilli()
	raw := rec.Encode(&s.digest)
	swapped, err = m.store.CompareAndSwap(ctx, s.key, []byte(s.raw), raw, m.ttl(&rec))
	if err != nil {
		m.pauseTouch(ctx, s, time.Now(), err)
	}
	if swapped {
		s.record, s.raw = rec, string(raw)
	}
	return swapped, err
}

// pauseTouch reports a use that could not be recorded, and lets the store recover.
func (m *Manager) pauseTouch(ctx context.Context, s *Session, now time.Time, err error) {
	m.touchPausedUntil.Store(now.Add(touchPause).UnixMilli())
	m.fault(ctx, s, "note use", err)
}

// revoke ends a session that must not be alive any more, and returns the error of its
// request.
func (m *Manager) revoke(ctx context.Context, s *Session, reason string) error {
	_, err := m.endBecause(ctx, s, reason, nil)
	return m.endedNow(ctx, s, err)
}

// endBecause ends the record of a session, and reports whether this call has.
func (m *Manager) endBecause(ctx context.Context, s *Session, reason string, cause error) (byThis bool, err error) {
	byThis, err = m.lists.EndRecordByThis(ctx, logins.Session, s.digest, logins.Revoked)
	if byThis {
		e := s.event(auth.EventRevoked)
		e.Reason, e.Err = reason, cause
		m.event(ctx, e)
	}
	return byThis, err
}

// endedNow returns the error of a request whose session was revoked while it was served, or
// could not be revoked because of failed. If the session was ended by other means at the same
// time, those are the reason: after a logout, the response must leave the cookie alone.
func (m *Manager) endedNow(ctx context.Context, s *Session, failed error) error {
	if failed != nil {
		m.fault(ctx, s, "revoke", failed) // the next request tries again
	} else if raw, ok, err := m.store.Get(ctx, s.key); ok && err == nil {
		if _, err := m.open(newSession(s.digest), raw, ok); errors.Is(err, auth.ErrNoCredential) {
			return err
		}
	}
	return &endedError{manager: m, digest: s.digest, why: logins.Revoked.String(), reason: logins.Revoked}
}

// fault reports a failure that does not fail the call itself.
func (m *Manager) fault(ctx context.Context, s *Session, doing string, err error) {
	err = fmt.Errorf("session: %s: %w", doing, err)
	e := s.event(auth.EventFault)
	e.Err = err
	m.event(ctx, e)
}
