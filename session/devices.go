package session

import (
	"context"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/logins"
)

// Login is a log-in of a subject as a list of devices shows it.
type Login struct {
	ID        string    // its LoginID, to compare with Identity.LoginID and for LogoutOne
	AuthTime  time.Time // when the subject proved itself
	Used      time.Time // its last use, with the precision of Config.IdleTimeout
	Expires   time.Time // when it ends at the latest
	UserAgent string    // of the browser at log-in, as Config.Device says
	Address   string    // likewise; empty by default
	Pending   bool      // it waits for its second factor
}

// List returns the sessions of a subject that live, oldest first (ASVS 5.0,
// 7.5.2). It makes one read of the store for each. An error means that the
// store could not answer.
func (m *Manager) List(ctx context.Context, subject string) ([]Login, error) {
	entries, err := m.lists.Entries(ctx, subject, logins.Session, logins.Pending)
	if err != nil {
		return nil, m.unanswered(ctx, subject, "", fmt.Errorf("session: list: %w", err))
	}
	var list []Login
	for _, e := range entries {
		raw, ok, err := m.store.Get(ctx, e.Digest.Key())
		if err != nil {
			return nil, m.unanswered(ctx, subject, e.Digest.LoginID(), fmt.Errorf("session: list: %w", err))
		}
		if !ok {
			continue // it has ended, and its entry goes with the next change
		}
		s := &Session{digest: e.Digest}
		if err := s.decode(raw); err == errNewer {
			return nil, m.unanswered(ctx, subject, e.Digest.LoginID(), fmt.Errorf("session: list: %w", err))
		} else if err != nil || !m.ends(s).After(time.Now()) {
			continue // likewise
		}
		list = append(list, Login{
			ID:       s.loginID,
			AuthTime: time.UnixMilli(s.authTime), Used: time.UnixMilli(s.used), Expires: time.UnixMilli(s.expires),
			UserAgent: s.userAgent, Address: s.address,
			Pending: s.flags&flagPending != 0,
		})
	}
	return list, nil
}
