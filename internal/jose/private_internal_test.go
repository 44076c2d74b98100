package jose

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"math/big"
	"testing"
)

// A key that is not whole in memory has no JWK: half a key in the key file would
// be a file that cannot be read again.
func TestAKeyThatIsNotWholeHasNoPrivateJWK(t *testing.T) {
	key, err := Generate(ES256, "at+jwt")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := key.PrivateJWK(); !ok {
		t.Error("a whole key has none")
	}
	tooBig := *key.raw.(*ecdsa.PrivateKey)
	//lint:ignore SA1019 There is no other way to a key that cannot be written.
	tooBig.D = new(big.Int).Lsh(big.NewInt(1), 300)
	for name, raw := range map[string]any{
		"no number of the curve": &tooBig,
		"RSA without primes":     &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: big.NewInt(15), E: 3}, D: big.NewInt(3)},
		"RSA with three primes":  &rsa.PrivateKey{D: big.NewInt(3), Primes: []*big.Int{big.NewInt(3), big.NewInt(5), big.NewInt(7)}},
		"RSA without its powers": &rsa.PrivateKey{D: big.NewInt(3), Primes: []*big.Int{big.NewInt(3), big.NewInt(5)}},
		"in a module":            struct{ crypto.Signer }{},
	} {
		key.raw = raw
		if jwk, ok := key.PrivateJWK(); ok || jwk != (PrivateJWK{}) {
			t.Errorf("%s: %+v, %v", name, jwk, ok)
		}
	}
}

// A key in DER is one sequence, of at least two elements of a key's kinds, and of
// 44 bytes or more. What is not that may be a secret.
func TestOnlyAWholeSequenceLooksLikeAKeyInDER(t *testing.T) {
	integer := func(n int) []byte { return append([]byte{0x02, byte(n)}, bytes.Repeat([]byte{0x11}, n)...) }
	der := func(tag byte, elements ...[]byte) []byte {
		content := bytes.Join(elements, nil)
		return append([]byte{tag, byte(len(content))}, content...)
	}
	key := der(0x30, integer(18), integer(20)) // 44 bytes
	for name, test := range map[string]struct {
		secret []byte
		want   bool
	}{
		"a sequence":              {key, true},
		"one byte short of a key": {der(0x30, integer(18), integer(19)), false},
		"with a byte after it":    {append(bytes.Clone(key), 0), false},
		"a set":                   {der(0x31, integer(18), integer(20)), false},
		"a number":                {integer(60), false},
		"cut off":                 {key[:43], false},
		"of one element":          {der(0x30, integer(60)), false},
		"of another kind":         {der(0x30, integer(18), append([]byte{0x0c, 20}, make([]byte, 20)...)), false},
		"cut off inside":          {der(0x30, integer(18), integer(20)[:21], nil), false},
	} {
		if got := isDER(test.secret); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
