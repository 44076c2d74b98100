package jose_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/authlatch/auth/internal/jose"
)

// ASVS 5.0, 1.5.3 and 9.1.1.
// The engine's own parser accepts every accepted token with the same key and returns the
// same payload: this package is only stricter. The token is either a header and a
// payload that the test signs, so that the fuzzer gets past the signature, or the input
// itself.
func FuzzVerify(f *testing.F) {
	raw := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	key, err := jose.NewSigningKey(raw, "at+jwt")
	check(f, err)
	set := setOf(f, key)
	id := key.Verification().ID()
	good := mint(f, key, goodPayload)
	for _, header := range []string{headerFor(key, ""), headerFor(key, `,"crit":[]`), headerFor(key, `,"x":{"y":1}`), `{"alg":"Ed25519","kid":"` + id + `","typ":"AT+JWT"}`, "{}", "null"} {
		for _, payload := range []string{goodPayload, `{}`, ``, `{"exp":1,"exp":2}`, `{"exp":1.5}`, `{}{}`} {
			f.Add(header, payload, "")
		}
	}
	f.Add("", "", good)
	f.Add("", "", good+"=")
	f.Add("", "", strings.Replace(good, ".", "..", 1))
	f.Fuzz(func(t *testing.T, header, payloadText, token string) {
		if token == "" {
			token = forge(t, raw, header, payloadText)
		}
		payload, by, err := set.VerifyJWS(token)
		if err != nil {
			if payload != nil || by != nil {
				t.Fatal("something usable stands beside an error")
			}
		} else {
			asTheEngine(t, raw, token, payload)
		}
		verified, err := set.Verify(token, accessForm)
		if err != nil {
			if verified.Key != nil || verified.Payload != nil {
				t.Fatal("something usable stands beside an error")
			}
			return
		}
		if !bytes.Equal(verified.Payload, payload) {
			t.Fatal("the two levels read another payload")
		}
		var claims map[string]any
		decode(t, verified.Payload, &claims)
		if exp, ok := claims["exp"]; ok && exp.(json.Number).String() == "" {
			t.Fatal("exp is not a number")
		}
		if _, ok := claims["exp"]; ok != (verified.Dates.Expires != 0) {
			t.Fatalf("exp is %v, read as %d", claims["exp"], verified.Dates.Expires)
		}
	})
}

func asTheEngine(t *testing.T, raw ed25519.PrivateKey, token string, payload []byte) {
	t.Helper()
	got, err := jws.Verify([]byte(token), jws.WithKey(jwa.EdDSA, raw.Public()))
	if err != nil || !bytes.Equal(got, payload) {
		t.Fatalf("accepted %q; the engine: %v", token, err)
	}
	parts := strings.Split(token, ".")
	for _, part := range parts {
		decoded, err := encoding.DecodeString(part)
		if err != nil || encoding.EncodeToString(decoded) != part {
			t.Fatalf("%q is not canonical", part)
		}
	}
	header, _ := encoding.DecodeString(parts[0])
	if len(parts) != 3 || !json.Valid(header) || duplicate(t, header) {
		t.Fatalf("accepted the header %q", header)
	}
}

// ASVS 5.0, 1.2.3.
// A minted token has exactly the given members, with any name (D1).
func FuzzMint(f *testing.F) {
	key := signingKey(f, rawEd25519(f))
	set := setOf(f, key)
	for _, name := range []string{"a", `x":1,"admin`, `"`, `\`, "\u2028", "sub", "SUB", "exp", "ſub", ""} {
		f.Add(name, "value")
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		payload, err := json.Marshal(map[string]string{"iss": "issuer", name: value})
		check(t, err)
		token, err := key.Mint(payload)
		if err != nil {
			if token != "" || !errors.Is(err, jose.ErrSign) && !errors.Is(err, jose.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		got, err := set.Verify(token, accessForm)
		check(t, err)
		var asked, read map[string]string
		check(t, json.Unmarshal(payload, &asked))
		check(t, json.Unmarshal(got.Payload, &read))
		if !maps.Equal(asked, read) || len(read) > 2 {
			t.Fatalf("asked for %v, read %v", asked, read)
		}
	})
}
