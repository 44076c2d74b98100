package token

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/stored"
)

// Logout ends the log-in of a browser and deletes its cookies (ASVS 5.0, 7.4.1).
// It is no error if there is none. The cookies stay if the log-in had been logged
// out or replaced before, since the browser may have newer ones by now. After nil
// only header fields have been written, and the handler answers.
//
// Logout wants a POST: after anything else the error wraps [auth.ErrForbidden], and
// middleware.Deny answers it with 405. So is a request forbidden that another site
// made the browser send, or that carries no attempt in the field [AttemptHeader],
// unless [IssuerConfig.AttemptOptional] says so. A doubled cookie is
// deleted, with an error that wraps [auth.ErrUnauthenticated]: it does not tell
// which log-in to end, so none has ended. After any other error the store could
// not answer, or a cookie cannot be deleted here; the cookies stay, and the
// log-out can be tried again.
//
// Native clients send their refresh token as to [Issuer.RefreshHandler].
func (i *Issuer) Logout(w http.ResponseWriter, r *http.Request) error {
	if err := i.checkPost(r); err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	text, _, err := i.presentedToken(r)
	if err == nil {
		err = i.Revoke(r.Context(), text)
	}
	var refused *refusal
	switch {
	case errors.Is(err, cookie.ErrMalformed):
		if failed := i.deleteCookies(w.Header(), r); failed != nil {
			err = fmt.Errorf("%w; %w", err, failed)
		}
		return err
	case err != nil && !errors.As(err, &refused):
		return err
	case refused != nil && refused.reason.Own():
		return nil
	}
	return i.deleteCookies(w.Header(), r)
}

// LogoutHandler does what [Issuer.Logout] does, and answers with 204, or with a
// problem detail as [Issuer.RefreshHandler] does.
func (i *Issuer) LogoutHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := i.Logout(w, r); err != nil {
			i.fail(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// deleteCookies deletes what the request carries: a slow answer to one without
// cookies must not meet those of a newer log-in.
func (i *Issuer) deleteCookies(h http.Header, r *http.Request) error {
	for _, policy := range i.cookies() {
		if _, ok, err := policy.Read(r); ok || err != nil {
			if err := policy.Delete(h, r); err != nil {
				return i.unanswered(r.Context(), "", "", fmt.Errorf("token: log out: %w", err))
			}
		}
	}
	return nil
}

// Revoke ends the log-in that a refresh token is of, of whatever generation:
// log-out, for clients that keep the token themselves. The error wraps
// [auth.ErrUnauthenticated] if the token is not good, or its log-in is over
// already; after any other it may go on, and the call can be repeated. It is
// told as [auth.EventLogout]; what LogoutOne and LogoutAll end is told as
// [auth.EventRevoked].
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

// Logins returns the logins of a subject that live, oldest first: its logins by
// token, and its sessions in the same store and namespace (ASVS 5.0, 7.5.2). It
// reads the list and one record for each login from the store. A login whose refresh
// secret is retired is not shown: it cannot be refreshed.
//
// An Issuer does not know the idle timeouts of a session.Manager: a session that has
// ended by not being used is shown until its record leaves the store, a minute
// later. A record that is corrupt is left out and reported as [auth.EventFault]. An
// error means that the store could not answer, or that a newer version of the
// program has written a record.
func (i *Issuer) Logins(ctx context.Context, subject string) ([]auth.Login, error) {
	list, err := i.lists.Logins(ctx, subject)
	if err != nil {
		return nil, i.unanswered(ctx, subject, "", fmt.Errorf("token: list logins: %w", err))
	}
	return list, nil
}

// describe is rotation.Describe for an issuer, which knows what secrets are retired.
func (i *Issuer) describe(d logins.Digest, raw []byte) (login auth.Login, live bool, err error) {
	f, err := rotation.Parse(raw)
	if err != nil {
		return auth.Login{}, false, err
	}
	return f.Describe(d), time.Now().Before(f.Ends()) && !i.config.Keys.retired(f.KeyID), nil
}

// LogoutOne ends the login of a subject that has the given LoginID, a login by token
// or a session in the same store and namespace. A subject ends only its own logins;
// an unknown LoginID is a no-op. After nil the login has ended and cannot be
// refreshed; its access token stays valid until it expires, where nothing looks with
// RevocationCheck. After an error the call can be repeated.
func (i *Issuer) LogoutOne(ctx context.Context, subject, loginID string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := i.lists.EndID(ctx, subject, logins.Revoked, loginID)
	return i.revoked(ctx, subject, ended, err)
}

// LogoutAll ends all log-ins of a subject, sessions in the same namespace
// included, but for those whose LoginIDs are in keep (ASVS 5.0, 7.4.2 and
// 7.4.3). After nil, no log-in that was there before the call goes on. After an
// error some may, and the call can be repeated: it has ended what could be ended
// within its 5 seconds, and does not try that again. If the list of the subject was
// corrupt, it is an error for as long as a login that the list has lost may be
// alive: [IssuerConfig.IdleTimeout], and at least 7 days. For a Login that is under way,
// see [Issuer.Login].
func (i *Issuer) LogoutAll(ctx context.Context, subject string, keep ...string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := i.lists.End(ctx, subject, logins.Revoked, func(e logins.Entry) bool {
		return !slices.Contains(keep, e.Digest.LoginID())
	})
	return i.revoked(ctx, subject, ended, err)
}

// revoked reports the logins that were ended, and the error of others.
func (i *Issuer) revoked(ctx context.Context, subject string, ended []logins.Entry, err error) error {
	for _, e := range ended {
		i.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: subject, LoginID: e.Digest.LoginID()})
	}
	if err != nil {
		return i.unanswered(ctx, subject, "", fmt.Errorf("token: revoke: %w", err))
	}
	return nil
}
