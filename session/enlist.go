package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// carries reports whether the values of an old session are carried over into a new one.
// What an actor does and what the subject does stay apart.
func carries(old *Session, rec *sessionrecord.Record) bool {
	if old.record.Actor != "" || rec.Actor != "" {
		return false
	}
	return old.Anonymous() || old.record.Subject == rec.Subject
}

// create stores a session that no client knows of yet, and returns its token.
func (m *Manager) create(ctx context.Context, r *http.Request, rec *sessionrecord.Record) (s *Session, token string, err error) {
	// A cookie that cannot be set is found out before anything is written.
	if err := m.policy(rec).Set(make(http.Header), r, newToken()); err != nil {
		return nil, "", err
	}
	if s = (&Session{record: *rec}); len(s.encode()) > maxRecord {
		return nil, "", errors.New("the session is too large to be stored")
	}
	err = m.lists.Create(ctx, logins.Session, func() (logins.Digest, []byte, time.Duration) {
		token = newToken()
		s = newSession(m.digest(token))
		s.record = *rec
		raw := s.encode()
		s.raw = string(raw)
		return s.digest, raw, m.ttl(rec)
	})
	if err != nil {
		return nil, "", err
	}
	return s, token, nil
}

// enlist adds a new session to its subject's list and ends the old session that it
// replaces. The order never leaves two sessions that work: no client knows the new token
// before enlist returns.
func (m *Manager) enlist(ctx context.Context, old, fresh *Session) error {
	var replaced *logins.Digest
	if old != nil && old.record.Subject == fresh.record.Subject {
		replaced = &old.digest
	}
	entry := logins.Entry{Digest: fresh.digest, Kind: fresh.kind(), Expires: time.UnixMilli(fresh.record.Expires)}
	if err := m.lists.AddFor(ctx, fresh.record.Subject, fresh.record.Actor, entry, replaced); err != nil {
		return err
	}
	if old == nil {
		return nil
	}
	if err := m.replace(ctx, old, fresh); err != nil {
		return err
	}
	if !old.Anonymous() {
		if err := m.lists.RemoveFor(ctx, old.record.Subject, old.record.Actor, old.digest); err != nil {
			m.fault(ctx, old, "log in", err) // its record has ended; the entry lapses
		}
	}
	return nil
}

// replace swaps the old session for a tombstone. Values that other requests save in it
// until then are carried over into the new session, if values are carried over at all.
// If the old session has ended meanwhile, they are carried over only if another login
// has replaced it, too. Both logins then live: the browser may keep the cookie of either.
//
// A session that other requests keep changing is ended all the same, without the values
// that they have saved since it was last read.
func (m *Manager) replace(ctx context.Context, old, fresh *Session) error {
	for failures, conflicts := 0, 0; conflicts < replaceTries; {
		swapped, err := m.store.CompareAndSwap(ctx, old.key, []byte(old.raw),
			logins.NewReplaced(logins.Session, fresh.digest), logins.Session.TombstoneTTL())
		if swapped {
			m.reportReplaced(ctx, old)
			return nil
		}
		if err != nil {
			if failures++; failures > 1 {
				return fmt.Errorf("replace: %w", err)
			}
		} else if conflicts++; conflicts == 1 {
			leave, err := m.queue.Enter(ctx, old.digest)
			if err != nil {
				return fmt.Errorf("replace: %w", err)
			}
			defer leave()
		}
		now, err := m.readSession(ctx, m.store.Get, old.digest)
		var ended *endedError
		switch {
		case errors.As(err, &ended) && ended.reason == logins.Replaced:
			return m.carryFrom(ctx, ended, fresh)
		case errors.Is(err, auth.ErrUnauthenticated):
			return m.rewrite(ctx, fresh, "")
		case err != nil:
			return err
		}
		if old = now; carries(old, &fresh.record) {
			if err := m.rewrite(ctx, fresh, old.record.Values); err != nil {
				return err
			}
		}
	}
	if err := m.lists.EndRecord(ctx, logins.Session, old.digest, logins.Replaced); err != nil {
		return err
	}
	// If the record was deleted, late requests must learn of the newer session all the same.
	m.store.CompareAndSwap(ctx, old.key, nil, logins.NewReplaced(logins.Session, fresh.digest), logins.Session.TombstoneTTL())
	m.reportReplaced(ctx, old)
	return nil
}

