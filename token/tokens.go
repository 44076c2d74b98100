package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/claims"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// Tokens are the tokens that a login or a refresh issues to a client. As JSON they
// are a response of RFC 6749, 5.1. They are secrets: send them with Cache-Control:
// no-store, and keep them out of logs.
type Tokens struct {
	// AccessToken goes into the Authorization header of requests, after Bearer.
	// It has at most 4096 bytes.
	AccessToken string `json:"access_token,omitempty"`

	// TokenType is "Bearer".
	TokenType string `json:"token_type"`

	// ExpiresIn is how long the access token is valid, in seconds from now.
	ExpiresIn int64 `json:"expires_in"`

	// RefreshAfter is when to refresh, in seconds from now. It is a little before
	// ExpiresIn, by a random time, so that clients do not refresh at the same moment.
	RefreshAfter int64 `json:"refresh_after"`

	// RefreshToken is for one call of [Issuer.Refresh]. It is empty in responses to
	// browsers, which receive it in a cookie. It has at most 128 bytes.
	RefreshToken string `json:"refresh_token,omitempty"`

	// Generation counts the refreshes of the login. Of two responses, the one with
	// the higher generation is newer.
	Generation uint64 `json:"gen"`

	// LoginID names the login, as in [auth.Identity] and in lists of devices. It is
	// not a secret. A client compares it with that of its own tokens, and does not
	// replace them by tokens of another login.
	LoginID string `json:"login_id"`
}

// granted are issued tokens, with the expiry of the refresh cookie of a remembered login.
// Without one, the cookie ends with the browser.
type granted struct {
	Tokens
	ends time.Time
}

// Format implements [fmt.Formatter]. It writes no token for any verb, because tokens
// are logged by mistake. fmt does not call it for Tokens in an unexported field.
func (t Tokens) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "token.Tokens{expires_in: %d, gen: %d}", t.ExpiresIn, t.Generation)
}

// LogValue implements [slog.LogValuer]. Like Format, it writes no token.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }

// Issue logs id in for a native client or a service, which keeps both tokens itself.
// Browsers use [Issuer.Login], whose documentation says what to check again after a
// login. Issue replaces no login and keeps nothing of one. An id.Expires is a requested expiry: beyond Lifetime of [auth.Limits] it
// means "remember me", as in Login.
//
// An error means that id is not valid (see [auth.Identity.Validate]; its Issuer must
// be empty or that of the issuer, and its Expires not in the past), or that the store
// could not answer. After an error, no user has been logged in. If ctx is canceled, the
// writes continue for 5 seconds at most.
func (i *Issuer) Issue(ctx context.Context, id auth.Identity) (Tokens, error) {
	ctx, cancel := stored.Writing(ctx)
	defer cancel()
	tokens, fresh, err := i.issue(ctx, id, rotation.Device{}, nil)
	if err != nil {
		return Tokens{}, err
	}
	i.event(ctx, fresh.event(auth.EventLogin))
	return tokens.Tokens, nil
}

// login identifies a login, its subject, and who acts for it.
type login struct {
	subject string
	digest  logins.Digest
	family  *rotation.Family // as it was read or written
}

// event returns an event about the login.
func (l *login) event(kind auth.EventKind) auth.Event {
	return auth.Event{Kind: kind, Subject: l.subject, Actor: l.family.Actor, LoginID: l.digest.LoginID()}
}

// familyEvent returns an event about a login, to which the caller adds the kind.
func familyEvent(f *rotation.Family, digest logins.Digest) auth.Event {
	return (&login{f.Subject, digest, f}).event("")
}

