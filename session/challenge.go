package session

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/logins"
)

// Challenge adds WWW-Authenticate to the response to a request that was refused with a
// 401. The scheme "Cookie" is not registered: it asks a client to log in and get that
// cookie, and makes no browser ask for a password.
//
// It also deletes the cookie of a session that has expired or was revoked, unless the
// browser may have a newer cookie by now: after its own logout, and after a login or a
// call of [Manager.Ensure] to which it sent the old cookie. A late request that the
// browser sent before must not remove the newer cookie. A cookie whose session is unknown
// stays as well: it may be a live one of another application on the same host, whose
// cookie has the same name.
//
// If the cookies of several policies arrived (see [Config.FormerCookies]), Challenge
// deletes all of them.
func (m *Manager) Challenge(h http.Header, r *http.Request, err error) {
	if !errors.Is(err, auth.ErrUnauthenticated) {
		return
	}
	challenge := `Cookie cookie-name="` + m.config.Cookie.Name() + `"`
	var lacks *auth.InsufficientError
	if errors.As(err, &lacks) {
		challenge += `, error="insufficient_user_authentication"`
		if lacks.MaxAge > 0 {
			challenge += `, max_age="` + strconv.FormatInt(int64(lacks.MaxAge/time.Second), 10) + `"`
		}
	}
	h.Add("WWW-Authenticate", challenge)
	var ended *endedError
	switch {
	case errors.As(err, &ended) && ended.manager.lists == m.lists && ended.deletes():
		m.config.Cookie.Delete(h, r)
	case errors.Is(err, cookie.ErrMalformed) && m.former.Sent(r, m.config.Cookie) != nil:
		m.former.Expire(h, r)
		m.config.Cookie.Delete(h, r)
	}
}

// endedError means that a session has ended. The request then counts as one without
// a credential.
type endedError struct {
	manager   *Manager
	digest    logins.Digest
	why       string
	reason    logins.Reason // zero without a tombstone: expired or unknown
	successor logins.Digest // zero unless a login is known that replaced the session
}

func (e *endedError) Error() string { return "session: it has ended: " + e.why }
func (e *endedError) Unwrap() error { return auth.ErrNoCredential }

// deletes reports whether a response may delete the cookie of the session. It must not where
// the store knows nothing of the session, which this manager may not have made, and where the
// browser itself has ended it by a logout or another login: this request may be a late one,
// and the browser may already have a newer cookie.
func (e *endedError) deletes() bool { return e.why != unknown && !e.reason.Own() }

// unknown is why a session has ended of which the store has nothing.
const unknown = "unknown"
