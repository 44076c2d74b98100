package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"math/big"

	"github.com/authlatch/auth/internal/strictjson"
	enginejwk "github.com/lestrrat-go/jwx/v2/jwk"
)

// PrivateJWK is a complete key as JSON (RFC 7518, 6). It must never leave the key
// file.
type PrivateJWK struct {
	PublicJWK
	D  string `json:"d,omitempty"`
	P  string `json:"p,omitempty"`
	Q  string `json:"q,omitempty"`
	DP string `json:"dp,omitempty"`
	DQ string `json:"dq,omitempty"`
	QI string `json:"qi,omitempty"`
	K  string `json:"k,omitempty"`
}

// PrivateJWK returns the key for the key file, and false if the private key is not in
// memory.
func (k *SigningKey) PrivateJWK() (PrivateJWK, bool) {
	encode := base64url.EncodeToString
	public, _ := k.verification.PublicJWK()
	jwk := PrivateJWK{PublicJWK: public}
	switch raw := k.raw.(type) {
	case ed25519.PrivateKey:
		jwk.D = encode(raw.Seed())
	case *ecdsa.PrivateKey:
		d, err := raw.Bytes()
		if err != nil {
			return PrivateJWK{}, false
		}
		jwk.D = encode(d)
	case *rsa.PrivateKey:
		if len(raw.Primes) != 2 || raw.Precomputed.Qinv == nil {
			return PrivateJWK{}, false
		}
		number := func(n *big.Int) string { return encode(n.Bytes()) }
		jwk.D, jwk.P, jwk.Q = number(raw.D), number(raw.Primes[0]), number(raw.Primes[1])
		jwk.DP, jwk.DQ, jwk.QI = number(raw.Precomputed.Dp), number(raw.Precomputed.Dq), number(raw.Precomputed.Qinv)
	case []byte:
		jwk.KeyType, jwk.K = "oct", encode(raw)
		jwk.Algorithm, jwk.Use, jwk.KeyID = string(HS256), "sig", k.verification.id
	default:
		return PrivateJWK{}, false
	}
	return jwk, true
}

var (
	errPrivate  = refuse(ErrKey, "a private JWK has no private half, or one of another key")
	errOwnKeyID = refuse(ErrKey, "the kid of an own key is not its thumbprint")
)

// ParsePrivateJWK parses a key that signs tokens of the given typ. Its public part
// must match its private part, and the kid, if present, must be its thumbprint. The
// error is an [ErrKey] and reveals nothing about the key.
func ParsePrivateJWK(text []byte, typ string) (*SigningKey, error) {
	if strictjson.CheckObject(text) != nil {
		return nil, errJWK
	}
	k, err := readJWK(text)
	if err != nil {
		return nil, err
	}
	if !k.usable("sign") {
		return nil, errJWKUse
	}
	raw, err := k.privateKey(text)
	if err != nil {
		return nil, err
	}
	key, err := NewSigningKey(raw, typ)
	if err != nil {
		return nil, err
	}
	if alg, err := k.algorithm(); err != nil || alg != "" && alg != key.verification.alg {
		return nil, errKeyAlg
	}
	if k.KeyID != "" && k.KeyID != key.verification.id {
		return nil, errOwnKeyID
	}
	return key, nil
}

// ParsePublicJWK parses the public part of a key of the service, whose kid must be
// its thumbprint. The error is an [ErrKey].
func ParsePublicJWK(text []byte) (*VerificationKey, error) {
	if strictjson.CheckObject(text) != nil {
		return nil, errJWK
	}
	k, err := readJWK(text)
	if err != nil {
		return nil, err
	}
	if k.hasSecret() {
		return nil, errSecretKty
	}
	key, err := k.verification(KeyRules{})
	if err != nil {
		return nil, err
	}
	if key.id != thumbprint(key.raw()) {
		return nil, errOwnKeyID
	}
	return key, nil
}

// privateKey checks the public part first, so that the engine parses no malformed
// key, and then compares it with that of the private part.
func (k *jwk) privateKey(text []byte) (any, error) {
	public, err := k.public()
	if err != nil {
		return nil, err
	}
	if k.KeyType == "oct" {
		return public, nil
	}
	checked, err := NewVerificationKey(public, "", "", KeyRules{})
	if err != nil {
		return nil, err
	}
	for _, number := range k.private {
		if _, err := decodeNumber(number); err != nil {
			return nil, err
		}
	}
	signer, err := parsePrivate(text)
	if err != nil || thumbprint(signer.Public()) != checked.id {
		return nil, errPrivate
	}
	return signer, nil
}

// parsePrivate parses a key with the engine. It drops the engine's error, which might
// reveal the key.
func parsePrivate(text []byte) (signer crypto.Signer, err error) {
	defer func() {
		if recover() != nil {
			signer, err = nil, errPrivate
		}
	}()
	key, err := enginejwk.ParseKey(text)
	if err != nil {
		return nil, errPrivate
	}
	var raw any
	if key.Raw(&raw) != nil {
		return nil, errPrivate
	}
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		return raw, nil
	case *ecdsa.PrivateKey:
		return raw, nil // whose halves the self-check compares
	case *rsa.PrivateKey:
		return raw, raw.Validate()
	}
	return nil, errPrivate
}
