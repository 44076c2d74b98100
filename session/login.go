package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/plainhttp"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/internal/stored"
)

// Login logs id in: it makes a session under a new token, ends the session that the
// browser had, and sets the cookie (ASVS 5.0, 7.2.4), with Cache-Control: no-store
// (ASVS 5.0, 14.3.2). Call it before the body is written: a cookie that is set later is
// lost, and Login cannot detect that.
//
// Login carries over the values of the browser's old session if that was anonymous or of
// the same subject. A browser that has received no response may repeat the login with the
// old cookie. Within a minute of the first login, the repeated one replaces the session
// that the first one made, and carries over its values. The old cookie without a login
// does neither.
//
// id.Expires is a request: beyond Lifetime of [auth.Limits] it means "remember me". The
// session is then capped at MaxLifetime, has the RememberedIdleTimeout, and its cookie
// outlives the browser. An earlier Expires ends the session earlier. A session with an
// Actor lasts an hour at most, and shares no values; see [auth.Identity].
//
// A login that replaces a remembered session of the same subject is remembered as well,
// and ends no earlier than that session, if id.Expires is zero or the Expires of that
// session, as in the identity of the request. So proving another factor, or the same one
// again, does not forget the user; call Logout first to do so. Under the same condition,
// a login that replaces a pending session of the same subject gets the expiry that was
// requested from LoginPending. Any other Expires counts as a new request.
//
// What was verified before Login must still hold after it. If the password was
// verified, or [Session.PendingIdentity] was read, before a change of password, and
// Login follows after the [Manager.LogoutAll] of that change, the session stays alive.
// So verify again after Login that the credential still counts, and log out if not. If
// the change first replaces the hash and then calls LogoutAll, that closes the gap.
//
// The error wraps [auth.ErrForbidden] if another site made the browser send the request.
// Any other error means that id is invalid (see [auth.Identity.Validate]; its Issuer must
// be empty and its Expires must not be past), that the cookie cannot be set in this
// response, or that the store could not answer. After an error this call has logged in no
// subject, and the browser's old session stays alive unless it was ended already. Writes
// continue if the client hangs up, for at most 5 seconds.
func (m *Manager) Login(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	return m.login(w, r, id, 0)
}

// LoginPending is [Manager.Login] for a subject that has yet to prove a second factor.
// No guard accepts the session, and [Session.PendingIdentity] returns its identity.
// Login with the complete identity replaces it, under a new token. It lasts at most 10
// minutes (ASVS 5.0, 6.5.5), or the Lifetime of [auth.Limits] if that is shorter. The
// expiry that id.Expires requests is for the login that replaces it.
//
// If the form is sent again, the second pending session takes the values of the first. So
// do not keep in them that a factor was proved: a client with the same old cookie that
// proves the first factor would have it, too.
//
// A subject has at most 10 pending logins. A further one ends the oldest of them, and
// never a complete login. An attacker who knows the password can end the owner's pending
// login that way, so put LoginPending behind a rate limiter.
func (m *Manager) LoginPending(w http.ResponseWriter, r *http.Request, id auth.Identity) error {
	return m.login(w, r, id, flagPending)
}

func (m *Manager) login(w http.ResponseWriter, r *http.Request, id auth.Identity, flags byte) error {
	if err := m.checkOrigin(r); err != nil {
		return err
	}
	ctx, cancel := stored.Writing(r.Context())
	defer cancel()
	failed := func(loginID string, err error) error {
		e := auth.Event{LoginID: loginID} // Login may refuse these texts, of any length
		e.Subject, e.Actor = stored.Printable(id.Subject, 255), stored.Printable(id.Actor, 255)
		return m.failed(ctx, e, fmt.Errorf("session: log in: %w", err))
	}
	rec, err := m.newRecord(r, id, flags)
	if err != nil {
		return failed("", err)
	}
	old, ended := m.browserSession(ctx, w, r)
	if ended != nil && !errors.Is(ended, auth.ErrUnauthenticated) {
		return ended
	}
	if old == nil {
		if old, err = m.unanswered(ctx, ended, rec); err != nil {
			return err
		}
	}
	m.keepTerm(rec, id.Expires, old)
	if err := m.tieToActor(ctx, rec, id, old); err != nil {
		return failed("", err)
	}
	if old != nil && carries(old, rec) {
		rec.Values = old.record.Values
	}
	fresh, token, err := m.create(ctx, r, rec)
	if err != nil {
		return failed("", err)
	}
	err = m.enlist(ctx, old, fresh)
	if err == nil {
		m.supersede(ctx, ended)
		m.endSent(ctx, r)
		err = m.setCookie(w, r, fresh, token)
	}
	if err != nil {
		m.rollback(ctx, fresh)
		return failed(fresh.loginID, err)
	}
	e := fresh.event(auth.EventLogin)
	if flags&flagPending != 0 {
		e.Reason = "pending"
	}
	m.event(ctx, e)
	return nil
}

