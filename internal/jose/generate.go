package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
)

// Generate creates a new key that signs tokens of the given typ.
func Generate(alg Algorithm, typ string) (*SigningKey, error) {
	raw, err := generate(alg)
	if err != nil {
		return nil, err
	}
	return NewSigningKey(raw, typ)
}

func generate(alg Algorithm) (any, error) {
	switch alg {
	case Ed25519:
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case PS256:
		return rsa.GenerateKey(rand.Reader, minRSA)
	case HS256:
		secret := make([]byte, minSecret)
		rand.Read(secret)
		return secret, nil
	}
	return nil, refuse(ErrKey, "keys cannot be generated for this algorithm")
}
