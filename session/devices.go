package session

import (
	"context"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

// Logins returns the live logins of a subject, oldest first: its sessions, and its
// logins by token in the same store and namespace (ASVS 5.0, 7.5.2), including those in
// which an actor acts for it. It reads the list and one record for each login from the
// store.
//
// A Manager does not know the keys of an issuer: a login by token whose refresh secret
// has been dropped (DropFormer of token.KeySet) is shown until it expires. A record that
// is corrupt is left out and reported as [auth.EventFault]. An error means that the store
// could not answer, or that a newer version of the program has written a record.
func (m *Manager) Logins(ctx context.Context, subject string) ([]auth.Login, error) {
	list, err := m.lists.Logins(ctx, subject)
	if err != nil {
		return nil, m.fail(ctx, subject, "", fmt.Errorf("session: list logins: %w", err))
	}
	return list, nil
}

// describe is sessionrecord.Describe with the idle timeouts of the manager.
func (m *Manager) describe(d logins.Digest, raw []byte) (login auth.Login, live bool, err error) {
	s := newSession(d)
	if err := s.decode(raw); err != nil {
		return auth.Login{}, false, err
	}
	s.record.Settle(time.Now().UnixMilli(), m.idle(&s.record))
	return s.record.Login(s.loginID), time.Now().Before(m.ends(s)), nil
}