// reportReplaced emits an event for a login that a new one has replaced.
func (m *Manager) reportReplaced(ctx context.Context, old *Session) {
	if old.authenticates() {
		e := old.event(auth.EventRevoked)
		e.Reason = logins.Replaced.String()
		m.event(ctx, e)
	}
}

// unanswered returns the session that an earlier attempt at the same login has made, for a
// browser that still sends the cookie from before it: ended is the error of
// [Manager.browserSession]. It returns nil if there is none. The subject has just proved itself
// again, so the session that it replaces is its own; a login that waits for its second factor
// must not end a complete one.
func (m *Manager) unanswered(ctx context.Context, ended error, rec *sessionrecord.Record) (*Session, error) {
	for range maxAttempts {
		var e *endedError
		if !errors.As(ended, &e) || e.successor == (logins.Digest{}) {
			return nil, nil
		}
		var s *Session
		s, ended = m.readSession(ctx, m.store.Get, e.successor)
		switch {
		case ended == nil && s.record.Subject == rec.Subject && s.record.Actor == rec.Actor && (s.kind() == logins.Pending || rec.Flags&flagPending == 0):
			return s, nil
		case ended == nil:
			return nil, nil
		case !errors.Is(ended, auth.ErrUnauthenticated):
			return nil, ended
		}
	}
	return nil, nil
}

// maxAttempts is how many repetitions of one login are followed.
const maxAttempts = 8

// carryFrom carries the values over from the session of a concurrent login that has replaced
// the same old session. They include what other requests saved in the old one.
func (m *Manager) carryFrom(ctx context.Context, ended error, fresh *Session) error {
	other, err := m.unanswered(ctx, ended, &fresh.record)
	if err != nil || other == nil || other.digest == fresh.digest || !carries(other, &fresh.record) {
		return err
	}
	return m.rewrite(ctx, fresh, other.record.Values)
}

// supersede notes that the browser is about to have a newer cookie than that of the
// session that ended, which is the error of [Manager.browserSession]. A late request with
// the old cookie then leaves the newer one alone; see [Manager.Challenge]. Of a session
// that is unknown nothing is noted: a client may send any token.
func (m *Manager) supersede(ctx context.Context, err error) {
	var ended *endedError
	if !errors.As(err, &ended) || ended.reason.Own() {
		return
	}
	if err := m.lists.Supersede(ctx, logins.Session, ended.digest); err != nil {
		m.event(ctx, auth.Event{Kind: auth.EventFault, LoginID: ended.digest.LoginID(), Err: fmt.Errorf("session: %w", err)})
	}
}

// replaceTries is how many changes of the old session a login waits for.
const replaceTries = 16

// rewrite changes the values of a session that is not disclosed yet.
func (m *Manager) rewrite(ctx context.Context, s *Session, values string) error {
	if s.record.Values == values {
		return nil
	}
	s.record.Values = values
	raw := s.encode()
	swapped, err := m.swap(ctx, s, raw)
	if err != nil {
		return fmt.Errorf("carry values over: %w", err)
	}
	if !swapped {
		return errors.New("it was ended before it was disclosed")
	}
	s.raw = string(raw)
	return nil
}

// rollback ends a session whose cookie could not be set. If that fails too, no client has
// its token, and it expires.
func (m *Manager) rollback(ctx context.Context, s *Session) {
	if err := m.lists.EndOneFor(ctx, s.record.Subject, s.record.Actor, s.kind(), s.digest, logins.Revoked); err != nil {
		m.fault(ctx, s, "log in", err)
	}
}
