package auth

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/authlatch/auth/internal/ctxkey"
)

// Identity says who sent a request, or who is about to log in. Both modes take
// it at log-in and return it from Authenticate, so a handler reads the same
// fields whichever mode protects it.
//
// An Identity is a value and its parts are immutable: it may be copied, cached
// and read by several goroutines. Being a struct, it proves nothing by itself;
// what counts is where it came from.
type Identity struct {
	// Subject is the application's own, stable ID of whoever it is. It is
	// never empty, and an application never gives it to somebody else later.
	// With several identity providers the provider is part of it (ASVS 5.0,
	// 6.8.1).
	Subject string

	// Issuer is empty in sessions and the iss claim in tokens (RFC 7519,
	// 4.1.1). Log-in sets it; it refuses any other value.
	Issuer string

	// Scopes are the rights granted to this log-in (RFC 6749, 3.3).
	Scopes Words

	// Methods are the ways in which the subject proved itself, as amr values
	// such as "pwd" or "otp" (RFC 8176).
	Methods Words

	// AuthTime is when the subject last proved itself (auth_time in OpenID
	// Connect Core, 2). Zero at log-in means now; a later time is cut to now.
	AuthTime time.Time

	// Expires is when the log-in ends at the latest. At log-in it is a wish,
	// "remember me", which the mode cuts to its own limit; zero means the
	// mode's default.
	Expires time.Time

	// LoginID names the log-in in device lists, events and logs. It is not a
	// secret and opens nothing. It is set by log-in and ignored in what is
	// passed to it.
	LoginID string

	// Claims are the application's own facts. Decode them when they are asked
	// for.
	Claims Claims

	// Credential is what the request carried, once it is verified:
	// *session.Session or *token.Token. It is ignored in what is passed to
	// log-in.
	Credential any
}

// Validate reports whether the parts of the identity are well-formed, as log-in
// requires: a Subject of 1 to 255 bytes of UTF-8, Scopes and Methods, and Claims
// as from [NewClaims]. Log-in also wants an empty Issuer, and no Expires that is
// past.
func (id Identity) Validate() error {
	const maxSubject = 255
	if id.Subject == "" {
		return errors.New("auth: identity has no subject")
	}
	if len(id.Subject) > maxSubject {
		return fmt.Errorf("auth: subject is longer than %d bytes", maxSubject)
	}
	// JSON would turn two subjects that are no UTF-8 into the same one.
	if !utf8.ValidString(id.Subject) {
		return errors.New("auth: subject is not UTF-8")
	}
	if err := id.Scopes.validate(); err != nil {
		return fmt.Errorf("auth: scopes: %w", err)
	}
	if err := id.Methods.validate(); err != nil {
		return fmt.Errorf("auth: methods: %w", err)
	}
	return id.Claims.validate()
}

// NewContext returns a context that carries id. Guards never trust it; it is
// for code that authenticates in a way of its own, and for tests of handlers.
func NewContext(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, ctxkey.Identity{}, &id)
}

// FromContext returns the identity that a guard, or [NewContext], put into the
// context of a request, and false if nobody is authenticated.
func FromContext(ctx context.Context) (Identity, bool) {
	id, _ := ctx.Value(ctxkey.Identity{}).(*Identity)
	if id == nil {
		return Identity{}, false
	}
	return *id, true
}
