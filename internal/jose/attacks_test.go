package jose_test

// Classes of attacks that succeeded against other libraries, with CVE numbers. Some
// classes are covered by defects_test.go: crit (CVE-2026-32597) by D08, JSON
// serializations and several signatures (CVE-2016-9122, -2023-51774) by D13, and
// injected members (GHSA-4cf7-xm37-g63h) by D01. Every refusal in this package asserts
// that an error comes without a result (CVE-2024-51744).

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// ASVS 5.0, 9.1.2.
// CVE-2015-9235, -2022-23541, -2022-29217, -2023-48223, -2026-33322: a public key, in
// any encoding, as the secret of an HMAC.
func TestAttackAlgorithmConfusion(t *testing.T) {
	for _, alg := range []jose.Algorithm{jose.Ed25519, jose.ES256, jose.PS256} {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		for _, secret := range publicEncodings(t, key) {
			for _, name := range []string{"HS256", "HS384", "HS512", "hs256", string(alg)} {
				header := `{"alg":"` + name + `","kid":"` + key.Verification().ID() + `","typ":"at+jwt"}`
				input := encoding.EncodeToString([]byte(header)) + "." + encoding.EncodeToString([]byte(goodPayload))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(input))
				refused(t, set, input+"."+encoding.EncodeToString(mac.Sum(nil)), nil)
			}
		}
	}
}

func publicEncodings(t *testing.T, key *jose.SigningKey) [][]byte {
	t.Helper()
	text := publicJWK(t, key)
	var jwk jose.PublicJWK
	check(t, json.Unmarshal([]byte(text), &jwk))
	encodings := [][]byte{{}, []byte(text), jwks(text), []byte(key.Verification().ID()), []byte(jwk.X), []byte(jwk.N)}
	for _, number := range []string{jwk.X, jwk.N, jwk.X + jwk.Y} {
		bytes, _ := encoding.DecodeString(number)
		encodings = append(encodings, bytes)
	}
	if jwk.X != "" && jwk.Y == "" {
		x, _ := encoding.DecodeString(jwk.X)
		der, err := x509.MarshalPKIXPublicKey(ed25519.PublicKey(x))
		check(t, err)
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		encodings = append(encodings, der, block, block[:len(block)-1])
	}
	return encodings
}

// ASVS 5.0, 6.8.2 and 9.1.2.
// CVE-2022-23540, -2020-28042, -2019-20933, -2020-28637: no signature at all.
func TestAttackNone(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		signature := strings.Split(mint(t, key, goodPayload), ".")[2]
		for _, name := range []string{`"none"`, `"None"`, `"NONE"`, `"nOnE"`, `"none "`, `""`, `" "`, `"null"`, `"nоne"`, `"no\u006ee"`, `null`, `0`, `false`, `[]`, `{}`, `["none"]`} {
			header := encoding.EncodeToString([]byte(`{"alg":` + name + `,"kid":"` + key.Verification().ID() + `","typ":"at+jwt"}`))
			input := header + "." + encoding.EncodeToString([]byte(goodPayload))
			for _, tail := range []string{"", ".", ".AA", "." + signature} {
				refused(t, set, input+tail, nil)
			}
		}
	}
}

// ASVS 5.0, 9.1.2.
// CVE-2026-48523: the header is checked against a list, but the key is used with its own
// algorithm.
func TestAttackAlgorithmOfAnotherKeyOfTheSet(t *testing.T) {
	edRaw, ecRaw := rawEd25519(t), rawP256(t)
	ed, ec := signingKey(t, edRaw), signingKey(t, ecRaw)
	set := setOf(t, ed, ec)
	for alg, kid := range map[string]string{"ES256": ed.Verification().ID(), "EdDSA": ec.Verification().ID()} {
		header := `{"alg":"` + alg + `","kid":"` + kid + `","typ":"at+jwt"}`
		refused(t, set, forge(t, edRaw, header, goodPayload), jose.ErrAlgorithm)
		refused(t, set, forge(t, ecRaw, header, goodPayload), jose.ErrAlgorithm)
	}
}

