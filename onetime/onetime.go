// Package onetime makes tokens that work once: for the link that resets a
// password or confirms a mail address, or for the ticket that opens a WebSocket.
// A token is 256 random bits for one purpose. The store keeps its digest, so
// what leaks from a store opens nothing.
//
//	token, err := tokens.Issue(ctx, "confirm address", address, time.Hour)
//	address, err := tokens.Redeem(ctx, "confirm address", token)
//
// A token that resets a password is bound to what it replaces; see [Tokens.Issue].
// Mail scanners follow links, so a link leads to a page whose form redeems the
// token by POST. Let that page send Referrer-Policy: no-referrer.
package onetime

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// Why a token is refused; both wrap [auth.ErrUnauthenticated]. Any other error of
// [Tokens.Redeem] means that the question could not be answered: a store is down,
// say.
var (
	// ErrUsed means that somebody has redeemed the token before. A user who
	// has pressed a button twice may be told so.
	ErrUsed = fmt.Errorf("onetime: token was used: %w", auth.ErrUnauthenticated)

	// ErrUnknown means that there is no such token for this purpose, or not any
	// more: it has expired.
	ErrUnknown = fmt.Errorf("onetime: token is unknown or has expired: %w", auth.ErrUnauthenticated)
)

const (
	maxTTL     = 24 * time.Hour
	maxPayload = 4096
	tokenSize  = 32
)

// Config says where tokens are kept.
type Config struct {
	// Store keeps their digests. It is required, and may be shared with
	// everything else that is kept in a store.
	Store store.Store

	// Namespace keeps apart the tokens of applications that share a store. The
	// default is empty.
	Namespace string
}

// Tokens issues and redeems tokens. Create it with [New]: the zero value is not
// usable. It is safe for concurrent use.
type Tokens struct {
	store     store.Store
	namespace string
}

// New returns Tokens over a store, which is required.
func New(c Config) (*Tokens, error) {
	if c.Store == nil {
		return nil, errors.New("onetime: Config.Store is required")
	}
	return &Tokens{c.Store, c.Namespace}, nil
}

// Issue returns a new token of 43 characters of base64url. [Tokens.Redeem]
// exchanges it for payload once, within ttl, for the same purpose.
//
// purpose is a constant of the application and not empty. payload says whom or
// what the token is for; it is up to 4096 bytes and stands in the store as it
// is. ttl is up to 24 hours: an hour for a link in a mail, 10 minutes for what
// confirms a log-in (ASVS 5.0, 6.5.5), 60 seconds for a WebSocket ticket, which
// is given to authenticated requests only (4.4.3, 4.4.4).
//
// With bound, Redeem has to be given the same again. Bind a link to what it
// replaces, such as the name of an account and the hash of its password: once that
// is another, all links of before are unknown. Or bind a token to the value of a
// cookie that was set when it was asked for, so that it opens nothing in another
// browser (6.6.2).
func (t *Tokens) Issue(ctx context.Context, purpose, payload string, ttl time.Duration, bound ...string) (string, error) {
	switch {
	case purpose == "":
		return "", errors.New("onetime: purpose is empty")
	case len(payload) > maxPayload:
		return "", fmt.Errorf("onetime: payload is longer than %d bytes", maxPayload)
	case ttl <= 0 || ttl > maxTTL:
		return "", fmt.Errorf("onetime: ttl is not up to %v", maxTTL)
	}
	secret := make([]byte, tokenSize)
	rand.Read(secret)
	d := t.digest(purpose, secret, bound)
	live := ticket{expires: time.Now().Add(ttl), payload: payload}.encode(d)

	ctx, done := stored.Writing(ctx)
	defer done()
	created, err := t.store.CompareAndSwap(ctx, d.key(), nil, live, ttl)
	if err != nil {
		return "", fmt.Errorf("onetime: issue: %w", err)
	}
	if !created {
		return "", errors.New("onetime: issue: the store has a value under a new key")
	}
	return base64.RawURLEncoding.EncodeToString(secret), nil
}

// Redeem returns what the token was issued with, to one caller ever. The error
// is [ErrUsed] for the others as long as the token would have lived, and
// [ErrUnknown] for what was never issued with this purpose and bound or has
// expired. After any other error the token may be spent or not, and is redeemed
// at most once all the same.
//
// Redeem last, when all else has been checked: a token does not come back. What has
// to be known before, such as whose password it is, stands in the link beside the
// token, and is given as bound to Issue and Redeem: with another one the token is
// unknown, and not spent.
func (t *Tokens) Redeem(ctx context.Context, purpose, token string, bound ...string) (payload string, err error) {
	if purpose == "" {
		return "", errors.New("onetime: purpose is empty")
	}
	secret, ok := parse(token)
	if !ok {
		return "", ErrUnknown
	}
	d := t.digest(purpose, secret, bound)
	raw, ok, err := t.store.Get(ctx, d.key())
	if err != nil {
		return "", fmt.Errorf("onetime: redeem: %w", err)
	}
	live, err := read(raw, ok, d)
	if err != nil {
		return "", err
	}
	if err := t.spend(ctx, d, raw, live); err != nil {
		return "", err
	}
	return live.payload, nil
}

// parse costs no I/O. It accepts one spelling of a token.
func parse(token string) (secret []byte, ok bool) {
	if len(token) != base64.RawURLEncoding.EncodedLen(tokenSize) {
		return nil, false
	}
	secret, err := base64.RawURLEncoding.Strict().DecodeString(token)
	return secret, err == nil && len(secret) == tokenSize
}

// spend swaps the record for one that says used. Everybody writes other bytes,
// so who finds its own has won, whatever it was told. A swap of unknown outcome
// is made again as it was, since it can happen only once.
func (t *Tokens) spend(ctx context.Context, d digest, raw []byte, live ticket) error {
	used := ticket{used: true, expires: live.expires}.encode(d)
	ctx, done := stored.Writing(ctx)
	defer done()
	fault := errContradiction
	for range 2 {
		swapped, err := t.store.CompareAndSwap(ctx, d.key(), raw, used, max(time.Until(live.expires), time.Second))
		if err == nil && swapped {
			return nil
		}
		now, ok, readErr := t.store.Get(ctx, d.key())
		switch {
		case readErr != nil:
			return fmt.Errorf("onetime: redeem: %w", readErr)
		case ok && bytes.Equal(now, used):
			return nil
		case !ok || !bytes.Equal(now, raw):
			if _, err := read(now, ok, d); err != nil {
				return err
			}
			return errContradiction // a live record is never written again
		case err != nil:
			fault = fmt.Errorf("onetime: redeem: %w", err)
		}
	}
	return fault
}

var errContradiction = errors.New("onetime: redeem: the store contradicts itself")

// digest is what the store knows a token by.
type digest [sha256.Size]byte

func (d digest) key() string { return base64.RawURLEncoding.EncodeToString(d[:]) }

// digest covers all that must be the same again, each part with its length
// before it.
func (t *Tokens) digest(purpose string, secret []byte, bound []string) digest {
	b := []byte("authlatch one-time token\n")
	for _, part := range append([]string{string(secret), t.namespace, purpose}, bound...) {
		b = record.AppendText(b, part)
	}
	return sha256.Sum256(b)
}
