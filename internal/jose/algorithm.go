package jose

import (
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Algorithm is the name of a signature algorithm as in a header (RFC 7518, 3.1). A
// key has exactly one, which depends on the kind of the key; the header of a token
// can only match it.
type Algorithm string

// The supported algorithms, for signing and for verifying.
const (
	// Ed25519 is written as EdDSA (RFC 8037, 3.1), which all verifiers know. The
	// newer name of the same algorithm, Ed25519 (RFC 9864, 2.2), is accepted as well.
	Ed25519 Algorithm = "EdDSA"
	// ES256 is ECDSA over P-256 with SHA-256.
	ES256 Algorithm = "ES256"
	// PS256 is RSA-PSS with SHA-256 and a salt as long as the hash.
	PS256 Algorithm = "PS256"
	// RS256 is RSA with PKCS #1 v1.5 padding. It is verified if the rules allow it,
	// and never used for signing.
	RS256 Algorithm = "RS256"
	// HS256 is HMAC with SHA-256, for issuers that verify their own tokens.
	HS256 Algorithm = "HS256"
)

// verifier and signer are the interfaces of the engine. Other types implement them
// where the engine is not suitable.
type (
	verifier interface {
		Verify(input, signature []byte, key any) error
	}
	signer interface {
		Sign(input []byte, key any) ([]byte, error)
	}
)

// engines maps each algorithm to its name in the engine. PS256 is signed by the
// engine but verified by [pssVerifier].
var engines = map[Algorithm]jwa.SignatureAlgorithm{
	Ed25519: jwa.EdDSA,
	ES256:   jwa.ES256,
	PS256:   jwa.PS256,
	RS256:   jwa.RS256,
	HS256:   jwa.HS256,
}

// algorithmNamed returns the algorithm with a name in a header or a JWK.
func algorithmNamed(name string) (Algorithm, bool) {
	if name == "Ed25519" {
		return Ed25519, true
	}
	_, ok := engines[Algorithm(name)]
	return Algorithm(name), ok
}

// newVerifier returns the engine's verifier; it is called once per key, when the key
// is loaded. The engine's registry is global and can be changed, so the verifier must
// first pass a known-answer test.
func newVerifier(alg Algorithm) (verifier, error) {
	if alg == PS256 {
		return pssVerifier{}, nil
	}
	v, err := jws.NewVerifier(engines[alg])
	if err != nil {
		return nil, refuse(ErrKey, "the engine has no such algorithm")
	}
	return v, checkKnownAnswer(alg, v)
}

// newSigner returns the engine's signer for raw keys.
func newSigner(alg Algorithm) (signer, error) {
	if alg == RS256 {
		return nil, refuse(ErrKey, "RS256 is not used for signing")
	}
	s, err := jws.NewSigner(engines[alg])
	if err != nil {
		return nil, refuse(ErrKey, "the engine has no such algorithm")
	}
	return s, nil
}
