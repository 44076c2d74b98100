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

// A Sealed keeps a value of type T in a cookie of its own: a preference, a
// flash message, or the state of a login in progress. The cookie contains the
// value as JSON, encrypted and authenticated by a [Sealer]. Create a Sealed
// with [NewSealed]. It is immutable and safe for concurrent use.
//
// A value that [Sealed.Get] returns was set under this name, within its time to
// live, by this server or another server that has the key. It is not bound to a
// user: a client can pass its cookie on, and can send an old value again, even
// after [Sealed.Take]. Where that matters, put the subject or the login ID into
// T. Use package onetime for what must be used only once.
//
// A response that depends on the value must not enter a shared cache. Outside
// of guards, the handler has to set Cache-Control: no-store or private.
type Sealed[T any] struct {
	policy Policy
	sealer *Sealer
	ttl    time.Duration
}

// NewSealed returns a Sealed for the cookie of p. A value can be read for ttl
// after it was set, whatever the MaxAge of p. The ttl is one second to 400
// days. Use a cookie name for one type T only.
//
// NewSealed returns the policy's own error, and an error if s is nil or has no
// key, if ttl is out of range, if the name of p leaves no room for a value, or
// if T cannot be encoded as JSON.
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

// Set encrypts value and sets the cookie in h, the header of the response to r.
// It returns the errors of [Policy.Set], and an error if value cannot be
// encoded as JSON or is too long: about 3000 bytes of JSON fit. After an error
// h is unchanged.
func (c *Sealed[T]) Set(h http.Header, r *http.Request, value T) error {
	if err := c.policy.allowed(r); err != nil {
		return err
	}
	text, err := json.Marshal(value)
	if err != nil {
		// The error of the encoder may contain the value.
		return fmt.Errorf("cookie: %s: the %T cannot be encoded as JSON", c.policy.wire, value)
	}
	sealed, err := c.sealer.Seal(c.policy, text, c.ttl)
	if err != nil {
		return err
	}
	return c.policy.Set(h, r, sealed)
}

// Get returns the value of the cookie in r. ok is false if r has no such cookie
// or if its value cannot be opened, for example because ttl has passed or the
// key was removed. ok is also false with every error. The errors are those of
// [Policy.Read], such as [ErrMalformed].
//
// Get never returns part of a value. If the JSON has a field that T lacks,
// which a newer version of the program may have set, or a field of another
// type, ok is false. A field that is missing in the JSON is zero in T, so a
// program may add fields to T and still read values that an older version has
// set.
func (c *Sealed[T]) Get(r *http.Request) (value T, ok bool, err error) {
	sealed, ok, err := c.policy.Read(r)
	if err != nil || !ok {
		return value, false, err
	}
	value, ok = c.open(sealed)
	return value, ok, nil
}

// Take returns the value as [Sealed.Get] does, and calls [Sealed.Delete] if
// there is a value. Use it for messages that are shown once. A value that an
// earlier step of the same response has set or deleted takes precedence over
// the cookie in r. If there is no value, h is unchanged.
//
// Take does not guarantee that a value is used only once, which is harmless for
// a message. The browser deletes the value when it receives the response: if
// the response is lost or two tabs send requests at once, the value is taken
// twice. A slow response can also delete a value that another response has set
// in the meantime.
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

// Delete deletes the cookie. It returns the errors of [Policy.Delete].
func (c *Sealed[T]) Delete(h http.Header, r *http.Request) error { return c.policy.Delete(h, r) }

// open decodes into a new value, so that a failure returns the zero T.
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
