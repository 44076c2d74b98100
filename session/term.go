package session

import (
	"time"

	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// setTerm sets when a new session ends, or what a pending one requests.
func setTerm(rec *sessionrecord.Record, term logins.Term) {
	switch {
	case rec.Flags&flagPending != 0:
		if rec.Requested = term.Expires.UnixMilli(); term.Remembered {
			rec.Flags |= flagRemembered // for the login that follows
		}
		rec.Expires = min(rec.Expires, rec.Requested)
	case term.Remembered:
		rec.Flags |= flagRemembered
		fallthrough
	default:
		rec.Expires = term.Expires.UnixMilli()
	}
}

// keepTerm gives a new session the term of the one that it replaces, if that is a
// remembered or a pending login of the same subject and the new login requests no other
// expiry. So a second factor and a step-up keep what "remember me" has requested.
func (m *Manager) keepTerm(rec *sessionrecord.Record, requested time.Time, old *Session) {
	if old == nil || old.record.Subject != rec.Subject || old.record.Actor != "" || rec.Actor != "" {
		return
	}
	replaced := m.term(&old.record)
	if replaced.Expires.IsZero() || !requested.IsZero() && !requested.Equal(replaced.Expires) {
		return
	}
	if replaced.Remembered {
		replaced = logins.Kept(&m.config.Limits, time.UnixMilli(rec.Created), replaced)
	} else if old.kind() != logins.Pending {
		return
	}
	setTerm(rec, replaced)
}

// term returns the term of a session, or the one that a pending login requests, or zero.
func (m *Manager) term(rec *sessionrecord.Record) logins.Term {
	if rec.Flags&flagPending == 0 {
		return logins.Term{Expires: time.UnixMilli(rec.Expires), Remembered: rec.Flags&flagRemembered != 0}
	}
	if rec.Requested == 0 {
		return logins.Term{}
	}
	return logins.Term{Expires: time.UnixMilli(rec.Requested), Remembered: rec.Flags&flagRemembered != 0}
}