// ASVS 5.0, 1.3.6 and 9.1.3.
// CVE-2018-0114: the key comes with the token. The test of the source proves that this
// package cannot fetch anything.
func TestAttackKeyInTheToken(t *testing.T) {
	honest := signingKey(t, rawEd25519(t))
	set := setOf(t, honest)
	raw := rawEd25519(t)
	evil := signingKey(t, raw)
	for _, kid := range []string{evil.Verification().ID(), honest.Verification().ID()} {
		for _, more := range []string{
			``, `,"jwk":` + publicJWK(t, evil), `,"jku":"http://127.0.0.1:1/keys"`, `,"x5u":"http://127.0.0.1:1/chain"`, `,"x5c":["MIIB"]`,
			`,"jwk":` + publicJWK(t, evil) + `,"jku":"http://127.0.0.1:1/keys"`,
		} {
			token := forge(t, raw, `{"alg":"EdDSA","kid":"`+kid+`","typ":"at+jwt"`+more+`}`, goodPayload)
			refused(t, set, token, nil)
			if _, err := set.Verify(token, jose.Form{Types: []string{"at+jwt"}, Foreign: true}); err == nil {
				t.Errorf("accepted with %s", more)
			}
		}
	}
}

// CVE-2025-30204, -2025-22868, -2025-27144: memory use that grows with malformed input.
func TestAttackGarbageCostsNothing(t *testing.T) {
	set := setOf(t, signingKey(t, rawEd25519(t)))
	for name, garbage := range map[string]string{
		"dots":           strings.Repeat(".", 1<<20),
		"letters":        strings.Repeat("A", 1<<20),
		"segments":       strings.Repeat("AAAA.", 1<<18),
		"8 KiB of dots":  strings.Repeat(".", jose.MaxToken),
		"8 KiB of words": strings.Repeat("A.", jose.MaxToken/2),
	} {
		var err error
		if n := testing.AllocsPerRun(20, func() { _, err = set.Verify(garbage, accessForm) }); n != 0 || !errors.Is(err, jose.ErrMalformed) {
			t.Errorf("%s: %v allocations, %v", name, n, err)
		}
	}
}

// ASVS 5.0, 11.3.1.
// CVE-2024-28122, -2023-49290, -2024-28180: compressed tokens, and keys derived from a
// password at any cost.
func TestAttackDecompressionAndPasswords(t *testing.T) {
	raw := rawEd25519(t)
	key := signingKey(t, raw)
	set := setOf(t, key)
	refused(t, set, forge(t, raw, headerFor(key, `,"zip":"DEF"`), goodPayload), jose.ErrMalformed)
	for _, alg := range []string{"PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "dir", "RSA1_5", "A128KW", "ECDH-ES"} {
		header := `{"alg":"` + alg + `","kid":"` + key.Verification().ID() + `","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA","zip":"DEF","typ":"at+jwt"}`
		refused(t, set, forge(t, raw, header, goodPayload), nil)
		segment := encoding.EncodeToString([]byte(header))
		refused(t, set, segment+".AAAA.AAAA.AAAA.AAAA", jose.ErrMalformed)
	}
}

// CVE-2024-21664, -2026-34986: input that makes other libraries panic.
func TestAttackHostileInputPanicsNowhere(t *testing.T) {
	set := setOf(t, signingKey(t, rawEd25519(t)))
	for _, token := range []string{
		"e30.e30.AA", "bnVsbA.bnVsbA.AA", "W10.W10.AA", "IiI.IiI.AA", "eyJhbGciOm51bGx9.e30.AA", "eyJhbGciOiJFZERTQSIsImtpZCI6bnVsbH0.e30.AA",
		"eyJhbGciOiJSUzI1NiJ9.e30.AA", "AA.AA.AA", "A.A.A", "-._.-", "_._._",
	} {
		refused(t, set, token, nil)
	}
	empty, err := jose.NewSet()
	check(t, err)
	refused(t, empty, mint(t, signingKey(t, rawEd25519(t)), goodPayload), nil)
}

// ASVS 5.0, 6.8.2 and 9.1.1.
// CVE-2026-38651, -2015-10004: a signature that is not verified. One changed byte
// anywhere in a signature, or the signature of another token, is refused.
func TestAttackSignatureOfAnotherToken(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		set := setOf(t, key)
		first := strings.Split(mint(t, key, goodPayload), ".")
		second := strings.Split(mint(t, key, `{"sub":"admin"}`), ".")
		refused(t, set, first[0]+"."+second[1]+"."+first[2], jose.ErrSignature)
		random := make([]byte, base64Len(first[2]))
		rand.Read(random)
		refused(t, set, first[0]+"."+first[1]+"."+encoding.EncodeToString(random), jose.ErrSignature)
		refused(t, set, first[0]+"."+first[1]+"."+encoding.EncodeToString(make([]byte, len(random))), jose.ErrSignature)
	}
}

func base64Len(segment string) int { return encoding.DecodedLen(len(segment)) }
