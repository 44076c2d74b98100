package auth

import "time"

// Login describes a login in a list of devices: a session, or a login by token.
// The Logins method of both modes returns it.
type Login struct {
	Kind      LoginKind // how the server keeps it
	ID        string    // the LoginID, as in [Identity] and for LogoutOne; not a secret
	AuthTime  time.Time // when the subject proved itself
	LastUsed  time.Time // of a session within a tenth of its idle timeout, of a login by token its last refresh
	Expires   time.Time // when it ends at the latest; it ends earlier if it is not used
	UserAgent string    // at login, as Config.Device of the mode says
	Address   string    // likewise; empty by default
	Pending   bool      // it waits for its second factor and cannot authenticate
}

// LoginKind is how a [Login] is kept.
type LoginKind string

// The kinds of logins. Sessions and tokens of one store and namespace share the
// list of a subject's logins.
const (
	LoginSession LoginKind = "session"
	LoginToken   LoginKind = "token"
)
