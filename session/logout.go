package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/stored"
)

// Logout ends the session that the request's cookie names, or that Login has made in
// the same handler, and deletes the cookie (ASVS 5.0, 7.4.1). Without a session it is a
// no-op. The cookie stays if the session had been logged out or replaced before, since
// the browser may have a newer one by now, and if it is unknown, since it may be that of
// another application on the host.
//
// Logout requires a POST: after any other method the error wraps [auth.ErrForbidden], and
// middleware.Deny responds with 405. The error also wraps auth.ErrForbidden if another
// site made the browser send the request. A cookie that is malformed or sent twice is
// deleted, with an error that wraps [auth.ErrUnauthenticated]: it does not say which
// session to end, so none has ended. If [Config.FormerCookies] explain why it was sent
// twice, Logout ends the sessions of all cookies that arrived, without that error. Any
// other error means that the store could not answer; the cookie stays, and the logout can
// be repeated.
func (m *Manager) Logout(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return fmt.Errorf("session: log out by %w: %w", crossorigin.ErrNotPost, auth.ErrForbidden)
	}
	if err := m.checkOrigin(r); err != nil {
		return err
	}
	noStore(w)
	tokens, malformed := m.tokens(w, r)
	deletes := malformed != nil || len(tokens) > 1
	for _, token := range tokens {
		err := m.endToken(r.Context(), token, logins.LoggedOut)
		var ended *endedError
		switch {
		case errors.As(err, &ended):
			deletes = deletes || ended.deletes()
		case err == nil || errors.Is(err, auth.ErrUnauthenticated):
			deletes = true
		default:
			return err
		}
	}
	m.former.Expire(w.Header(), r)
	if !deletes {
		return nil
	}
	if err := m.config.Cookie.Delete(w.Header(), r); err != nil {
		return m.fail(r.Context(), "", "", fmt.Errorf("session: log out: %w", err))
	}
	if malformed != nil {
		return fmt.Errorf("session: log out: %w: %w", auth.ErrUnauthenticated, malformed)
	}
	return nil
}

// tokens returns the tokens that the browser has: one or none, or several under former
// policies.
func (m *Manager) tokens(w http.ResponseWriter, r *http.Request) ([]string, error) {
	token, ok, err := m.token(w, r)
	sent := m.former.Sent(r, m.config.Cookie)
	if ok {
		return append(sent, token), nil
	}
	if err != nil && sent != nil {
		return sent, nil
	}
	return nil, err
}

// endSent ends the sessions of a browser that has sent several cookies, and is about to
// get a new one. What fails is an event: without its cookie a session expires.
func (m *Manager) endSent(ctx context.Context, r *http.Request) {
	for _, token := range m.former.Sent(r, m.config.Cookie) {
		m.endToken(ctx, token, logins.Replaced)
	}
}

// endToken ends the session of a token. A token that is not well-formed has none.
func (m *Manager) endToken(ctx context.Context, token string, reason logins.Reason) error {
	if !wellFormed(token) {
		return nil
	}
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	s, err := m.readSession(ctx, m.store.Get, m.digest(token))
	if err != nil {
		return err
	}
	return m.end(ctx, s, reason)
}

// end ends a session by its own credential.
func (m *Manager) end(ctx context.Context, s *Session, reason logins.Reason) error {
	var err error
	if s.Anonymous() { // it is in no list
		err = m.lists.EndRecord(ctx, logins.Session, s.digest, reason)
	} else {
		err = m.lists.EndOneFor(ctx, s.record.Subject, s.record.Actor, s.kind(), s.digest, reason)
	}
	if err != nil {
		return m.failed(ctx, s.event(""), fmt.Errorf("session: log out: %w", err))
	}
	switch reason {
	case logins.LoggedOut:
		m.event(ctx, s.event(auth.EventLogout))
	case logins.Replaced:
		m.reportReplaced(ctx, s)
	}
	return nil
}

// LogoutOne ends the login of a subject that has the given LoginID, a session or a
// login by token in the same store and namespace. A subject ends only its own
// logins; an unknown LoginID is a no-op. After nil the login has ended. An access
// token of it stays valid until it expires, except for a Verifier with a
// token.RevocationCheck. After an error the login may not have ended, and the call can
// be repeated.
func (m *Manager) LogoutOne(ctx context.Context, subject, loginID string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := m.lists.EndID(ctx, subject, logins.Revoked, loginID)
	return m.revoked(ctx, subject, ended, err)
}

// LogoutAll ends all logins of a subject, including token logins of the same namespace
// and those in which an actor acts for it or it acts for another (see [auth.Identity]),
// except those whose LoginIDs are in keep (ASVS 5.0, 7.4.2 and 7.4.3). After nil, no
// login that existed before the call is alive, except those in keep; for a concurrent
// Login, see [Manager.Login].
//
// After an error some logins may be alive, and the call can be repeated: a call ends as
// many logins as it can within 5 seconds, and a repeated call continues with the others.
// A full store, and a session that its user keeps changing, cause no error as long as the
// store can delete. If the list of the subject was corrupt, LogoutAll returns an error
// for the RememberedIdleTimeout of [auth.Limits], and at least 30 days, since logins that
// the list has lost may be alive for that long.
//
// Keeping the current login also keeps stolen copies of its cookie valid. After a change
// of password leave keep empty and call Login again: it makes a new session, without the
// values of the old one (ASVS 5.0, 7.2.4).
func (m *Manager) LogoutAll(ctx context.Context, subject string, keep ...string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := m.lists.End(ctx, subject, logins.Revoked, func(e logins.Entry) bool {
		return !slices.Contains(keep, e.Digest.LoginID())
	})
	return m.revoked(ctx, subject, ended, err)
}

// revoked reports the logins that were ended, and the error of others.
func (m *Manager) revoked(ctx context.Context, subject string, ended []logins.Entry, err error) error {
	for _, e := range ended {
		m.event(ctx, e.Event(subject))
	}
	if err != nil {
		return m.fail(ctx, subject, "", fmt.Errorf("session: revoke: %w", err))
	}
	return nil
}
