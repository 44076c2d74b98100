package logins

import (
	"cmp"
	"errors"
	"time"

	"github.com/authlatch/auth"
)

// defaultMaxLifetime is the default of [auth.Limits].MaxLifetime.
const defaultMaxLifetime = 30 * 24 * time.Hour

// SetDefaults sets the fields of limits that are zero, and returns an error that names
// the field that is out of bounds.
func SetDefaults(l *auth.Limits) error {
	l.Lifetime = cmp.Or(l.Lifetime, 24*time.Hour)
	l.IdleTimeout = cmp.Or(l.IdleTimeout, min(time.Hour, l.Lifetime))
	l.MaxLifetime = cmp.Or(l.MaxLifetime, max(defaultMaxLifetime, l.Lifetime))
	l.RememberedIdleTimeout = cmp.Or(l.RememberedIdleTimeout, l.MaxLifetime)
	l.MaxLogins = cmp.Or(l.MaxLogins, 100)
	switch {
	case l.Lifetime < time.Second:
		return errors.New("Limits.Lifetime is shorter than a second")
	case l.Lifetime > maxLifetime:
		return errors.New("Limits.Lifetime is longer than the 400 days that browsers keep a cookie")
	case l.IdleTimeout < time.Second:
		return errors.New("Limits.IdleTimeout is shorter than a second")
	case l.IdleTimeout > l.Lifetime:
		return errors.New("Limits.IdleTimeout is longer than Limits.Lifetime")
	case l.MaxLifetime < l.Lifetime:
		return errors.New("Limits.MaxLifetime is shorter than Limits.Lifetime")
	case l.MaxLifetime > maxLifetime:
		return errors.New("Limits.MaxLifetime is longer than the 400 days that browsers keep a cookie")
	case l.RememberedIdleTimeout < l.IdleTimeout:
		return errors.New("Limits.RememberedIdleTimeout is shorter than Limits.IdleTimeout")
	case l.RememberedIdleTimeout > l.MaxLifetime:
		return errors.New("Limits.RememberedIdleTimeout is longer than Limits.MaxLifetime")
	case l.MaxLogins < 1 || l.MaxLogins > 1000:
		return errors.New("Limits.MaxLogins is not between 1 and 1000")
	}
	return nil
}

// Term is when a login ends at the latest, and whether it is remembered.
type Term struct {
	Expires    time.Time
	Remembered bool
}

// NewTerm returns the term of a login that begins now and requests to end at a time, or
// zero. It returns an error if that time has passed.
func NewTerm(l *auth.Limits, now, requested time.Time) (Term, error) {
	if requested.IsZero() {
		return Term{now.Add(l.Lifetime), false}, nil
	}
	lifetime := min(requested.Sub(now), l.MaxLifetime)
	if lifetime <= 0 {
		return Term{}, errors.New("the Expires of the identity is in the past")
	}
	return Term{now.Add(lifetime), lifetime > l.Lifetime}, nil
}

// Kept returns the term of a login that begins now and replaces a remembered login of the
// same subject: it is remembered as well, and ends no earlier than either would.
func Kept(l *auth.Limits, now time.Time, replaced Term) Term {
	expires := now.Add(l.Lifetime)
	if replaced.Expires.After(expires) {
		expires = replaced.Expires
	}
	if latest := now.Add(l.MaxLifetime); expires.After(latest) {
		expires = latest
	}
	return Term{expires, true}
}

// Idle returns the idle timeout of a login.
func Idle(l *auth.Limits, remembered bool) time.Duration {
	if remembered {
		return l.RememberedIdleTimeout
	}
	return l.IdleTimeout
}
