package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/authlatch/auth/internal/ctxkey"
)

// Identity says who sent a request, or who is about to log in. Login takes an
// Identity and Authenticate returns one, in both modes, so handlers read the same
// fields in either mode.
//
// An Identity is a value and its parts are immutable. It may be copied, cached
// and read by several goroutines at once. Trust an Identity only if an
// Authenticator returned it: any code can create the struct.
type Identity struct {
	// Subject is the application's own, stable ID of the user or service. It is
	// never empty. The application must never reassign it to another user or
	// service. With several identity providers it includes the provider (ASVS
	// 5.0, 6.8.1).
	Subject string

	// Actor is who acts for Subject: an administrator, or a delegated agent (act; RFC
	// 8693, 4.1). Empty means the subject itself. An application that records or decides
	// who does something must read both fields. RequireSelf of a guard refuses the
	// requests of an actor.
	//
	// Login with an Actor lets the actor act for Subject. Before it, the application must
	// authenticate the actor and check that it may act for this subject. AuthTime and
	// Methods are those of the actor. Such a login
	//
	//   - lasts at most one hour, is never remembered, and cannot be made by
	//     LoginPending,
	//   - shares no values with other sessions of the browser,
	//   - ends with LogoutAll of the subject, and with LogoutAll of the actor,
	//   - evicts none of the subject's own logins: for each user, the logins with an
	//     actor, in which the user is the subject or the actor, have a bound of their
	//     own, which is MaxLogins of [Limits], but at most 100.
	Actor string

	// ActorLoginID is the LoginID of the actor's own login, in the same store and
	// namespace. It is optional. If it is set, the login in which the actor acts ends
	// when the actor's own login ends.
	//
	// Login returns an error if the login with this LoginID is not a live login of the
	// actor, is pending, has an actor itself, or is the one that Login replaces. So in
	// the browser of the actor, make logins with an actor in the other mode, or with a
	// cookie of their own.
	//
	// ActorLoginID costs one more read of the store for each read of such a session, and
	// for each refresh and revocation check of such a token. It is empty in tokens of
	// other issuers.
	ActorLoginID string

	// Issuer is the iss claim of a token (RFC 7519, 4.1.1). It is empty in a session.
	// Login of an Issuer sets it. Login returns an error if it is set already, except to
	// the same issuer.
	Issuer string

	// Scopes are the rights granted to this login (RFC 6749, 3.3).
	Scopes Words

	// Methods are the authentication methods of the login, as amr values such as
	// "pwd" or "otp" (RFC 8176).
	Methods Words

	// AuthTime is when the subject last authenticated (auth_time in OpenID
	// Connect Core, 2). Login replaces zero, or a time in the future, by now.
	AuthTime time.Time

	// Expires is when the login ends at the latest. Login treats it as a request: later
	// than [Limits].Lifetime from now means "remember me". It is capped at MaxLifetime.
	// Zero requests Lifetime.
	//
	// A login that replaces a remembered login of the same subject stays remembered if
	// Expires is zero, or is that of the identity that a guard has put into the context.
	// It then ends when the replaced login would have ended, or after Lifetime if that is
	// later.
	Expires time.Time

	// LoginID names the login in device lists, events and logs. It is not a
	// secret and grants no access. Login sets it, and ignores it in the Identity
	// that is passed to it.
	LoginID string

	// Claims are the application's own facts about the login. [Claims.Decode]
	// reads them.
	Claims Claims

	// Credential is the verified credential of the request: a *session.Session or a
	// *token.Token. Login uses it only to recognize an Expires that was copied from this
	// credential, and so is not a new request.
	Credential any
}

// Validate returns an error unless the identity is well-formed, as Login requires:
//
//   - Subject has 1 to 255 bytes of UTF-8.
//   - Actor is empty, or has 1 to 255 bytes of UTF-8 and differs from Subject. Without an
//     Actor, ActorLoginID is empty.
//   - Scopes and Methods follow the grammar of [Words].
//   - Claims are as [NewClaims] returns them.
//
// Login also requires an Expires that is not in the past, and an empty Issuer or, in
// package token, the issuer's own.
func (id Identity) Validate() error {
	if id.Subject == "" {
		return errors.New("auth: identity has no subject")
	}
	if len(id.Subject) > maxSubject {
		return fmt.Errorf("auth: subject is longer than %d bytes", maxSubject)
	}
	// JSON would turn two different subjects that are not UTF-8 into the same one.
	if !utf8.ValidString(id.Subject) {
		return errors.New("auth: subject is not UTF-8")
	}
	if err := id.validateActor(); err != nil {
		return err
	}
	if err := id.Scopes.validate(); err != nil {
		return fmt.Errorf("auth: scopes: %w", err)
	}
	if err := id.Methods.validate(); err != nil {
		return fmt.Errorf("auth: methods: %w", err)
	}
	return id.Claims.validate()
}

const maxSubject = 255 // bytes

func (id Identity) validateActor() error {
	switch {
	case id.Actor == "" && id.ActorLoginID != "":
		return errors.New("auth: identity has an ActorLoginID but no Actor")
	case len(id.Actor) > maxSubject:
		return fmt.Errorf("auth: actor is longer than %d bytes", maxSubject)
	case !utf8.ValidString(id.Actor):
		return errors.New("auth: actor is not UTF-8")
	case id.Actor == id.Subject:
		return errors.New("auth: the actor is the subject itself: leave Actor empty")
	}
	return nil
}

// NewContext returns a context that carries id. Use it in code that authenticates
// requests by its own means, and in tests of handlers. A guard never trusts the
// identity in the context of a request.
func NewContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, ctxkey.Identity{}, &id)
}

// FromContext returns the identity that a guard, or [NewContext], put into the
// context of a request. It returns false if the request is not authenticated.
func FromContext(ctx context.Context) (Identity, bool) {
	id, _ := ctx.Value(ctxkey.Identity{}).(*Identity)
	if id == nil {
		return Identity{}, false
	}
	return *id, true
}
