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

// Logout ends the login of a browser and deletes its cookies (ASVS 5.0, 7.4.1). Without
// a login it is a no-op. If the login had been logged out or replaced before, the
// cookies stay, because the browser may have newer ones by now. Logout only sets
// headers; after nil the handler writes the response.
//
// The error wraps [auth.ErrForbidden] if
//
//   - the method is not POST (middleware.Deny responds with 405),
//   - another site made the browser send the request,
//   - the request lacks an idempotency key in the header [AttemptHeader], unless
//     [IssuerConfig.AttemptOptional] is set.
//
// If the refresh cookie was sent twice, Logout cannot tell which login to end. It deletes
// the cookies, ends no login, and returns an error that wraps [auth.ErrUnauthenticated].
// If [IssuerConfig.FormerCookies] explain why it was sent twice, Logout ends the logins
// of all cookies that arrived, without that error.
//
// Any other error means that the store could not answer, or that a cookie cannot be
// deleted in this response. The cookies then stay, and Logout can be repeated.
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
	case errors.Is(err, cookie.ErrMalformed) && i.former.Sent(r, i.config.Cookie) != nil:
		if err := i.revokeSent(r.Context(), r, logins.LoggedOut); err != nil {
			return err
		}
	case errors.Is(err, cookie.ErrMalformed):
		i.former.Expire(w.Header(), r)
		if failed := i.deleteCookies(w.Header(), r); failed != nil {
			err = fmt.Errorf("%w; %w", err, failed)
		}
		return err
	case err != nil && !errors.As(err, &refused):
		return err
	case refused != nil && refused.reason.Own():
		i.former.Expire(w.Header(), r)
		return nil
	}
	i.former.Expire(w.Header(), r) // not before: after an error the browser can repeat the logout
	return i.deleteCookies(w.Header(), r)
}

// revokeSent ends the logins of a browser that has sent the refresh cookies of several
// policies. The error means that one may be live.
func (i *Issuer) revokeSent(ctx context.Context, r *http.Request, reason logins.Reason) error {
	var failed error
	for _, text := range i.former.Sent(r, i.config.Cookie) {
		if err := i.revoke(ctx, text, reason); err != nil && !errors.Is(err, auth.ErrUnauthenticated) {
			failed = err
		}
	}
	return failed
}

// LogoutHandler returns a handler that calls [Issuer.Logout], and responds with 204, or
// with a problem detail as [Issuer.RefreshHandler] does.
func (i *Issuer) LogoutHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := i.Logout(w, r); err != nil {
			i.writeError(w, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// deleteCookies deletes only the cookies that the request carries, because a late
// response to a request without cookies must not delete those of a newer login.
func (i *Issuer) deleteCookies(h http.Header, r *http.Request) error {
	for _, policy := range i.cookies() {
		if _, ok, err := policy.Read(r); ok || err != nil {
			if err := policy.Delete(h, r); err != nil {
				return i.fault(r.Context(), "", "", fmt.Errorf("token: log out: %w", err))
			}
		}
	}
	return nil
}

// Revoke ends the login of a refresh token of any generation. It is the logout of clients
// that keep the token themselves.
//
// The error wraps [auth.ErrUnauthenticated] if the token is not valid, or if its login
// has already ended. After any other error the login may still be live, and the call
// can be repeated. Revoke emits [auth.EventLogout]; LogoutOne and LogoutAll emit
// [auth.EventRevoked].
func (i *Issuer) Revoke(ctx context.Context, refreshToken string) error {
	return i.revoke(ctx, refreshToken, logins.LoggedOut)
}

// revoke is Revoke with a reason.
func (i *Issuer) revoke(ctx context.Context, refreshToken string, reason logins.Reason) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	login, err := i.owner(ctx, refreshToken)
	if err != nil {
		return err
	}
	if err := i.lists.EndOneFor(ctx, login.subject, login.family.Actor, logins.Family, login.digest, reason); err != nil {
		return i.failed(ctx, login.event(""), fmt.Errorf("token: log out: %w", err))
	}
	if reason == logins.LoggedOut {
		i.event(ctx, login.event(auth.EventLogout))
	} else {
		e := login.event(auth.EventRevoked)
		e.Reason = reason.String()
		i.event(ctx, e)
	}
	return nil
}

// Logins returns the live logins of a subject, oldest first: its logins by token, and its
// sessions in the same store and namespace (ASVS 5.0, 7.5.2), including those in which an
// actor acts for it. It reads the list and one record for each login from the store. A
// login whose refresh secret is retired is not shown: it cannot be refreshed.
//
// An Issuer does not know the idle timeout of a session.Manager: a session that has
// ended because it was idle is shown until its record leaves the store, a minute later.
// A corrupt record is left out and reported as [auth.EventFault]. An error means that
// the store could not answer, or that a newer version of the program has written a
// record.
func (i *Issuer) Logins(ctx context.Context, subject string) ([]auth.Login, error) {
	list, err := i.lists.Logins(ctx, subject)
	if err != nil {
		return nil, i.fault(ctx, subject, "", fmt.Errorf("token: list logins: %w", err))
	}
	return list, nil
}

// describe describes a family for the list. A family whose secret is retired is not live.
func (i *Issuer) describe(d logins.Digest, raw []byte) (login auth.Login, live bool, err error) {
	f, err := rotation.Parse(raw)
	if err != nil {
		return auth.Login{}, false, err
	}
	now := time.Now()
	f.Settle(now, i.idle(f))
	return f.Describe(d), now.Before(f.Ends()) && !i.config.Keys.retired(f.KeyID), nil
}

// LogoutOne ends the login of a subject that has the given LoginID: a login by token, or
// a session in the same store and namespace. It ends only a login of this subject; an
// unknown LoginID is a no-op. After nil the login has ended and cannot be refreshed. Its
// access token stays valid until it expires, except for a Verifier with a
// RevocationCheck. After an error the call can be repeated.
func (i *Issuer) LogoutOne(ctx context.Context, subject, loginID string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := i.lists.EndID(ctx, subject, logins.Revoked, loginID)
	return i.revoked(ctx, subject, ended, err)
}

// LogoutAll ends all logins of a subject, including sessions in the same store and
// namespace and those in which an actor acts for it or it acts for another (see
// [auth.Identity]), except those whose LoginIDs are in keep (ASVS 5.0, 7.4.2 and 7.4.3). For a
// concurrent Login, see [Issuer.Login].
//
// After nil, every login that existed before the call has ended, except those in keep.
// After an error some may be live, and the call can be repeated. A call ends as many
// logins as it can within 5 seconds, and a repeated call continues with the others.
//
// If the list of the subject was corrupt, LogoutAll returns an error for as long as a
// login that the list has lost may be live: for the RememberedIdleTimeout of
// [auth.Limits], and at least 30 days.
func (i *Issuer) LogoutAll(ctx context.Context, subject string, keep ...string) error {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	ended, err := i.lists.End(ctx, subject, logins.Revoked, func(e logins.Entry) bool {
		return !slices.Contains(keep, e.Digest.LoginID())
	})
	return i.revoked(ctx, subject, ended, err)
}

// revoked reports the logins that were ended, and the error for the others.
func (i *Issuer) revoked(ctx context.Context, subject string, ended []logins.Entry, err error) error {
	for _, e := range ended {
		i.event(ctx, e.Event(subject))
	}
	if err != nil {
		return i.fault(ctx, subject, "", fmt.Errorf("token: revoke: %w", err))
	}
	return nil
}
