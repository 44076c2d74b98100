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

// VerificationKey verifies tokens. Its algorithm, its raw key and the engine's
// verifier are fixed when it is created. It is immutable except for a cache, and safe
// for concurrent use.
type VerificationKey struct {
	id       string
	alg      Algorithm
	raw      func() any // an ed25519.PublicKey, *ecdsa.PublicKey, *rsa.PublicKey or []byte
	engine   verifier
	size     int // of each signature, in bytes
	bits     int // of the modulus of an RSA key
	accepted atomic.Pointer[header]
}

// KeyRules relax the requirements on a verification key. The zero value is for the
// service's own keys and allows Ed25519, ECDSA over P-256, RSA-PSS from 3072 bits,
// and HMAC secrets from 32 bytes.
type KeyRules struct {
	// RS256 makes an RSA key without a named algorithm verify RS256 instead of PS256,
	// and allows a key to name RS256.
	RS256 bool
	// RSA2048 allows RSA keys from 2048 bits.
	RSA2048 bool
	// WithoutID uses the thumbprint as the kid of a key without one in a JWK Set,
	// instead of skipping the key.
	WithoutID bool
	// Secrets allows oct keys in a JWK Set. Use it only for sets that are not
	// published.
	Secrets bool
}

var (
	errKeyKind  = refuse(ErrKey, "the kind of the key is not supported")
	errKeyAlg   = refuse(ErrKey, "alg does not match the kind of the key")
	errCurve    = refuse(ErrKey, "an elliptic key is not a point of P-256")
	errEd25519  = refuse(ErrKey, "an Ed25519 key is not 32 bytes long")
	errKeyIDBad = refuse(ErrKey, "kid is missing or not well-formed")
)

// NewVerificationKey returns a key for an ed25519.PublicKey, an *ecdsa.PublicKey, an
// *rsa.PublicKey or the []byte of an HMAC secret, which it copies. Without alg, the
// algorithm depends on the kind of the key and the rules. Without id, the kid is the
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

// take checks the raw key and returns a copy.
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
		k.size, k.bits = raw.Size(), raw.N.BitLen()
		return &rsa.PublicKey{N: new(big.Int).Set(raw.N), E: raw.E}, nil
	case []byte:
		k.alg, k.size = HS256, sha256.Size
		return slices.Clone(raw), checkSecret(raw)
	}
	return nil, errKeyKind
}

// ID returns the kid.
func (k *VerificationKey) ID() string { return k.id }

// Algorithm returns the algorithm of the key.
func (k *VerificationKey) Algorithm() Algorithm { return k.alg }

// RSABits returns the length of the modulus of an RSA key in bits, and 0 for any
// other key.
func (k *VerificationKey) RSABits() int { return k.bits }

// same reports whether the keys verify the same tokens.
func (k *VerificationKey) same(other *VerificationKey) bool {
	return k.id == other.id && k.alg == other.alg && thumbprint(k.raw()) == thumbprint(other.raw())
}

var (
	errLength    = refuse(ErrSignature, "it does not have the length for the key")
	errSignature = refuse(ErrSignature, "it does not verify")
	errPanic     = refuse(ErrSignature, "the engine failed")
)

// verify implements step 7, for a signature of the right length. It recovers from a
// panic of the engine, so that one token cannot terminate a server.
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

// remember keeps the header of a token that verified, so that the next token with the
// same header need not be decoded.
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
