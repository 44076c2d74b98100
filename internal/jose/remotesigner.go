package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
)

// remoteSigner signs with a crypto.Signer whose key is elsewhere, such as in a
// KMS.
type remoteSigner struct{ alg Algorithm }

func (r remoteSigner) Sign(input []byte, key any) ([]byte, error) {
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errKeyKind
	}
	digest := sha256.Sum256(input)
	switch r.alg {
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

// fixedLength turns the DER form of an ECDSA signature, which crypto.Signer
// returns, into the two numbers of 32 bytes of RFC 7518, 3.4.
func fixedLength(der []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &pair)
	if err != nil || len(rest) > 0 {
		return nil, errMint
	}
	signature := make([]byte, 2*p256Size)
	for i, number := range []*big.Int{pair.R, pair.S} {
		if number.Sign() <= 0 || number.BitLen() > 8*p256Size {
			return nil, errMint
		}
		number.FillBytes(signature[i*p256Size : (i+1)*p256Size])
	}
	return signature, nil
}
