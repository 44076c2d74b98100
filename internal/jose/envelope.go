// Package jose signs and verifies tokens in a strict subset of JWS and JWT (RFC 7515,
// 7519, 8725): one serialization, one encoding of each token, and one parser.
// [SigningKey.Mint] signs a payload, and [Set.Verify] verifies a token with a set of
// keys. It is the only package that imports jwx, the engine, and uses only its
// signature primitives and its parser of private keys.
//
// A token is accepted if it passes these steps, in this order. No step reads anything
// that an earlier step has not checked.
//
//  1. Size. At most 8192 bytes, or 16384 for a foreign token (see [Form.Foreign]).
//  2. Alphabet. Only A-Z a-z 0-9 - _ and the dot, so there is no padding, no
//     white space, no line break and no JSON serialization.
//  3. Shape. Exactly two dots. Header and signature are not empty, and the
//     payload of a JWT is not empty.
//  4. base64url. Each segment is the only encoding of its bytes: its length
//     modulo 4 is not 1, and the unused bits of its last character are zero.
//  5. Header. Either it is byte for byte the header that its key accepted last, or
//     it is strict JSON (see [strictjson.CheckObject]) of at most 1024 bytes, or 8192 of a
//     foreign token. alg is a string and names one of our algorithms.
//     kid is 1 to 128 characters of letters, digits and ._~:@+/=-. typ, if
//     present, is a string. crit, b64, zip, cty and jwk are refused. jku, x5u, x5c,
//     x5t and x5t#S256 are refused, or ignored in a foreign token. kid may be
//     missing if the caller allows it and all keys of the set have the same kid. All
//     other members are ignored. A URL or a key is never taken from a token.
//  6. Key. typ is one that the caller accepts: it is compared case-insensitively,
//     and application/ may be omitted. kid selects exactly one key, together with
//     alg if a foreign set has a kid once for each algorithm. alg is the algorithm
//     of that key, and the signature is exactly as long as the key produces.
//  7. Signature. It verifies over the exact bytes received before the second
//     dot. A panic of the engine counts as a signature that does not verify.
//  8. Payload. Strict JSON. No name at the top level differs from that of a
//     registered claim only by case. exp, nbf, iat and auth_time, if present, are
//     whole numbers without sign, fraction, exponent or leading zero, from 1 to
//     253402300799 (the end of the year 9999). In a foreign token a fraction is truncated,
//     an nbf of 0 or null is ignored, and so is an auth_time that is not a date.
//
// Package token validates the claims. An error never comes with a payload, but an
// [UnknownKeyError] has its dates: whether a newer set may have the key depends on
// when the token claims to have been issued.
package jose

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/authlatch/auth/internal/strictjson"
)

// MaxToken is the maximum length of a token in bytes. [SigningKey.Mint] creates tokens
// of at most half of that. MaxLongToken is the maximum for [Form.Foreign].
const (
	MaxToken     = 8192
	MaxLongToken = 16384
)

// Form states which tokens a caller accepts, in addition to the rules for all tokens.
// The zero value accepts none.
type Form struct {
	// Types are the accepted values of typ, in lower case and without
	// application/. The empty string stands for a header without typ.
	Types []string
	// Foreign is for tokens of other issuers. It accepts up to MaxLongToken bytes,
	// ignores jku, x5u, x5c, x5t and x5t#S256 in the header, truncates dates with a
	// fraction (RFC 7519, 2), and ignores an nbf of 0 or null and an auth_time that is
	// not a date.
	Foreign bool
	// WithoutKeyID accepts a header without kid if all keys of the set have the same
	// kid. A token that does not verify then causes an [UnknownKeyError].
	WithoutKeyID bool
}

// Verified is a token that has passed all steps.
type Verified struct {
	// Key is the key that verified the token.
	Key *VerificationKey
	// Payload is the text of a strict JSON object. The caller owns it.
	Payload []byte
	// Claims are the members of the payload. Their text is part of it.
	Claims []strictjson.Member
	// Dates are those of the payload.
	Dates Dates
}

// Verify runs all steps over a JWT.
func (s *Set) Verify(token string, form Form) (Verified, error) {
	payload, key, err := s.open(token, &form)
	if err != nil {
		return Verified{}, err
	}
	claims, dates, err := parseClaims(payload, &form)
	if err != nil {
		return Verified{}, err
	}
	return Verified{key, payload, claims, dates}, nil
}

// VerifyJWS runs steps 1 to 7 over a JWS with any typ. The payload may be anything,
// including empty.
func (s *Set) VerifyJWS(token string) (payload []byte, key *VerificationKey, err error) {
	return s.open(token, nil)
}

