package logins

import (
	"context"
	"errors"
	"fmt"

	"github.com/authlatch/auth"
)

// Describe reads the record that is stored under a digest as a list of devices shows
// it. live is false if the login has ended by its own time. The error wraps
// [ErrNewer] for a record of a newer version; any other means that the record is
// corrupt.
//
// The packages of the modes, which import this one, have the forms of records.
type Describe func(d Digest, raw []byte) (login auth.Login, live bool, err error)

// ErrNewer is the error of a record that a newer version of the program has
// written.
var ErrNewer = errors.New("a record is of a newer version")

// Logins returns the live logins of a subject, of all kinds, oldest first. It
// reads the list and one record for each login. A corrupt record is left out, and
// reported to Fault.
func (l *Lists) Logins(ctx context.Context, subject string) ([]auth.Login, error) {
	entries, err := l.Entries(ctx, subject)
	if err != nil {
		return nil, err
	}
	var all []auth.Login
	for _, e := range entries {
		raw, ok, err := l.Store.Get(ctx, e.Digest.Key())
		if err != nil {
			return nil, fmt.Errorf("logins: read login %s: %w", e.Digest.LoginID(), err)
		}
		if _, ended := ParseTombstone(raw); !ok || ended {
			continue // the next change of the list removes its entry
		}
		login, live, err := l.describe(e, raw)
		switch {
		case errors.Is(err, ErrNewer):
			return nil, fmt.Errorf("logins: read login %s: %w", e.Digest.LoginID(), err)
		case err != nil:
			l.Fault(ctx, subject, fmt.Errorf("logins: read login %s: %w", e.Digest.LoginID(), err))
		case live && !(e.Kind.acting() && login.Subject != subject): // the subject acts for another there
			all = append(all, login)
		}
	}
	return all, nil
}

// errUnreadable means that no reader is set for the records of a kind.
var errUnreadable = errors.New("a record is of an unknown kind")

func (l *Lists) describe(e Entry, raw []byte) (login auth.Login, live bool, err error) {
	read := l.DescribeSession
	if e.Kind&^acting == Family {
		read = l.DescribeFamily
	}
	if read == nil {
		return auth.Login{}, false, errUnreadable
	}
	return read(e.Digest, raw)
}
