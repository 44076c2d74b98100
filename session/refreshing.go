package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/refreshing"
	"github.com/authlatch/auth/internal/stored"
)

const (
	// maxRefreshing is how long [Config.Refreshing] may delay a request.
	maxRefreshing = time.Second

	// askAgain is when it is asked again after it has failed.
	askAgain = time.Minute

	// refreshTries is how often a touch asks while other requests change the session.
	refreshTries = 3
)

// refreshAndTouch is the rest of touchNow where [Config.Refreshing] is set: the answer and the
// use are one write. A lost swap asks again, because what the answer started from has
// changed, unless another request has recorded an answer.
//
// The request is served with the answer, even if the store cannot be written. Without an
// answer it is served as the session was read, and the use is recorded at the time at
// which the next answer is due in a minute. So neither a hook that fails for an hour ends
// the session, nor does one failure keep old rights for a day.
func (m *Manager) refreshAndTouch(ctx context.Context, s *Session) error {
	asking, cancel := context.WithTimeout(ctx, maxRefreshing)
	defer cancel()
	for try := 1; ; try++ {
		used := time.Now()
		switch err := m.ask(asking, s, m.config.Refreshing); {
		case errors.Is(err, auth.ErrUnauthenticated):
			return m.endRefused(ctx, s, err)
		case err != nil:
			m.fault(ctx, s, "Config.Refreshing", err)
			used = m.dueAgain(s, used)
		}
		if swapped, err := m.recordUse(ctx, s, used); swapped || err != nil {
			return nil
		}
		fresh, err := m.readSession(ctx, m.store.Get, s.digest)
		switch {
		case errors.Is(err, auth.ErrUnauthenticated):
			m.reportEnded(ctx, s.digest, err)
			return err
		case err != nil:
			return nil
		case !m.due(fresh, time.Now()):
			s.become(fresh)
			return nil
		case try == refreshTries:
			return nil
		}
		s.become(fresh)
	}
}

// dueAgain returns the time of a use after which the next one is due in a minute, and no
// earlier time than that of the last use.
func (m *Manager) dueAgain(s *Session, now time.Time) time.Time {
	at := now.Add(min(askAgain-m.touchInterval(s), 0))
	if last := time.UnixMilli(s.record.Used); at.Before(last) {
		return last
	}
	return at
}

// ask puts what f makes of the identity of a session into s, for a write. s changes only
// if the error is nil.
func (m *Manager) ask(ctx context.Context, s *Session, f refreshing.Func) error {
	before := s.identity()
	before.Credential = nil
	after, err := refreshing.Ask(ctx, f, before)
	if err != nil {
		return err
	}
	rec := s.record
	rec.Scopes, rec.Methods, rec.Claims = string(after.Scopes), string(after.Methods), string(after.Claims)
	if len(rec.Encode(&s.digest)) > maxRecord {
		return errors.New("the session is too large to be stored")
	}
	s.record = rec
	return nil
}

// endRefused ends a session whose login is refused, and returns the error of its request.
func (m *Manager) endRefused(ctx context.Context, s *Session, cause error) error {
	byThis, err := m.endBecause(ctx, s, "refresh refused", cause)
	if byThis {
		if err := m.lists.RemoveFor(ctx, s.record.Subject, s.record.Actor, s.digest); err != nil {
			m.fault(ctx, s, "note use", err) // its record has ended; the entry lapses
		}
	}
	return m.endedNow(ctx, s, err)
}

// Refresh changes the Scopes, Methods and Claims of all sessions of a subject at once. It
// includes sessions that wait for a second factor, and those in which an actor acts for
// the subject, but not those in which the subject acts for others.
//
// Refresh calls change with the identity of each session. The rules of
// [Config.Refreshing] hold: change may set only these three fields, and an error that
// wraps [auth.ErrUnauthenticated] ends the session. To apply Refreshing now rather than
// at the next recorded use, pass that function as change.
//
// After nil, each session that existed before the call and is still alive has the
// identity that change returned for it. No session that had ended is revived. After an
// error some sessions may be unchanged, and the call can be repeated. After an error with
// one session, Refresh goes on with the others, for at most 5 seconds. Call Refresh after
// the new rights are stored: a concurrent Login has the identity that the application
// passes to it.
//
// Up to 16 sessions are changed at once, so change may be called concurrently. It must
// return when its context ends, and must not change sessions itself. If another request
// has saved the session in the meantime, change is called again, so the values that other
// requests set are kept.
//
// Refresh does not change logins by token: Refreshing of their issuer decides at each
// refresh of a token. A near cache may serve the former identity for as long as it may
// serve a session that has ended.
func (m *Manager) Refresh(ctx context.Context, subject string, change func(context.Context, auth.Identity) (auth.Identity, error)) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	sessions := func(e logins.Entry) bool { return e.Kind.IsSession() }
	err := m.lists.Each(ctx, subject, sessions, func(ctx context.Context, e logins.Entry) (ended bool, err error) {
		return m.refreshOne(ctx, subject, e.Digest, change)
	})
	if err != nil {
		return m.fail(ctx, subject, "", fmt.Errorf("session: refresh: %w", err))
	}
	return nil
}

// refreshOne changes the identity of one session, and reports whether the session has ended.
func (m *Manager) refreshOne(ctx context.Context, subject string, d logins.Digest, change refreshing.Func) (ended bool, err error) {
	for conflicts := 0; ; conflicts++ {
		if conflicts == 1 {
			leave, err := m.queue.Enter(ctx, d)
			if err != nil {
				return false, err
			}
			defer leave()
		}
		s, err := m.lookUp(ctx, d)
		if s == nil || s.record.Subject != subject { // or the subject is the actor there
			return false, err
		}
		switch err := m.ask(ctx, s, change); {
		case errors.Is(err, auth.ErrUnauthenticated):
			_, err = m.endBecause(ctx, s, "refresh refused", err)
			return err == nil, err
		case err != nil:
			return false, err
		}
		// Also without a change: a touch that asked earlier must not overwrite the answer.
		if swapped, err := m.swap(ctx, s, s.encode()); swapped || err != nil {
			return false, err
		}
	}
}

// lookUp returns a session of a list, or nil if it cannot authenticate any more. Unlike
// readSession it reports no end, since no request presented the session.
func (m *Manager) lookUp(ctx context.Context, d logins.Digest) (*Session, error) {
	s := newSession(d)
	raw, ok, err := m.store.Get(ctx, s.key)
	if err != nil {
		return nil, err
	}
	e, err := m.open(s, raw, ok)
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		if e.Kind == auth.EventFault { // it is corrupt
			m.event(ctx, e)
		}
		return nil, nil
	case err != nil:
		return nil, err
	}
	return s, nil
}
