package jose_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// Key sets as external issuers publish them. References such as keycloak#14794 are public
// issues, as repository#number or owner/repository#number.

var foreignRules = jose.KeyRules{RS256: true, RSA2048: true}

// rsaEntry is a JWK of an RSA key, with members of its own.
func rsaEntry(key *rsa.PublicKey, kid, more string) string {
	return `{"kty":"RSA","kid":"` + kid + `","n":"` + encoding.EncodeToString(key.N.Bytes()) + `","e":"AQAB"` + more + `}`
}

// entries returns which algorithms a kid has in a set that is read from them.
func algorithms(t *testing.T, kid string, entries ...string) (algs string, skipped []error) {
	t.Helper()
	set, skipped, err := jose.ParseSet(jwks(entries...), foreignRules, nil)
	check(t, err)
	for _, key := range set.Keys(kid) {
		algs += " " + string(key.Algorithm())
	}
	return strings.TrimSpace(algs), skipped
}

// keycloak#14794, mozilla-django-oidc#350, authlib#785.
func TestOneKidMayStandForSeveralEntries(t *testing.T) {
	key, other := &raw2048().PublicKey, &rawRSA().PublicKey
	ec := withKid(t, signingKey(t, rawP256(t)), "a")
	ed := withKid(t, signingKey(t, rawEd25519(t)), "a")
	for _, c := range []struct {
		name    string
		entries []string
		want    string
		skipped int
	}{
		{"once for each alg", []string{
			rsaEntry(key, "a", `,"alg":"RS256"`), rsaEntry(key, "a", `,"alg":"RS384"`), rsaEntry(key, "a", `,"alg":"PS256"`), rsaEntry(key, "a", `,"alg":"RS512"`),
		}, "RS256 PS256", 2},
		{"sig and enc", []string{rsaEntry(other, "a", `,"use":"enc"`), rsaEntry(key, "a", `,"use":"sig"`)}, "RS256", 1},
		{"sig and enc of one key", []string{rsaEntry(key, "a", `,"use":"sig"`), rsaEntry(key, "a", `,"use":"enc","alg":"RSA-OAEP"`)}, "RS256", 1},
		{"with and without alg", []string{rsaEntry(key, "a", ""), rsaEntry(key, "a", `,"alg":"RS256"`)}, "RS256", 0},
		{"one entry twice", []string{ec, ec}, "ES256", 0},
		{"two kinds", []string{ec, rsaEntry(key, "a", "")}, "ES256 RS256", 0},
		{"an unknown kind", []string{`{"kty":"AKP","kid":"a"}`, ed}, "EdDSA", 1},
		{"two keys of one alg", []string{rsaEntry(key, "a", ""), rsaEntry(other, "a", "")}, "", 2},
		{"two keys of one alg beside another alg", []string{rsaEntry(key, "a", ""), ec, rsaEntry(other, "a", ""), rsaEntry(key, "a", "")}, "ES256", 3},
		{"null among them", []string{"null", ec}, "ES256", 1},
	} {
		if got, skipped := algorithms(t, "a", c.entries...); got != c.want || len(skipped) != c.skipped {
			t.Errorf("%s: %q, skipped: %v", c.name, got, skipped)
		}
	}
}