// issue creates a family, adds it to the list, ends the login that it replaces, if
// any, and only then returns its tokens, so that the browser never has two live
// logins.
func (i *Issuer) issue(ctx context.Context, id auth.Identity, from rotation.Device, old *login) (granted, *login, error) {
	if t, ok := id.Credential.(*Token); ok && id.Expires.Equal(t.identity.Expires) {
		id.Expires = old.expires(id.Subject) // and not the end of an access token
	}
	f, secret, err := i.newFamily(id, from)
	if err == nil {
		i.keepTerm(f, id.Expires, old)
		err = i.tieToActor(ctx, f, id, old)
	}
	var seed [16]byte
	var digest logins.Digest
	if err == nil {
		seed, digest, err = i.create(ctx, f)
	}
	if err != nil {
		refused := auth.Event{Subject: stored.Printable(id.Subject, 255), Actor: stored.Printable(id.Actor, 255)}
		return granted{}, nil, i.failed(ctx, refused, fmt.Errorf("token: log in: %w", err))
	}
	fresh := &login{f.Subject, digest, f}
	tokens, err := i.tokens(f, seed, secret)
	if err == nil {
		err = i.enlist(ctx, fresh, time.UnixMilli(f.Expires), old)
	}
	if err != nil {
		i.rollback(ctx, fresh)
		return granted{}, nil, i.failed(ctx, fresh.event(""), fmt.Errorf("token: log in: %w", err))
	}
	return tokens, fresh, nil
}

func (i *Issuer) enlist(ctx context.Context, fresh *login, expires time.Time, old *login) error {
	var replaced *logins.Digest
	if old != nil && old.subject == fresh.subject {
		replaced = &old.digest
	}
	entry := logins.Entry{Digest: fresh.digest, Kind: logins.Family, Expires: expires}
	err := i.lists.AddFor(ctx, fresh.subject, fresh.family.Actor, entry, replaced)
	if err != nil || old == nil {
		return err
	}
	if err := i.lists.EndOneFor(ctx, old.subject, old.family.Actor, logins.Family, old.digest, logins.Replaced); err != nil {
		return err
	}
	e := old.event(auth.EventRevoked)
	e.Reason = logins.Replaced.String()
	i.event(ctx, e)
	return nil
}

// rollback ends a login whose tokens could not be sent. If that fails as well, no
// client has its tokens, and it expires.
func (i *Issuer) rollback(ctx context.Context, l *login) {
	if err := i.lists.EndOneFor(ctx, l.subject, l.family.Actor, logins.Family, l.digest, logins.Revoked); err != nil {
		i.lists.Fault(ctx, l.subject, err)
	}
}

// newFamily returns a family with the secret of its refresh tokens.
func (i *Issuer) newFamily(id auth.Identity, from rotation.Device) (*rotation.Family, []byte, error) {
	if err := id.Validate(); err != nil {
		return nil, nil, err
	}
	if id.Issuer != "" && id.Issuer != i.config.Issuer {
		return nil, nil, errors.New("the Issuer of the identity is not IssuerConfig.Issuer, which sets it: leave it empty")
	}
	now := time.Now()
	term, err := logins.NewTerm(&i.config.Limits, now, id.Expires)
	if err != nil {
		return nil, nil, err
	}
	if id.Actor != "" {
		term = term.ForActor(&i.config.Limits, now)
	}
	current, err := i.config.Keys.currentSecret()
	if err != nil {
		return nil, nil, err
	}
	f := &rotation.Family{
		KeyID:   current.ID,
		Created: now.UnixMilli(), Rotated: now.UnixMilli(), AuthTime: now.UnixMilli(),
		Expires: term.Expires.UnixMilli(), Remembered: term.Remembered,
		Subject: id.Subject, Actor: id.Actor, Scopes: string(id.Scopes), Methods: string(id.Methods), Claims: string(id.Claims),
		Login: from, Last: from,
	}
	if !id.AuthTime.IsZero() && id.AuthTime.Before(now) {
		f.AuthTime = max(id.AuthTime.UnixMilli(), 0)
	}
	f.Idle = i.idleEnd(f, now)
	return f, i.bound(current.Bytes), nil
}

// expires returns when a login of the subject ends at the latest, or zero if it is not one.
func (l *login) expires(subject string) time.Time {
	if l == nil || l.subject != subject {
		return time.Time{}
	}
	return time.UnixMilli(l.family.Expires)
}