// Ensure returns the session that the browser has, of any kind, or makes an
// anonymous one and sets its cookie. Call it before the body is written, and only where
// there is something to keep: from then on a visitor costs a record in the store for
// the idle timeout. After Login in the same handler it returns the new session. Like
// Login it sets Cache-Control: no-store, since the response is for this visitor only.
//
// Its errors are those of [Manager.Login]; a malformed cookie is replaced. An error
// that wraps [auth.ErrNoCredential] means that the session has just been logged out or
// replaced: the browser has, or is about to get, another cookie, which this response
// must not replace. The request can be repeated.
//
// With a cookie that is SameSite=Strict, call it only in response to a POST. A link on
// another site leads to a GET without the cookie, and the response would replace the
// cookie.
func (m *Manager) Ensure(w http.ResponseWriter, r *http.Request) (*Session, error) {
	if err := m.checkOrigin(r); err != nil {
		return nil, err
	}
	ctx, cancel := stored.Writing(r.Context())
	defer cancel()
	s, err := m.browserSession(ctx, w, r)
	if err == nil && s != nil {
		err = m.touchNow(ctx, s)
	}
	switch {
	case err == nil && s != nil:
		noStore(w)
		return s, nil
	case err != nil && !replaceable(err):
		return nil, err
	}
	m.supersede(ctx, err)
	if s, err = m.newVisitor(ctx, w, r); err != nil {
		return nil, m.fail(ctx, "", "", fmt.Errorf("session: ensure: %w", err))
	}
	return s, nil
}

// replaceable reports whether Ensure may replace the cookie of a request whose session it
// could not get because of err.
func replaceable(err error) bool {
	var ended *endedError
	if errors.As(err, &ended) {
		return !ended.reason.Own()
	}
	return errors.Is(err, auth.ErrUnauthenticated)
}

// newVisitor makes an anonymous session and sets its cookie.
func (m *Manager) newVisitor(ctx context.Context, w http.ResponseWriter, r *http.Request) (*Session, error) {
	rec, err := m.newRecord(r, auth.Identity{}, flagAnonymous)
	if err != nil {
		return nil, err
	}
	s, token, err := m.create(ctx, r, rec)
	if err != nil {
		return nil, err
	}
	if err := m.setCookie(w, r, s, token); err != nil {
		return nil, err
	}
	return s, nil
}

// pendingLifetime is how long a subject has to prove its second factor.
const pendingLifetime = 10 * time.Minute

// newRecord returns what a new session starts with.
func (m *Manager) newRecord(r *http.Request, id auth.Identity, flags byte) (*sessionrecord.Record, error) {
	now := time.Now()
	rec := &sessionrecord.Record{Flags: flags, Created: now.UnixMilli(), Used: now.UnixMilli(), AuthTime: now.UnixMilli()}
	if flags&flagAnonymous != 0 {
		rec.Expires = now.Add(m.config.Limits.Lifetime).UnixMilli()
		return rec, nil
	}
	if err := id.Validate(); err != nil {
		return nil, err
	}
	if id.Issuer != "" {
		return nil, errors.New("a session has no issuer")
	}
	term, err := logins.NewTerm(&m.config.Limits, now, id.Expires)
	if err != nil {
		return nil, err
	}
	if id.Actor != "" {
		if flags&flagPending != 0 {
			return nil, errors.New("a login with an Actor cannot be pending: verify the factors of the actor first")
		}
		term = term.ForActor(&m.config.Limits, now)
	}
	rec.Expires = now.Add(min(m.config.Limits.Lifetime, pendingLifetime)).UnixMilli() // of a pending one
	if flags&flagPending == 0 || !id.Expires.IsZero() {
		setTerm(rec, term)
	}
	if !id.AuthTime.IsZero() && id.AuthTime.Before(now) {
		rec.AuthTime = max(id.AuthTime.UnixMilli(), 0)
	}
	rec.Subject, rec.Actor, rec.Claims = id.Subject, id.Actor, string(id.Claims)
	rec.Scopes, rec.Methods = string(id.Scopes), string(id.Methods)
	userAgent, address := m.config.Device(r)
	rec.UserAgent, rec.Address = stored.Printable(userAgent, 256), stored.Printable(address, 64)
	return rec, nil
}

// token returns the token in the browser's cookie or, if an earlier step of this
// response changes the cookie, the token that it will have.
func (m *Manager) token(w http.ResponseWriter, r *http.Request) (token string, ok bool, err error) {
	if token, ok := m.config.Cookie.Pending(w.Header()); ok {
		return token, token != "", nil
	}
	return m.config.Cookie.Read(r)
}

// browserSession returns the session that the browser has by its token, nil if it has no
// token, or an error that says why that session is not alive.
func (m *Manager) browserSession(ctx context.Context, w http.ResponseWriter, r *http.Request) (*Session, error) {
	token, ok, _ := m.token(w, r) // a malformed cookie names no session
	if !ok || !wellFormed(token) {
		return nil, nil
	}
	return m.readSession(ctx, m.store.Get, m.digest(token))
}

// setCookie sets the cookie, and expires those of former policies.
func (m *Manager) setCookie(w http.ResponseWriter, r *http.Request, s *Session, token string) error {
	m.former.Expire(w.Header(), r)
	if err := m.policy(&s.record).Set(w.Header(), r, token); err != nil {
		return err
	}
	noStore(w)
	if err := m.plain.Check(r, m.config.Cookie); err != nil {
		m.event(r.Context(), auth.Event{Kind: auth.EventFault, Reason: plainhttp.Reason, Err: fmt.Errorf("session: %w", err)})
	}
	return nil
}

// noStore keeps the response, with its cookie, out of shared caches.
func noStore(w http.ResponseWriter) { w.Header().Set("Cache-Control", "no-store") }

// policy returns the policy of the cookie for a session. Only a remember-me cookie
// outlives the browser.
func (m *Manager) policy(rec *sessionrecord.Record) cookie.Policy {
	if rec.Flags&(flagRemembered|flagPending) != flagRemembered {
		return m.config.Cookie
	}
	lifetime := time.Duration(rec.Expires-rec.Created) * time.Millisecond
	return m.config.Cookie.MaxAge(max(lifetime.Truncate(time.Second), time.Second))
}
