package session

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

// Challenge adds WWW-Authenticate to the answer to a request that was refused
// with a 401, and deletes the cookie of a session that has expired or was
// revoked. The scheme "Cookie" is not registered; it says that logging in
// means to get that cookie, and makes no browser ask for a password.
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
	var ended *over
	if errors.As(err, &ended) && ended.manager == m && ended.dead() {
		m.config.Cookie.Delete(h, r)
	}
}

// over is the error of a session that is no more: nobody sent the request, as
// if it had no credential.
type over struct {
	manager *Manager
	why     string
	reason  logins.Reason // zero if there is no tombstone: expired or unknown
}

func (e *over) Error() string { return "session: it is over: " + e.why }
func (e *over) Unwrap() error { return auth.ErrNoCredential }

// dead reports whether the cookie may be deleted.
func (e *over) dead() bool { return !e.reason.Own() }
