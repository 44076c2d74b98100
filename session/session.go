// Package session keeps a log-in on the server and gives the browser a random
// token in a cookie. What the store holds opens nothing, and what the cookie
// holds says nothing.
//
//	sessions, err := session.New(session.Config{Store: &store.Memory{}})
//	guard := &middleware.Guard{Authenticator: sessions}
//
// A handler that has checked a password calls [Manager.Login]; a [Manager] is
// the Authenticator of a guard; [Manager.Logout] ends it. A session ends by its
// lifetime, by not being used, by log-out here or from elsewhere, and by the
// next log-in; once ended it stays ended, whatever other requests are doing.
//
// Values of the application are read and written through a typed [Key], within
// [Manager.Update]. Visitors who have not logged in get a session only where
// the application asks for one, with [Manager.Ensure].
//
// An unsafe request that another site makes a browser send is refused by every
// method that makes, finds or ends the session of a request; see
// [Config.CrossOrigin]. Form tokens, see [Manager.CSRFToken], are a second lock,
// for browsers that tell no origin and for origins that are trusted.
package session

import (
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// Session is what the server knows of one log-in, or of one anonymous visitor,
// as it was read. It is not changed by anybody after; [Manager.Update] hands
// out a copy that may be. It may be read by many goroutines at once.
//
// It is the Credential of an identity that a Manager returns.
type Session struct {
	record  sessionrecord.Record
	digest  logins.Digest
	key     string // of the record in the store
	raw     []byte // the very bytes that were read
	loginID string

	editing bool // inside of Update
	changed bool
}

// Anonymous reports whether the session belongs to nobody: it was made by
// [Manager.Ensure], and no log-in has replaced it.
func (s *Session) Anonymous() bool { return s.record.Flags&flagAnonymous != 0 }

// PendingIdentity returns who waits for a second factor, in a session that was
// made by [Manager.LoginPending], and false in any other. Nobody is
// authenticated by it: it says for whom to check the second factor. Its Expires
// is zero, so that it may be given to [Manager.Login] as it is.
func (s *Session) PendingIdentity() (auth.Identity, bool) {
	if s.record.Flags&flagPending == 0 {
		return auth.Identity{}, false
	}
	id := s.identity()
	id.Expires, id.Credential = time.Time{}, nil
	return id, true
}

// kind is how the session stands in the list of its subject.
func (s *Session) kind() logins.Kind {
	if s.record.Flags&flagPending != 0 {
		return logins.Pending
	}
	return logins.Session
}

// authenticates reports whether the session is a complete log-in.
func (s *Session) authenticates() bool { return s.record.Flags&(flagAnonymous|flagPending) == 0 }

func (s *Session) identity() auth.Identity {
	return auth.Identity{
		Subject:    s.record.Subject,
		Scopes:     auth.Words(s.record.Scopes),
		Methods:    auth.Words(s.record.Methods),
		AuthTime:   time.UnixMilli(s.record.AuthTime),
		Expires:    time.UnixMilli(s.record.Expires),
		LoginID:    s.loginID,
		Claims:     auth.Claims(s.record.Claims),
		Credential: s,
	}
}