// keycloak#14794. The alg of the token selects only among the entries of its kid.
func TestAlgChoosesAmongTheEntriesOfAKid(t *testing.T) {
	ed, ec, stranger := rawEd25519(t), rawP256(t), rawEd25519(t)
	set, _, err := jose.ParseSet(jwks(withKid(t, signingKey(t, ec), "a"), withKid(t, signingKey(t, ed), "a")), jose.KeyRules{}, nil)
	check(t, err)
	for name, c := range map[string]struct {
		raw  any
		alg  string
		want error
	}{
		"first":             {ec, "ES256", nil},
		"second":            {ed, "EdDSA", nil},
		"another alg":       {ed, "PS256", jose.ErrAlgorithm},
		"HS256":             {ed, "HS256", jose.ErrAlgorithm},
		"none":              {ed, "none", jose.ErrAlgorithm},
		"another's key":     {stranger, "EdDSA", jose.ErrSignature},
		"the other's alg":   {ed, "ES256", jose.ErrSignature},
		"the other's alg 2": {ec, "EdDSA", jose.ErrSignature},
	} {
		token := forge(t, c.raw, `{"alg":"`+c.alg+`","kid":"a","typ":"at+jwt"}`, goodPayload)
		if _, err := set.Verify(token, accessForm); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each key of a kid stays the same object from one fetch to the next.
func TestAllEntriesOfAKidStayTheVerySame(t *testing.T) {
	key := &raw2048().PublicKey
	document := jwks(rsaEntry(key, "a", `,"alg":"RS256"`), rsaEntry(key, "a", `,"alg":"PS256"`))
	first, _, err := jose.ParseSet(document, foreignRules, nil)
	check(t, err)
	second, _, err := jose.ParseSet(document, foreignRules, first)
	check(t, err)
	for _, key := range first.Keys("a") {
		if !second.Has(key) {
			t.Errorf("%s is another", key.Algorithm())
		}
	}
}

// A key whose alg changes is a different key, so tokens must be verified again.
func TestAKeyOfAnotherAlgIsAnother(t *testing.T) {
	key := &raw2048().PublicKey
	first, _, err := jose.ParseSet(jwks(rsaEntry(key, "a", `,"alg":"RS256"`)), foreignRules, nil)
	check(t, err)
	second, _, err := jose.ParseSet(jwks(rsaEntry(key, "a", `,"alg":"PS256"`)), foreignRules, first)
	check(t, err)
	if second.Has(first.Keys("a")[0]) || second.Keys("a")[0].Algorithm() != jose.PS256 {
		t.Error("the key of the former alg goes on")
	}
}

// uaa#449, jenkinsci/oidc-provider-plugin#205: BigInteger.toByteArray of Java
// begins with a zero octet if the first bit is set.
func TestNumbersOfRSAKeysMayBeginWithZeros(t *testing.T) {
	key := &raw2048().PublicKey
	want, _ := algorithms(t, "a", rsaEntry(key, "a", ""))
	for name, text := range map[string]string{
		"n":           rsaNumbers(append([]byte{0}, key.N.Bytes()...), []byte{1, 0, 1}),
		"n, of many":  rsaNumbers(append(make([]byte, 40), key.N.Bytes()...), []byte{1, 0, 1}),
		"e":           rsaNumbers(key.N.Bytes(), []byte{0, 1, 0, 1}),
		"e, of eight": rsaNumbers(key.N.Bytes(), []byte{0, 0, 0, 0, 0, 1, 0, 1}),
	} {
		set, skipped, err := jose.ParseSet(jwks(text), foreignRules, nil)
		check(t, err)
		if set.Len() != 1 || string(set.Keys("a")[0].Algorithm()) != want {
			t.Errorf("%s: %v", name, skipped)
			continue
		}
		jwk, _ := set.Keys("a")[0].PublicJWK()
		if plain, _ := encoding.DecodeString(jwk.N); plain[0] == 0 || jwk.E != "AQAB" {
			t.Errorf("%s: %+v", name, jwk)
		}
	}
}

func rsaNumbers(n, e []byte) string {
	text, _ := json.Marshal(map[string]string{"kty": "RSA", "kid": "a", "n": encoding.EncodeToString(n), "e": encoding.EncodeToString(e)})
	return string(text)
}

// Sizes are in bits: a modulus of 3065 to 3071 bits also has 384 bytes.
func TestRSAKeysHaveTheirSizeInBits(t *testing.T) {
	for _, bits := range []int{2040, 2041, 2047, 2048, 2049, 3064, 3065, 3071, 3072, 3073, 8191, 8192, 8193, 16384} {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		n.SetBit(n, 0, 1)
		set, _, err := jose.ParseSet(jwks(rsaEntry(&rsa.PublicKey{N: n}, "a", "")), foreignRules, nil)
		check(t, err)
		if fits := 2048 <= bits && bits <= 8192; (set.Len() == 1) != fits {
			t.Errorf("%d bits: %d keys", bits, set.Len())
		} else if fits && set.Keys("a")[0].RSABits() != bits {
			t.Errorf("%d bits: %d", bits, set.Keys("a")[0].RSABits())
		}
		strict, _, err := jose.ParseSet(jwks(rsaEntry(&rsa.PublicKey{N: n}, "a", "")), jose.KeyRules{}, nil)
		check(t, err)
		if fits := 3072 <= bits && bits <= 8192; (strict.Len() == 1) != fits {
			t.Errorf("%d bits without a rule: %d keys", bits, strict.Len())
		}
	}
}