// keepTerm gives a new login the term of the one that it replaces, if that is a remembered
// login of the same subject and the new login requests no other expiry. So a step-up keeps
// what "remember me" has requested.
func (i *Issuer) keepTerm(f *rotation.Family, requested time.Time, old *login) {
	ends := old.expires(f.Subject)
	if ends.IsZero() || !old.family.Remembered || !requested.IsZero() && !requested.Equal(ends) {
		return
	}
	if old.family.Actor != "" || f.Actor != "" {
		return
	}
	now := time.UnixMilli(f.Created)
	term := logins.Kept(&i.config.Limits, now, logins.Term{Expires: ends, Remembered: true})
	f.Expires, f.Remembered = term.Expires.UnixMilli(), term.Remembered
	f.Idle = i.idleEnd(f, now)
}

// create stores a family before any of its tokens is sent.
func (i *Issuer) create(ctx context.Context, f *rotation.Family) (seed [16]byte, digest logins.Digest, err error) {
	if len(f.Encode()) > store.MaxValue {
		return seed, digest, errors.New("the identity is too large to be stored")
	}
	err = i.lists.Create(ctx, logins.Family, func() (logins.Digest, []byte, time.Duration) {
		rand.Read(seed[:])
		rand.Read(f.Salt[:])
		digest = rotation.Digest(i.config.Namespace, rotation.FamilyID(seed))
		return digest, f.Encode(), f.TTL(time.Now(), i.idle(f))
	})
	return seed, digest, err
}

// tokens returns the refresh token of the current generation of a family, and a new
// access token.
func (i *Issuer) tokens(f *rotation.Family, seed [16]byte, secret []byte) (granted, error) {
	now := time.Now().Truncate(time.Millisecond) // as in a family
	famID := rotation.FamilyID(seed)
	loginID := rotation.Digest(i.config.Namespace, famID).LoginID()
	expires := time.UnixMilli(min(now.Add(i.config.AccessLifetime).UnixMilli(), f.Expires))
	var jti [16]byte
	rand.Read(jti[:])
	c := claims.Access{
		Issuer: i.config.Issuer, Audience: i.config.Audience, ClientID: i.config.ClientID,
		Subject: f.Subject, Actor: f.Actor, ActorLoginID: actorLoginID(f), ID: base64.RawURLEncoding.EncodeToString(jti[:]),
		SID: loginID, Family: famID,
		IssuedAt: now, Expires: expires, AuthTime: time.UnixMilli(f.AuthTime),
		Scopes: auth.Words(f.Scopes), Methods: auth.Words(f.Methods), Application: auth.Claims(f.Claims),
	}
	payload, err := c.Encode()
	if err != nil {
		return granted{}, err
	}
	access, err := i.config.Keys.mint(payload)
	if err != nil {
		return granted{}, err
	}
	expiresIn := int64(expires.Sub(now) / time.Second)
	tokens := Tokens{
		AccessToken: access, TokenType: "Bearer",
		ExpiresIn: expiresIn, RefreshAfter: expiresIn - jitter(expiresIn),
		RefreshToken: rotation.NewToken(secret, seed, f.Salt, f.Generation).String(),
		Generation:   f.Generation,
		LoginID:      loginID,
	}
	// The end is counted from now and not read from the family, which notes it at
	// writes only: the Max-Age of a cookie would show a thief each refresh of the owner.
	granted := granted{Tokens: tokens}
	if f.Remembered {
		granted.ends = time.UnixMilli(i.idleEnd(f, now))
	}
	return granted, nil
}

// idle returns the idle timeout of a family.
func (i *Issuer) idle(f *rotation.Family) time.Duration {
	return logins.Idle(&i.config.Limits, f.Remembered)
}

// idleEnd returns when a login ends that is used now and not again.
func (i *Issuer) idleEnd(f *rotation.Family, now time.Time) int64 {
	return min(now.Add(i.idle(f)).UnixMilli(), f.Expires)
}
