package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
	"slices"
	"sync/atomic"
)

// VerificationKey is a key that verifies tokens. Its algorithm, its raw key
// and the engine's verifier are settled when it is made. It is immutable but
// for a cache, and may be used by many goroutines at once.
type VerificationKey struct {
	id       string
	alg      Algorithm
	raw      func() any // an ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey or []byte
	engine   verifier
	size     int // of each signature, in bytes
	accepted atomic.Pointer[header]
}

// KeyRules loosen what a verification key may be. The zero value is for own
// keys and admits Ed25519, ECDSA over P-256, RSA-PSS from 3072 bits, and HMAC
// secrets from 32 bytes.
type KeyRules struct {
	// RS256 says that an RSA key whose algorithm nothing names verifies RS256
	// instead of PS256, and that a key may name it.
	RS256 bool
	// RSA2048 admits RSA keys from 2048 bits.
	RSA2048 bool
	// WithoutID names a key that has no kid by its thumbprint where a JWK Set is
	// read, instead of leaving it out.
	WithoutID bool
	// Secrets admits oct keys where a JWK Set is read. It is for sets that
	// nobody has published.
	Secrets bool
}

var (
	errKeyKind  = refuse(ErrKey, "a key is of no kind that we use")
	errKeyAlg   = refuse(ErrKey, "alg and key do not fit each other")
	errCurve    = refuse(ErrKey, "an elliptic key is not a point of P-256")
	errEd25519  = refuse(ErrKey, "an Ed25519 key is not of 32 bytes")
	errKeyIDBad = refuse(ErrKey, "kid is missing or not well-formed")
)

// NewVerificationKey makes a key of an ed25519.PublicKey, an *ecdsa.PublicKey,
// an *rsa.PublicKey or the []byte of an HMAC secret, which it copies. Without
// alg the kind of the key and the rules decide; without id it is the
// thumbprint (RFC 7638). The error is an [ErrKey].
func NewVerificationKey(raw any, alg Algorithm, id string, rules KeyRules) (*VerificationKey, error) {
	key := &VerificationKey{id: id}
	raw, err := key.take(raw, rules)
	if err != nil {
		return nil, err
	}
	key.raw = func() any { return raw }
	if alg == RS256 && key.alg == PS256 && rules.RS256 || alg == PS256 && key.alg == RS256 {
		key.alg = alg
	}
	if alg != "" && alg != key.alg {
		return nil, errKeyAlg
	}
	if id == "" {
		key.id = thumbprint(raw)
	}
	if !validKeyID(key.id) {
		return nil, errKeyIDBad
	}
	if key.engine, err = newVerifier(key.alg); err != nil {
		return nil, err
	}
	return key, nil
}

// take checks the raw key, and returns a copy.
func (k *VerificationKey) take(raw any, rules KeyRules) (any, error) {
	switch raw := raw.(type) {
	case ed25519.PublicKey:
		k.alg, k.size = Ed25519, ed25519.SignatureSize
		return slices.Clone(raw), checkEd25519(raw)
	case *ecdsa.PublicKey:
		k.alg, k.size = ES256, 2*p256Size
		return copyP256(raw)
	case *rsa.PublicKey:
		if k.alg = PS256; rules.RS256 {
			k.alg = RS256
		}
		if err := checkRSA(raw, rules); err != nil {
			return nil, err
		}
		k.size = raw.Size()
		return &rsa.PublicKey{N: new(big.Int).Set(raw.N), E: raw.E}, nil
	case []byte:
		k.alg, k.size = HS256, sha256.Size
		return slices.Clone(raw), checkSecret(raw)
	}
	return nil, errKeyKind
}

// ID returns the kid.
func (k *VerificationKey) ID() string { return k.id }

// Algorithm returns the one algorithm of the key.
func (k *VerificationKey) Algorithm() Algorithm { return k.alg }

// RSABits returns the length of the modulus of an RSA key in bits, and 0 for
// another key.
func (k *VerificationKey) RSABits() int {
	if key, ok := k.raw().(*rsa.PublicKey); ok {
		return key.N.BitLen()
	}
	return 0
}

// same reports whether the keys verify the same tokens.
func (k *VerificationKey) same(other *VerificationKey) bool {
	return k.id == other.id && k.alg == other.alg && thumbprint(k.raw()) == thumbprint(other.raw())
}

var (
	errLength    = refuse(ErrSignature, "it is not as long as the key makes them")
	errSignature = refuse(ErrSignature, "it does not verify")
	errPanic     = refuse(ErrSignature, "the engine failed")
)

// verify is step 7, over a signature of the right length. A panic of the engine
// is contained: one token must never end a server.
func (k *VerificationKey) verify(input, signature []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if k.engine.Verify(input, signature, k.raw()) != nil {
		return errSignature
	}
	return nil
}

// remember keeps the header of a token that verified, so that the next one
// with the same header need not be decoded.
func (k *VerificationKey) remember(h *header) {
	if k.accepted.Load() != h {
		k.accepted.Store(h)
	}
}

const p256Size = 32

// copyP256 checks that the key is a point of P-256.
func copyP256(key *ecdsa.PublicKey) (*ecdsa.PublicKey, error) {
	//lint:ignore SA1019 key.Bytes panics if a coordinate is nil.
	if key == nil || key.Curve != elliptic.P256() || key.X == nil || key.Y == nil {
		return nil, errCurve
	}
	point, err := key.Bytes()
	if err != nil {
		return nil, errCurve
	}
	fresh, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errCurve
	}
	return fresh, nil
}

func checkEd25519(key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return errEd25519
	}
	return nil
}
