package cookie

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Sealed keeps a value of type T in a cookie of its own, as JSON in the sealed
// form of a [Sealer]: a preference, a flash message, the state of a log-in
// under way. Create it with [NewSealed]. It is immutable and may be used by
// many goroutines at once.
//
// A value that is read is what this server, or another with the same key, has
// set under this name within the time to live. It does not say for whom: a
// client can pass its cookie on and send an old one again, after a [Sealed.Take]
// too. Put the subject or the login ID into T where that matters, and what may
// be used once only into package onetime.
//
// A response that depends on the value belongs into no shared cache. Outside of
// guards the handler says so, by Cache-Control: no-store or private.
type Sealed[T any] struct {
	policy Policy
	sealer *Sealer
	ttl    time.Duration
}

// NewSealed returns a Sealed for the cookie of p, whose values live for ttl,
// one second to 400 days, whatever the MaxAge of p. Use a name for one T alone.
//
// The error is that of p, or says that there is no Sealer or none with a key,
// that ttl is out of range, that the name of p leaves no room for a value, or
// that no T has a form in JSON.
func NewSealed[T any](p Policy, s *Sealer, ttl time.Duration) (*Sealed[T], error) {
	if s == nil {
		return nil, errors.New("cookie: NewSealed: no Sealer")
	}
	if _, err := s.Seal(p, []byte("0"), ttl); err != nil {
		return nil, err
	}
	var zero T
	var unsupported *json.UnsupportedTypeError
	if _, err := json.Marshal(zero); errors.As(err, &unsupported) {
		return nil, fmt.Errorf("cookie: NewSealed: %w", err)
	}
	return &Sealed[T]{policy: p, sealer: s, ttl: ttl}, nil
}

// Set seals value and sets the cookie in h, the header of the response to r, as
// [Policy.Set] does. The error is one of that, says that value has no form in
// JSON, or that it is too long: about 3000 bytes of JSON fit. After an error h
// is as it was.
func (c *Sealed[T]) Set(h http.Header, r *http.Request, value T) error {
	if err := c.policy.allowed(r); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		// The error of the encoder may tell the value.
		return fmt.Errorf("cookie: %s: the %T has no form in JSON", c.policy.wire, value)
	}
	sealed, err := c.sealer.Seal(c.policy, text, c.ttl)
	if err != nil {
		return err
	}
	return c.policy.Set(h, r, sealed)
}

// Get returns the value that r carries. ok is false if there is none, or one
// that does not open, as after ttl or with a key that is gone; and beside every
// error. The error is [ErrMalformed], as in [Policy.Read].
//
// A value of another shape is absent as a whole, and never understood in part:
// one with a field that T lacks, as a newer program sets it, or of another type.
// A field that the value lacks is zero, so a program may add fields to T and
// read what an older one has set.
func (c *Sealed[T]) Get(r *http.Request) (value T, ok bool, err error) {
	sealed, ok, err := c.policy.Read(r)
	if err != nil || !ok {
		return value, false, err
	}
	value, ok = c.open(sealed)
	return value, ok, nil
}

// Take is Get and, if there is a value, [Sealed.Delete]: for messages that are
// shown once. What an earlier step of the same response has set or deleted
// counts before what r carries. Without a value h is as it was.
//
// The browser forgets the value when it gets the response. If that is lost, or
// two tabs ask at once, the value is taken twice; and a slow response deletes a
// value that another has set meanwhile. All of it is harmless to a message, and
// makes Take no proof that something happens once.
func (c *Sealed[T]) Take(h http.Header, r *http.Request) (value T, ok bool, err error) {
	sealed, pending := c.policy.Pending(h)
	if pending {
		value, ok = c.open(sealed)
	} else {
		value, ok, err = c.Get(r)
	}
	if err == nil && ok {
		err = c.Delete(h, r)
	}
	if err != nil || !ok {
		var zero T
		return zero, false, err
	}
	return value, true, nil
}

// Delete deletes the cookie, as [Policy.Delete] does.
func (c *Sealed[T]) Delete(h http.Header, r *http.Request) error { return c.policy.Delete(h, r) }

// open decodes into a value of its own, of which nothing is left on failure.
func (c *Sealed[T]) open(sealed string) (value T, ok bool) {
	var zero T
	text, err := c.sealer.Open(c.policy, sealed)
	if err != nil {
		return zero, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&value) != nil {
		return zero, false
	}
	if _, err := d.Token(); err != io.EOF {
		return zero, false
	}
	return value, true
}
