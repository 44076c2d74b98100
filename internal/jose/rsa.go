package jose

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"math/big"
)

// The sizes of RSA keys in bits. The maximum bounds the cost of verification with a
// hostile key set.
const (
	minRSA       = 3072
	minLegacyRSA = 2048
	maxRSA       = 8192
)

var (
	errRSASize     = refuse(ErrKey, "an RSA key is too short or too long")
	errRSAExponent = refuse(ErrKey, "the exponent of an RSA key is even or below 65537")
	errRSAWeak     = refuse(ErrKey, "an RSA key is weak")
)

func checkRSA(key *rsa.PublicKey, rules KeyRules) error {
	least := minRSA
	if rules.RSA2048 {
		least = minLegacyRSA
	}
	if key == nil || key.N == nil || key.N.Sign() <= 0 {
		return errRSASize
	}
	switch bits := key.N.BitLen(); {
	case bits < least || bits > maxRSA:
		return errRSASize
	case key.E < 65537 || key.E%2 == 0 || int64(key.E) > 1<<31-1:
		return errRSAExponent
	case key.N.Bit(0) == 0 || roca(key.N):
		return errRSAWeak
	}
	return nil
}

// roca reports whether the modulus has the form of keys from the broken generator of
// CVE-2017-15361: modulo each small prime it is a power of 65537. One in 2^27 other
// moduli has that form too.
func roca(modulus *big.Int) bool {
	for _, prime := range []int64{
		11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157,
	} {
		rest := new(big.Int).Mod(modulus, big.NewInt(prime)).Int64()
		power := int64(1)
		for range prime {
			if power == rest {
				break
			}
			power = power * 65537 % prime
		}
		if power != rest {
			return false
		}
	}
	return true
}

// pssVerifier replaces the engine, which accepts a salt of any length.
type pssVerifier struct{}

func (pssVerifier) Verify(input, signature []byte, key any) error {
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return errKeyKind
	}
	digest := sha256.Sum256(input)
	return rsa.VerifyPSS(public, crypto.SHA256, digest[:], signature, pssOptions)
}

var pssOptions = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
