package jose

import "errors"

// The kinds of refusal. Every error of this package is one of them, or an
// [UnknownKeyError]. Their texts are constants: no token, header, key or
// secret is ever part of one.
var (
	// ErrMalformed: the token is not the one spelling of a token.
	ErrMalformed = errors.New("jose: malformed")
	// ErrTooLong is the kind of ErrMalformed (it wraps it) of a token that is
	// longer than the caller admits.
	ErrTooLong = refuse(ErrMalformed, "token is too long")
	// ErrType: the typ is not one that the caller accepts.
	ErrType = errors.New("jose: wrong type")
	// ErrAlgorithm: the alg is none of ours, or not that of the key.
	ErrAlgorithm = errors.New("jose: wrong algorithm")
	// ErrSignature: the signature does not verify.
	ErrSignature = errors.New("jose: wrong signature")
	// ErrKey: a key, or a set of keys, must not be used.
	ErrKey = errors.New("jose: unusable key")
	// ErrSign: a token could not be minted.
	ErrSign = errors.New("jose: cannot sign")
)

// UnknownKeyError says that the set has no key of the token's kid. A newer set
// may have it.
type UnknownKeyError struct {
	// KeyID is the kid of the header. Anybody may have written it.
	KeyID string
	// Dates are what the payload says, without a signature. All are 0 if it is
	// not a payload that could be accepted.
	Dates Dates
}

// Error does not repeat the kid.
func (*UnknownKeyError) Error() string { return "jose: unknown key" }

// refusal is a kind of refusal with its reason.
type refusal struct {
	kind error
	text string
}

func refuse(kind error, reason string) error {
	return &refusal{kind, kind.Error() + ": " + reason}
}

// malformed is the refusal of a text that is no strict JSON.
func malformed(err error) error { return refuse(ErrMalformed, err.Error()) }

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }
