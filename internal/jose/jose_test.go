package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

var encoding = base64.RawURLEncoding

// accessForm is the form that package token uses.
var accessForm = jose.Form{Types: []string{"at+jwt"}}

const goodPayload = `{"iss":"https://issuer.test","sub":"alice","aud":"https://api.test","exp":1800000600,"iat":1800000000,"jti":"1","client_id":"app","scope":"read write"}`

// rawRSA is generated once, because that is slow.
var rawRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 3072)
	if err != nil {
		panic(err)
	}
	return key
})

// raw2048 is a key of a size that only a rule allows.
var raw2048 = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func rawEd25519(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return key
}

func rawP256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	return key
}

func rawSecret() []byte {
	secret := make([]byte, 32)
	rand.Read(secret)
	return secret
}

// rawKey generates a private key of an algorithm for signing.
func rawKey(t testing.TB, alg jose.Algorithm) any {
	t.Helper()
	switch alg {
	case jose.Ed25519:
		return rawEd25519(t)
	case jose.ES256:
		return rawP256(t)
	case jose.PS256:
		return rawRSA()
	}
	return rawSecret()
}

var minted = []jose.Algorithm{jose.Ed25519, jose.ES256, jose.PS256, jose.HS256}

func signingKey(t testing.TB, raw any) *jose.SigningKey {
	t.Helper()
	key, err := jose.NewSigningKey(raw, "at+jwt")
	check(t, err)
	return key
}

func setOf(t testing.TB, keys ...*jose.SigningKey) *jose.Set {
	t.Helper()
	var verification []*jose.VerificationKey
	for _, key := range keys {
		verification = append(verification, key.Verification())
	}
	set, err := jose.NewSet(verification...)
	check(t, err)
	return set
}

func mint(t testing.TB, key *jose.SigningKey, payload string) string {
	t.Helper()
	token, err := key.Mint([]byte(payload))
	check(t, err)
	return token
}

// forge signs any header and payload with a raw key.
func forge(t testing.TB, raw any, header, payload string) string {
	t.Helper()
	input := encoding.EncodeToString([]byte(header)) + "." + encoding.EncodeToString([]byte(payload))
	return input + "." + encoding.EncodeToString(rawSign(t, raw, input))
}

// rawSign uses only the standard library.
func rawSign(t testing.TB, raw any, input string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(input))
	switch raw := raw.(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(raw, []byte(input))
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, raw, digest[:])
		check(t, err)
		signature := make([]byte, 64)
		r.FillBytes(signature[:32])
		s.FillBytes(signature[32:])
		return signature
	case *rsa.PrivateKey:
		signature, err := rsa.SignPSS(rand.Reader, raw, crypto.SHA256, digest[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		check(t, err)
		return signature
	case []byte:
		mac := hmac.New(sha256.New, raw)
		mac.Write([]byte(input))
		return mac.Sum(nil)
	}
	t.Fatalf("no raw key: %T", raw)
	return nil
}

// headerFor is the header of a valid token, followed by more members.
func headerFor(key *jose.SigningKey, more string) string {
	v := key.Verification()
	return `{"alg":"` + string(v.Algorithm()) + `","kid":"` + v.ID() + `","typ":"at+jwt"` + more + `}`
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused asserts that the token is refused with the kind of error and without a result.
func refused(t *testing.T, set *jose.Set, token string, kind error) {
	t.Helper()
	got, err := set.Verify(token, accessForm)
	if err == nil {
		t.Fatalf("accepted %.80q", token)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error is %v, want %v", err, kind)
	}
	if got.Key != nil || got.Payload != nil || got.Claims != nil || got.Dates != (jose.Dates{}) {
		t.Error("something usable stands beside the error")
	}
}

func TestMintedTokenVerifies(t *testing.T) {
	for _, alg := range minted {
		t.Run(string(alg), func(t *testing.T) {
			raw := rawKey(t, alg)
			key := signingKey(t, raw)
			set := setOf(t, key)
			token := mint(t, key, goodPayload)
			for range 2 { // the second time the header is known
				got, err := set.Verify(token, accessForm)
				check(t, err)
				if string(got.Payload) != goodPayload || got.Key != key.Verification() {
					t.Error("payload or key is another")
				}
				if got.Dates != (jose.Dates{Expires: 1800000600, IssuedAt: 1800000000}) {
					t.Errorf("dates are %+v", got.Dates)
				}
			}
			forged := forge(t, raw, headerFor(key, ""), goodPayload)
			if _, err := set.Verify(forged, accessForm); err != nil {
				t.Errorf("what the standard library signs: %v", err)
			}
		})
	}
}

func TestHeaderOfMintedTokenIsGolden(t *testing.T) {
	seed := sha256.Sum256([]byte("golden"))
	key := signingKey(t, ed25519.NewKeyFromSeed(seed[:]))
	segment, _, _ := strings.Cut(mint(t, key, goodPayload), ".")
	header, err := encoding.DecodeString(segment)
	check(t, err)
	want := `{"alg":"EdDSA","kid":"` + key.Verification().ID() + `","typ":"at+jwt"}`
	if string(header) != want {
		t.Errorf("header is %s, want %s", header, want)
	}
}

// The key and its thumbprint are from RFC 8037, A.3, and RFC 7638, 3.1.
func TestThumbprintIsThatOfTheStandards(t *testing.T) {
	x, _ := encoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	key, err := jose.NewVerificationKey(ed25519.PublicKey(x), "", "", jose.KeyRules{})
	check(t, err)
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; key.ID() != want {
		t.Errorf("thumbprint is %s, want %s", key.ID(), want)
	}
	document := `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}`
	var jwk struct{ N string }
	check(t, json.Unmarshal([]byte(document), &jwk))
	n, _ := encoding.DecodeString(jwk.N)
	public := &rsa.PublicKey{N: bigInt(n), E: 65537}
	key, err = jose.NewVerificationKey(public, "", "", jose.KeyRules{RS256: true, RSA2048: true})
	check(t, err)
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; key.ID() != want {
		t.Errorf("thumbprint is %s, want %s", key.ID(), want)
	}
}
