// Package session keeps logins on the server and gives the browser a random token in
// a cookie. The store keeps only a digest of the token, which cannot authenticate; the
// cookie carries no data.
//
//	sessions, err := session.New(session.Config{Store: &store.Memory{}})
//	guard := &middleware.Guard{Authenticator: sessions}
//
// A handler that has verified a password calls [Manager.Login]. A [Manager] is the
// Authenticator of a guard. [Manager.Logout] ends the session. A session also ends when
// its lifetime or its idle timeout has passed, when it is revoked elsewhere, and at the
// next login of the browser. A session that has ended stays ended, even if other
// requests are writing to it at the same time.
//
// The application reads and writes values of its own through a typed [Key], within
// [Manager.Update]. A visitor who has not logged in gets an anonymous session only
// where the application calls [Manager.Ensure].
//
// Every method that creates, reads or ends the session of a request refuses unsafe
// requests that another site made the browser send; see [Config.CrossOrigin]. CSRF
// tokens, see [Manager.CSRFToken], are a second defense, for browsers that send no
// origin and for origins that are trusted.
package session

import (
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// Session is the server's record of one login, or of one anonymous visitor, as it was
// read. Afterwards only [Manager.Update] of this very Session changes it: Update passes a
// copy that can be changed, and [Key.Get] returns what it has saved. What other requests
// save does not appear in it. It may be used by multiple goroutines at once.
//
// It is the Credential of the identity that a Manager returns, so a handler behind a
// guard reads it with id.Credential.(*session.Session). Other handlers call
// [Manager.Get].
type Session struct {
	record  sessionrecord.Record
	digest  logins.Digest
	key     string // of the record in the store
	raw     string // a copy of what was read
	loginID string
	moved   time.Duration // by which the times of the record were adapted to the clock
	due     bool          // a touch was due when the session was read

	editing bool // inside of Update
	changed bool

	saved atomic.Pointer[Session] // what Update has last saved of this one, or nil
}

// newSession returns a Session that is to be read from the store, or written to it.
func newSession(d logins.Digest) *Session {
	s := &Session{digest: d}
	s.key, s.loginID = d.Names()
	return s
}

// become makes s, which no other goroutine knows yet, what another read of it has returned.
func (s *Session) become(other *Session) {
	s.record, s.raw, s.moved = other.record, other.raw, other.moved
}

// latest returns the session as Update has last saved it, or as it was read.
func (s *Session) latest() *Session {
	if saved := s.saved.Load(); saved != nil {
		return saved
	}
	return s
}

// Anonymous reports whether the session belongs to no subject: [Manager.Ensure] made
// it, and no login has replaced it.
func (s *Session) Anonymous() bool { return s.record.Flags&flagAnonymous != 0 }

// PendingIdentity returns the identity that waits for a second factor, in a session
// that [Manager.LoginPending] made, and false in any other. It does not authenticate
// the request: it says whose second factor to verify. Its Expires is the expiry that
// LoginPending requested, or zero, so that it can be passed to [Manager.Login] as it is.
func (s *Session) PendingIdentity() (auth.Identity, bool) {
	if s.record.Flags&flagPending == 0 {
		return auth.Identity{}, false
	}
	id := s.identity()
	id.Expires, id.Credential = time.Time{}, nil
	if s.record.Requested != 0 {
		id.Expires = time.UnixMilli(s.record.Requested)
	}
	return id, true
}

// kind is the kind of the session in the list of its subject.
func (s *Session) kind() logins.Kind {
	if s.record.Flags&flagPending != 0 {
		return logins.Pending
	}
	return logins.Session
}

// authenticates reports whether the session is a complete login.
func (s *Session) authenticates() bool { return s.record.Flags&(flagAnonymous|flagPending) == 0 }

// event returns an event about the login.
func (s *Session) event(kind auth.EventKind) auth.Event {
	return auth.Event{Kind: kind, Subject: s.record.Subject, Actor: s.record.Actor, LoginID: s.loginID}
}

func (s *Session) identity() auth.Identity {
	return auth.Identity{
		Subject:      s.record.Subject,
		Actor:        s.record.Actor,
		ActorLoginID: s.actorLoginID(),
		Scopes:       auth.Words(s.record.Scopes),
		Methods:      auth.Words(s.record.Methods),
		AuthTime:     time.UnixMilli(s.record.AuthTime),
		Expires:      time.UnixMilli(s.record.Expires),
		LoginID:      s.loginID,
		Claims:       auth.Claims(s.record.Claims),
		Credential:   s,
	}
}
