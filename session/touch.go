package session

import (
	"context"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

// touchTimeout bounds what noting a use may cost a request, and touchPause is how
// long no use is noted after the store has failed at it: a store that only reads
// must not slow down every request.
const (
	touchTimeout = time.Second
	touchPause   = 5 * time.Second
)

// touch notes that a session is being used, once a tenth of its idle timeout
// has passed since it last did, and looks then whether the session still stands
// in its subject's list. If not, a store has lost the write of an entry or of a
// tombstone, and the session ends here. What else goes wrong is an event: the
// session was read and is valid.
func (m *Manager) touch(ctx context.Context, s *Session) error {
	if !m.due(s, time.Now()) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchTimeout)
	defer cancel()
	return m.touchNow(ctx, s)
}

func (m *Manager) due(s *Session, now time.Time) bool {
	return now.Sub(time.UnixMilli(s.record.Used)) >= m.idle(&s.record)/10 && now.UnixMilli() >= m.touchPausedUntil.Load()
}

// touchNow is touch for a call that has a context for its writes.
func (m *Manager) touchNow(ctx context.Context, s *Session) error {
	now := time.Now()
	if !m.due(s, now) {
		return nil
	}
	if !s.Anonymous() {
		listed, err := m.lists.Listed(ctx, s.record.Subject, s.digest)
		if err != nil {
			m.pauseTouch(ctx, s, now, err)
			return nil
		}
		if !listed {
			return m.endUnlisted(ctx, s)
		}
	}
	used := *s
	used.record.Used = now.UnixMilli()
	// Whoever got in between has noted a use as well, or ended the session.
	if _, err := m.store.CompareAndSwap(ctx, s.key, s.raw, used.encode(), m.ttl(&used.record)); err != nil {
		m.pauseTouch(ctx, s, now, err)
	}
	return nil
}

// pauseTouch reports a use that could not be noted, and lets the store recover.
func (m *Manager) pauseTouch(ctx context.Context, s *Session, now time.Time, err error) {
	m.touchPausedUntil.Store(now.Add(touchPause).UnixMilli())
	m.fault(ctx, s, "note use", err)
}

func (m *Manager) endUnlisted(ctx context.Context, s *Session) error {
	if err := m.lists.EndRecord(ctx, logins.Session, s.digest, logins.Revoked); err != nil {
		m.fault(ctx, s, "note use", err) // the next touch will see to it
	}
	m.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: s.record.Subject, LoginID: s.loginID, Reason: "not in the list"})
	return &endedError{why: logins.Revoked.String(), reason: logins.Revoked}
}

// fault tells of what went wrong without failing what was being done.
func (m *Manager) fault(ctx context.Context, s *Session, doing string, err error) {
	err = fmt.Errorf("session: %s: %w", doing, err)
	m.event(ctx, auth.Event{Kind: auth.EventFault, Subject: s.record.Subject, LoginID: s.loginID, Err: err})
}
