package jose

import (
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Algorithm names a signature algorithm as a header does (RFC 7518, 3.1). A
// key has exactly one, and its kind decides which; a token can only agree.
type Algorithm string

// The algorithms. No other is spoken, in either direction.
const (
	// Ed25519 is minted as EdDSA (RFC 8037, 3.1), which verifiers of any age
	// know. The newer name of the same algorithm, Ed25519 (RFC 9864, 2.2), is
	// accepted as well.
	Ed25519 Algorithm = "EdDSA"
	// ES256 is ECDSA over P-256 with SHA-256.
	ES256 Algorithm = "ES256"
	// PS256 is RSA-PSS with SHA-256 and a salt as long as the hash.
	PS256 Algorithm = "PS256"
	// RS256 is RSA with PKCS #1 v1.5 padding. It is verified where a rule says
	// so, and never minted.
	RS256 Algorithm = "RS256"
	// HS256 is HMAC with SHA-256, where issuer and verifier are one.
	HS256 Algorithm = "HS256"
)

// verifier and signer are what the engine offers, and what stands in for it
// where it does not do.
type (
	verifier interface {
		Verify(input, signature []byte, key any) error
	}
	signer interface {
		Sign(input []byte, key any) ([]byte, error)
	}
)

// engines maps each algorithm to the name under which the engine knows it.
// PS256 is signed by the engine but verified by [pssVerifier].
var engines = map[Algorithm]jwa.SignatureAlgorithm{
	Ed25519: jwa.EdDSA,
	ES256:   jwa.ES256,
	PS256:   jwa.PS256,
	RS256:   jwa.RS256,
	HS256:   jwa.HS256,
}

// algorithmNamed finds the algorithm of a name in a header or a JWK.
func algorithmNamed(name string) (Algorithm, bool) {
	if name == "Ed25519" {
		return Ed25519, true
	}
	_, ok := engines[Algorithm(name)]
	return Algorithm(name), ok
}

// newVerifier asks the engine once per key, when the key is loaded. The
// engine's registry is one for the whole process and can be changed, so what
// it gives must first pass the known answers.
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

// newSigner asks the engine for a signer of raw keys.
func newSigner(alg Algorithm) (signer, error) {
	if alg == RS256 {
		return nil, refuse(ErrKey, "RS256 is not minted")
	}
	s, err := jws.NewSigner(engines[alg])
	if err != nil {
		return nil, refuse(ErrKey, "the engine has no such algorithm")
	}
	return s, nil
}
