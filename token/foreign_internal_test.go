package token

import (
	"crypto/rsa"
	"math/big"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// Bits count, and not bytes: a modulus of 3065 bits has as many bytes as one of
// 3072 (ASVS 5.0, 11.2.3).
func TestRSAKeysBelow3072BitsAreForForeignTokens(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.RS256, jose.PS256} {
		for _, bits := range []int{2048, 3064, 3065, 3071, 3072, 3073, 8192} {
			n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
			n.SetBit(n, 0, 1)
			key, err := jose.NewVerificationKey(&rsa.PublicKey{N: n, E: 65537}, alg, "a", jose.KeyRules{RS256: true, RSA2048: true})
			if err != nil {
				t.Fatal(err)
			}
			if own := (*Foreign)(nil).admits(key); own != (alg == jose.PS256 && bits >= 3072) || !new(Foreign).admits(key) {
				t.Errorf("%s, %d bits: own tokens: %v", alg, bits, own)
			}
		}
	}
}
