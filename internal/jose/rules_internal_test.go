package jose

import (
	"errors"
	"strings"
	"testing"
)

// What is missing is named: it is not that the engine computes wrongly.
func TestAnAlgorithmThatTheEngineLacksIsNamedAsSuch(t *testing.T) {
	for _, alg := range []Algorithm{"", "none", "HS512"} {
		_, err := newVerifier(alg)
		if !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no such algorithm") {
			t.Errorf("verifier of %q: %v", alg, err)
		}
		if _, err := newSigner(alg); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "no such algorithm") {
			t.Errorf("signer of %q: %v", alg, err)
		}
	}
}

// A number is canonical base64url: at least one byte, no lone character, no bits
// that count for nothing.
func TestANumberOfAJWKIsCanonical(t *testing.T) {
	if number, err := decodeNumber("AQAB"); err != nil || string(number) != "\x01\x00\x01" {
		t.Errorf("%x, %v", number, err)
	}
	for _, text := range []string{"", "A", "AQABA", "AR", "AQ==", "AQ\n", "A.", "A+"} {
		if number, err := decodeNumber(text); err != errJWKNumber || number != nil {
			t.Errorf("%q: %x, %v", text, number, err)
		}
	}
}

func TestAJWKThatCannotBeReadSaysWhy(t *testing.T) {
	for want, k := range map[error]jwk{
		errUnknownKey: {PublicJWK: PublicJWK{KeyType: "oKP", KeyID: "1"}},
		errJWKNumber:  {PublicJWK: PublicJWK{KeyType: "OKP", Curve: "Ed25519", X: "A", KeyID: "1"}},
		errKeyKind:    {PublicJWK: PublicJWK{KeyType: "EC", Curve: "P-521", X: "AQAB", Y: "AQAB", KeyID: "1"}},
		errCurve:      {PublicJWK: PublicJWK{KeyType: "EC", Curve: "P-256", X: "AQAB", Y: "AQAB", KeyID: "1"}},
		errKeyIDBad:   {PublicJWK: PublicJWK{KeyType: "OKP", Curve: "Ed25519", X: "AQAB"}},
		errJWKUse:     {PublicJWK: PublicJWK{KeyType: "OKP", Curve: "Ed25519", X: "AQAB", KeyID: "1", Use: "enc"}},
		errKeyAlg:     {PublicJWK: PublicJWK{KeyType: "OKP", Curve: "Ed25519", X: "AQAB", KeyID: "1", Algorithm: "none"}},
	} {
		if key, err := k.verification(KeyRules{}); err != want || key != nil {
			t.Errorf("%+v: %v; want %v", k.PublicJWK, err, want)
		}
	}
}

// Entries without a kid are left out one by one, also where a kid that stands twice
// refuses the whole set.
func TestTwoEntriesWithoutAKidRefuseNoSet(t *testing.T) {
	set, skipped, err := ParseSet([]byte(`{"keys":[1,{"kty":"oct","k":"AQAB"},{"kty":"oct","k":"AQAC"}]}`), KeyRules{Secrets: true}, nil)
	if err != nil || len(skipped) != 3 || set.Len() != 0 {
		t.Errorf("%v, %v, %v", set, skipped, err)
	}
	twice := `{"keys":[{"kty":"oct","kid":"1","k":"AQAB"},{"kty":"oct","kid":"1","k":"AQAC"}]}`
	if _, _, err := ParseSet([]byte(twice), KeyRules{Secrets: true}, nil); err != errTwice {
		t.Error(err)
	}
}
