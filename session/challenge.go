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
// with a 401. The scheme "Cookie" is not registered; it says that logging in
// means to get that cookie, and makes no browser ask for a password. The cookie of
// a session that has ended stays: the request may be a slow one, from before a
// login that has given the browser another cookie, and a deletion would take away
// that one.
func (m *Manager) Challenge(h http.Header, _ *http.Request, err error) {
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
}

// over is the error of a session that is no more: nobody sent the request, as
// if it had no credential.
type over struct {
	why    string
	reason logins.Reason // zero if there is no tombstone: expired or unknown
}

func (e *over) Error() string { return "session: it is over: " + e.why }
func (e *over) Unwrap() error { return auth.ErrNoCredential }

// dead reports whether Logout deletes the cookie, and Ensure replaces it.
func (e *over) dead() bool { return !e.reason.Own() }