// open runs steps 1 to 7. Without a form it ignores typ and accepts an empty payload.
func (s *Set) open(token string, form *Form) ([]byte, *VerificationKey, error) {
	first, second, err := split(token, form)
	if err != nil {
		return nil, nil, err
	}
	if form != nil && second == first+1 {
		return nil, nil, errShape
	}
	input, payload, signature, err := decode(token, first, second)
	if err != nil {
		return nil, nil, err
	}
	h, err := s.header(token[:first], form)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.choose(h, form, len(signature))
	if err == nil {
		err = key.verify(input, signature)
	}
	if err != nil && h.kid == "" && form.accepts(h) == nil {
		err = &UnknownKeyError{} // this key may have been replaced by another
	}
	if unknown, ok := err.(*UnknownKeyError); ok && form != nil {
		unknown.Dates, _ = checkClaims(payload, form)
	}
	if err != nil {
		return nil, nil, err
	}
	key.remember(h)
	return payload, key, nil
}

var (
	errSize     = ErrTooLong
	errAlphabet = refuse(ErrMalformed, "token has a character that none has")
	errShape    = refuse(ErrMalformed, "token is not of three parts")
	errBase64   = refuse(ErrMalformed, "token is not canonical base64url")
)

// split finds the two dots. It implements steps 1 to 3.
func split(token string, form *Form) (first, second int, err error) {
	if len(token) > form.size() {
		return 0, 0, errSize
	}
	for i := range len(token) {
		if !inAlphabet[token[i]] {
			return 0, 0, errAlphabet
		}
	}
	first = strings.IndexByte(token, '.')
	second = strings.LastIndexByte(token, '.')
	if first < 1 || first == second || second == len(token)-1 {
		return 0, 0, errShape
	}
	if strings.IndexByte(token[first+1:], '.') != second-first-1 {
		return 0, 0, errShape
	}
	return first, second, nil
}

// inAlphabet is the alphabet of step 2.
var inAlphabet = func() (set [256]bool) {
	for _, c := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_." {
		set[c] = true
	}
	return set
}()

// base64url refuses non-zero trailing bits. It would ignore line breaks, but step 2 has
// refused these.
var base64url = base64.RawURLEncoding.Strict()

// decode implements step 4. Signing input, payload and signature share one buffer.
// The header is decoded later, and only if it is new; it must be canonical then.
func decode(token string, first, second int) (input, payload, signature []byte, err error) {
	body, tail := token[first+1:second], token[second+1:]
	n, m := base64url.DecodedLen(len(body)), base64url.DecodedLen(len(tail))
	buffer := make([]byte, second+n+m)
	copy(buffer, token[:second])
	input, payload, signature = buffer[:second:second], buffer[second:second+n:second+n], buffer[second+n:]
	if _, err := base64url.Decode(payload, []byte(body)); err != nil {
		return nil, nil, nil, errBase64
	}
	if _, err := base64url.Decode(signature, []byte(tail)); err != nil {
		return nil, nil, nil, errBase64
	}
	return input, payload, signature, nil
}

// header implements step 5.
func (s *Set) header(segment string, form *Form) (*header, error) {
	for _, key := range s.keys {
		if h := key.accepted.Load(); h != nil && h.segment == segment {
			return h, nil
		}
	}
	return parseHeader(segment, form.header())
}

// size returns the maximum length of a token.
func (f *Form) size() int {
	if f != nil && f.Foreign {
		return MaxLongToken
	}
	return MaxToken
}

// header returns the maximum length of a decoded header.
func (f *Form) header() int {
	if f != nil && f.Foreign {
		return maxCertificateHeader
	}
	return maxHeader
}

// accepts reports whether the form accepts a header.
func (f *Form) accepts(h *header) error {
	switch {
	case h.kid == "" && (f == nil || !f.WithoutKeyID):
		return errKeyID
	case f == nil:
		return nil
	case !slices.Contains(f.Types, h.typ):
		return errType
	case h.certificates && !f.Foreign:
		return errCertificates
	}
	return nil
}

// named returns the keys with the kid of a header. Without a kid it returns all keys
// if they have the same kid.
func (s *Set) named(h *header) ([]*VerificationKey, error) {
	if h.kid == "" {
		if len(s.byID) != 1 {
			return nil, errKeyID
		}
		return s.keys, nil
	}
	keys, ok := s.byID[h.kid]
	if !ok {
		return nil, &UnknownKeyError{KeyID: h.kid}
	}
	return keys, nil
}

// choose implements step 6.
func (s *Set) choose(h *header, form *Form, signature int) (*VerificationKey, error) {
	if err := form.accepts(h); err != nil {
		return nil, err
	}
	keys, err := s.named(h)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(keys, func(k *VerificationKey) bool { return k.alg == h.alg })
	if i < 0 {
		return nil, errAlgorithm
	}
	key := keys[i]
	if signature != key.size {
		return nil, errLength
	}
	return key, nil
}
