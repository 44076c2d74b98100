// Package onetime issues tokens that can be redeemed once. Use them for links that
// reset a password or confirm an email address, and for tickets that open a
// WebSocket:
//
//	token, err := tokens.Issue(ctx, "confirm address", address, time.Hour)
//	address, err := tokens.Redeem(ctx, "confirm address", token)
//
// A token is 256 random bits and is valid for one purpose. The store keeps only its
// digest, so an attacker with a copy of the store cannot redeem a token.
//
// Bind a token that resets a password to the credential that it replaces; see
// [Tokens.Issue].
//
// Mail scanners follow links, so a link must lead to a page whose form redeems the
// token by POST. That page should send Referrer-Policy: no-referrer.
package onetime

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// The errors of [Tokens.Redeem] for a refused token. Both wrap
// [auth.ErrUnauthenticated]. Any other error means that the token could not be
// checked, for example because the store is down.
var (
	// ErrUsed means that the token was already redeemed. The application may show
	// this to a user who has submitted a form twice.
	ErrUsed = fmt.Errorf("onetime: token was used: %w", auth.ErrUnauthenticated)

	// ErrUnknown means that no token with this purpose and binding exists, or that it
	// has expired.
	ErrUnknown = fmt.Errorf("onetime: token is unknown or has expired: %w", auth.ErrUnauthenticated)
)

const (
	maxTTL     = 24 * time.Hour
	maxPayload = 4096
	tokenSize  = 32
)

// Config configures [Tokens].
type Config struct {
	// Store keeps the digests of tokens. It is required, and may be shared with other
	// data.
	Store store.Store

	// Namespace separates the tokens of applications that share a store. The default
	// is empty.
	Namespace string
}

// Tokens issues and redeems tokens. Create it with [New]; the zero value is not
// usable. It is safe for concurrent use.
type Tokens struct {
	store     store.Store
	namespace string
}

// New returns Tokens that are kept in c.Store. It returns an error if Store is nil.
func New(c Config) (*Tokens, error) {
	if c.Store == nil {
		return nil, errors.New("onetime: Config.Store is required")
	}
	return &Tokens{c.Store, c.Namespace}, nil
}

// Issue returns a new token of 43 base64url characters. [Tokens.Redeem] exchanges it
// for payload once, within ttl, for the same purpose.
//
// purpose is a non-empty constant of the application. payload identifies the subject
// or object of the token. It has up to 4096 bytes and is stored as it is. ttl is up
// to 24 hours: use an hour for a link in an email, 10 minutes for confirming a login
// (ASVS 5.0, 6.5.5), and 60 seconds for a WebSocket ticket, which must be issued only
// to authenticated requests (4.4.3, 4.4.4).
//
// If bound is given, Redeem requires the same values. Bind a link to the credential
// that it replaces, such as the name of an account and the hash of its password: once
// the hash has changed, all earlier links are unknown. Or bind a token to the value
// of a cookie that was set when the token was requested, so that it cannot be
// redeemed in another browser (6.6.2).
func (t *Tokens) Issue(ctx context.Context, purpose, payload string, ttl time.Duration, bound ...string) (string, error) {
	switch {
	case purpose == "":
		return "", errors.New("onetime: purpose is empty")
	case len(payload) > maxPayload:
		return "", fmt.Errorf("onetime: payload is longer than %d bytes", maxPayload)
	case ttl <= 0 || ttl > maxTTL:
		return "", fmt.Errorf("onetime: ttl is not positive, or longer than %v", maxTTL)
	}
	secret := make([]byte, tokenSize)
	rand.Read(secret)
	d := t.digest(purpose, secret, bound)
	unused := ticket{expires: time.Now().Add(ttl), payload: payload}.encode(d)

	ctx, done := stored.Writing(ctx)
	defer done()
	created, err := t.store.CompareAndSwap(ctx, d.Key(), nil, unused, ttl)
	if err != nil {
		return "", fmt.Errorf("onetime: issue: %w", err)
	}
	if !created {
		return "", errors.New("onetime: issue: the store has a value under a new key")
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// Redeem returns the payload of the token. It succeeds at most once. Later calls
// return [ErrUsed] until the token would have expired. The error is [ErrUnknown] if
// no token was issued with this purpose and bound, or it has expired. After any other
// error the token may or may not be used up; it is still redeemed at most once.
//
// Redeem the token last, after all other checks, because it cannot be restored. Put
// values that are needed earlier, such as the name of the account, into the link
// beside the token, and pass them as bound to Issue and Redeem. With a different
// value the token is unknown, and is not used up.
func (t *Tokens) Redeem(ctx context.Context, purpose, token string, bound ...string) (payload string, err error) {
	if purpose == "" {
		return "", errors.New("onetime: purpose is empty")
	}
	secret, ok := parse(token)
	if !ok {
		return "", ErrUnknown
	}
	d := t.digest(purpose, secret, bound)
	raw, ok, err := t.store.Get(ctx, d.Key())
	if err != nil {
		return "", fmt.Errorf("onetime: redeem: %w", err)
	}
	unused, err := read(raw, ok, d)
	if err != nil {
		return "", err
	}
	if err := t.markUsed(ctx, d, raw, unused); err != nil {
		return "", err
	}
	return unused.payload, nil
}

// parse does no I/O. It accepts exactly one encoding of a token.
func parse(token string) (secret []byte, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return nil, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return secret, err == nil && len(secret) == tokenSize
}

// markUsed swaps the record for a used one. Each caller writes different bytes, so a
// caller that reads its own bytes has won, even if the swap returned an error. A swap
// of unknown outcome is repeated unchanged, because it can be applied only once.
func (t *Tokens) markUsed(ctx context.Context, d record.Digest, raw []byte, unused ticket) error {
	used := ticket{used: true, expires: unused.expires}.encode(d)
	ctx, done := stored.Writing(ctx)
	defer done()
	fault := errContradiction
	for range 2 {
		swapped, err := t.store.CompareAndSwap(ctx, d.Key(), raw, used, max(time.Until(unused.expires), time.Second))
		if err == nil && swapped {
			return nil
		}
		now, ok, readErr := t.store.Get(ctx, d.Key())
		switch {
		case readErr != nil:
			return fmt.Errorf("onetime: redeem: %w", readErr)
		case ok && bytes.Equal(now, used):
			return nil
		case !ok || !bytes.Equal(now, raw):
			if _, err := read(now, ok, d); err != nil {
				return err
			}
			return errContradiction // an unused record is never rewritten
		case err != nil:
			fault = fmt.Errorf("onetime: redeem: %w", err)
		}
	}
	return fault
}

var errContradiction = errors.New("onetime: redeem: the store contradicts itself")

// digest covers all values that must match.
func (t *Tokens) digest(purpose string, secret []byte, bound []string) record.Digest {
	return record.NewDigest("one-time token", append([]string{string(secret), t.namespace, purpose}, bound...)...)
}
