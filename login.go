package auth

import "time"

// Login describes a login in a list of devices: a session, or a login by token.
// The Logins method of both modes returns it.
//
// LastUsed of a session is exact to a tenth of its idle timeout, or to a day if that is
// shorter. LastUsed of a login by token is its last refresh: round it to hours before you
// show it (see docs/security.md).
type Login struct {
	Kind      LoginKind // how the server keeps it
	Subject   string    // whose login it is
	Actor     string    // who acts for Subject, as in [Identity]; empty: the subject itself
	ID        string    // the LoginID, as in [Identity] and for LogoutOne; not a secret
	AuthTime  time.Time // when the subject last authenticated
	LastUsed  time.Time // the last recorded use, with the precision given for Login
	Expires   time.Time // when it ends at the latest; it ends earlier if it is idle
	UserAgent string    // at login, as the Device function of the mode returns it
	Address   string    // at login, likewise; empty by default
	Pending   bool      // it waits for its second factor and cannot authenticate
}

// LoginKind is how the server keeps a [Login].
type LoginKind string

// The kinds of logins. The sessions and the logins by token of a subject are in
// one list if they share the store and the namespace.
const (
	LoginSession LoginKind = "session"
	LoginToken   LoginKind = "token"
)
