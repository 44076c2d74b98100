package token

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/stored"
)

// Revoke ends the log-in that a refresh token is of, of whatever generation:
// log-out, for clients that keep the token themselves. The error wraps
// [auth.ErrUnauthenticated] if the token is not good, or its log-in is over
// already; after any other it may go on, and the call can be repeated.
func (i *Issuer) Revoke(ctx context.Context, refreshToken string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	login, err := i.owner(ctx, refreshToken)
	if err != nil {
		return err
	}
	if err := i.lists.EndOne(ctx, login.subject, logins.Family, login.digest, logins.LoggedOut); err != nil {
		return i.unanswered(ctx, login.subject, login.digest.LoginID(), fmt.Errorf("token: log out: %w", err))
	}
	i.event(ctx, auth.Event{Kind: auth.EventLogout, Subject: login.subject, LoginID: login.digest.LoginID()})
	return nil
}

// Login is a log-in of a subject as a list of devices shows it.
type Login struct {
	ID        string    // its LoginID, to compare with Identity.LoginID and for LogoutOne
	AuthTime  time.Time // when the subject proved itself
	Used      time.Time // when it was last refreshed
	Expires   time.Time // when it ends at the latest
	UserAgent string    // at log-in, as Config.Device says
	Address   string    // likewise; empty by default
}

// List returns the log-ins of a subject by token that go on, oldest first (ASVS
// 5.0, 7.5.2). It makes one read of the store for each. An error means that the
// store could not answer.
func (i *Issuer) List(ctx context.Context, subject string) ([]Login, error) {
	entries, err := i.lists.Entries(ctx, subject, logins.Family)
	if err != nil {
		return nil, i.unanswered(ctx, subject, "", fmt.Errorf("token: list: %w", err))
	}
	var list []Login
	for _, e := range entries {
		raw, ok, err := i.store.Get(ctx, e.Digest.Key())
		if err != nil {
			return nil, i.unanswered(ctx, subject, e.Digest.LoginID(), fmt.Errorf("token: list: %w", err))
		}
		if !ok {
			continue
		}
		f, err := parseFamily(raw)
		if errors.Is(err, errNewerFamily) {
			return nil, i.unanswered(ctx, subject, e.Digest.LoginID(), fmt.Errorf("token: list: %w", err))
		}
		if err != nil || !time.Now().Before(f.ends()) {
			continue // it has ended, and its entry goes with the next change
		}
		list = append(list, Login{
			ID:       e.Digest.LoginID(),
			AuthTime: time.UnixMilli(f.authTime), Used: time.UnixMilli(f.rotated), Expires: time.UnixMilli(f.expires),
			UserAgent: f.login.userAgent, Address: f.login.address,
		})
	}
	return list, nil
}

// LogoutOne ends the log-in of a subject by token that has the given LoginID.
// It is no error if there is none: a subject ends only its own. After nil it can
// be refreshed no more; its access token is good until it expires, where nothing
// looks with LiveCheck. After an error the call can be repeated.
func (i *Issuer) LogoutOne(ctx context.Context, subject, loginID string) error {
	return i.revoke(ctx, subject, func(e logins.Entry) bool {
		return e.Kind == logins.Family && e.Digest.LoginID() == loginID
	})
}

// LogoutAll ends all log-ins of a subject, sessions in the same namespace
// included, but for those whose LoginIDs are in keep (ASVS 5.0, 7.4.2 and
// 7.4.3). After nil, no log-in that was there before the call goes on. After an
// error some may, and the call can be repeated.
func (i *Issuer) LogoutAll(ctx context.Context, subject string, keep ...string) error {
	return i.revoke(ctx, subject, func(e logins.Entry) bool {
		return !slices.Contains(keep, e.Digest.LoginID())
	})
}

func (i *Issuer) revoke(ctx context.Context, subject string, pick func(logins.Entry) bool) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := i.lists.End(ctx, subject, logins.Revoked, pick)
	if err != nil {
		return i.unanswered(ctx, subject, "", fmt.Errorf("token: revoke: %w", err))
	}
	for _, e := range ended {
		i.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: subject, LoginID: e.Digest.LoginID()})
	}
	return nil
}
