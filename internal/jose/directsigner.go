package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// directSigner signs with any crypto.Signer, such as one of a KMS.
type directSigner struct{ alg Algorithm }

func (d directSigner) Sign(input []byte, key any) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errKeyKind
	}
	digest := sha256.Sum256(input)
	switch d.alg {
	case Ed25519:
		return signer.Sign(rand.Reader, input, crypto.Hash(0))
	case ES256:
		der, err := signer.Sign(rand.Reader, digest[:], crypto.SHA256)
		if err != nil {
			return nil, err
		}
		return fixedLength(der)
	case PS256:
		return signer.Sign(rand.Reader, digest[:], &rsa.PSSOptions{
			SaltLength: rsa.PSSSaltLengthEqualsHash,
			Hash:       crypto.SHA256,
		})
	}
	return nil, errKeyKind
}

// fixedLength converts an ECDSA signature from DER, as returned by crypto.Signer, to
// the two 32-byte numbers of RFC 7518, 3.4.
func fixedLength(der []byte) ([]byte, error) {
	var pair cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&pair, asn1.SEQUENCE) || !input.Empty() ||
		!pair.ReadASN1Integer(&r) || !pair.ReadASN1Integer(&s) || !pair.Empty() {
		return nil, errMint
	}
	if len(r) > p256Size || len(s) > p256Size {
		return nil, errMint
	}
	signature := make([]byte, 2*p256Size)
	copy(signature[p256Size-len(r):], r)
	copy(signature[2*p256Size-len(s):], s)
	return signature, nil
}
