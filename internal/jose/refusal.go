package jose

import "errors"

// The kinds of error. Every error of this package wraps one of them, or is an
// [UnknownKeyError]. Their texts are constants, and never contain a token, a header, a
// key or a secret.
var (
	// ErrMalformed: the token is not in the one accepted encoding.
	ErrMalformed = errors.New("jose: malformed")
	// ErrTooLong wraps ErrMalformed. The token is longer than the caller allows.
	ErrTooLong = refuse(ErrMalformed, "token is too long")
	// ErrType: the typ is not one that the caller accepts.
	ErrType = errors.New("jose: wrong type")
	// ErrAlgorithm: the alg is not supported, or not that of the key.
	ErrAlgorithm = errors.New("jose: wrong algorithm")
	// ErrSignature: the signature does not verify.
	ErrSignature = errors.New("jose: wrong signature")
	// ErrKey: a key, or a set of keys, must not be used.
	ErrKey = errors.New("jose: unusable key")
	// ErrSign: a token could not be signed.
	ErrSign = errors.New("jose: cannot sign")
)

// UnknownKeyError reports that the set has no key with the token's kid. A newer set
// may have it.
type UnknownKeyError struct {
	// KeyID is the kid of the header. It is not authenticated.
	KeyID string
	// Dates are the dates of the payload. They are not authenticated. All are 0 if
	// the payload could not be accepted.
	Dates Dates
}

// Error returns a text without the kid.
func (*UnknownKeyError) Error() string { return "jose: unknown key" }

// refusal is a kind of error with its reason.
type refusal struct {
	kind error
	text string
}

func refuse(kind error, reason string) error {
	return &refusal{kind, kind.Error() + ": " + reason}
}

// malformed is the refusal of a text that is not strict JSON.
func malformed(err error) error { return refuse(ErrMalformed, err.Error()) }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }
