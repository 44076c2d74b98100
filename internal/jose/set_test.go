package jose_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

// withKid returns a public JWK under another kid.
func withKid(t testing.TB, key *jose.SigningKey, kid string) string {
	t.Helper()
	jwk, _ := key.Verification().PublicJWK()
	jwk.KeyID = kid
	text, err := json.Marshal(jwk)
	check(t, err)
	return string(text)
}

func TestDocumentsThatAreNoJWKSetAreRefused(t *testing.T) {
	key := publicJWK(t, signingKey(t, rawEd25519(t)))
	for name, document := range map[string]string{
		"empty":                "",
		"null":                 "null",
		"an array":             "[" + key + "]",
		"a bare JWK":           key,
		"no keys":              `{}`,
		"keys is null":         `{"keys":null}`,
		"keys is an object":    `{"keys":` + key + `}`,
		"keys is a string":     `{"keys":"x"}`,
		"keys twice":           `{"keys":[],"keys":[]}`,
		"keys in another case": `{"keys":[],"KEYS":[` + key + `]}`,
		"another case alone":   `{"Keys":[` + key + `]}`,
		"a member twice":       `{"keys":[` + strings.Replace(key, `"kty"`, `"kty":"EC","kty"`, 1) + `]}`,
		"HTML":                 "<html>",
		"data behind it":       `{"keys":[]}{}`,
		"cut":                  `{"keys":[` + key,
		"too deep":             `{"keys":[{"kty":"x","y":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}]}`,
		"more than 100 keys":   string(jwks(strings.Split(strings.Repeat(`{"kty":"x"} `, 101), " ")[:101]...)),
		"more than 1 MiB":      `{"keys":[]` + strings.Repeat(" ", jose.MaxDocument) + `}`,
		"bad UTF-8":            "{\"keys\":[],\"\xff\":1}",
		"a BOM":                "\ufeff" + `{"keys":[]}`,
		"PEM":                  "-----BEGIN PUBLIC KEY-----",
	} {
		set, skipped, err := jose.ParseSet([]byte(document), jose.KeyRules{}, nil)
		if !errors.Is(err, jose.ErrKey) || set != nil || skipped != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	set, _, err := jose.ParseSet([]byte(`{"keys":[],"x":{"y":1}}`), jose.KeyRules{}, nil)
	if err != nil || set.Len() != 0 {
		t.Errorf("an empty set: %v", err)
	}
}

func TestDocumentsWithSecretsAreRefused(t *testing.T) {
	good := publicJWK(t, signingKey(t, rawEd25519(t)))
	for name, key := range map[string]string{
		"an oct key":             `{"kty":"oct","kid":"1","k":"` + encoding.EncodeToString(rawSecret()) + `"}`,
		"an oct key without k":   `{"kty":"oct","kid":"1"}`,
		"k beside another kty":   `{"kty":"EC","kid":"1","k":"AAAA"}`,
		"d":                      strings.Replace(good, `"kty"`, `"d":"AAAA","kty"`, 1),
		"d that is not a string": strings.Replace(good, `"kty"`, `"d":1,"kty"`, 1),
		"d that is null":         strings.Replace(good, `"kty"`, `"d":null,"kty"`, 1),
		"d after what is bad":    `{"kty":1,"d":"AAAA"}`,
		"d in a key of no kind":  `{"kty":"new","d":"AAAA"}`,
		"d in a key for enc":     `{"kty":"EC","use":"enc","d":"AAAA"}`,
		"p":                      strings.Replace(good, `"kty"`, `"p":"AAAA","kty"`, 1),
		"qi":                     strings.Replace(good, `"kty"`, `"qi":"AAAA","kty"`, 1),
		"d with an escaped name": strings.Replace(good, `"kty"`, `"\u0064":"AAAA","kty"`, 1),
	} {
		set, _, err := jose.ParseSet(jwks(good, key), jose.KeyRules{}, nil)
		if !errors.Is(err, jose.ErrKey) || set != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSecretsAreReadWhereARuleSaysSo(t *testing.T) {
	secret := func(kid string) string {
		return `{"kty":"oct","alg":"HS256","kid":"` + kid + `","k":"` + encoding.EncodeToString(rawSecret()) + `"}`
	}
	rules := jose.KeyRules{Secrets: true}
	set, _, err := jose.ParseSet(jwks(secret("1"), secret("2")), rules, nil)
	if err != nil || set.Len() != 2 {
		t.Errorf("two secrets: %v", err)
	}
	public := publicJWK(t, signingKey(t, rawEd25519(t)))
	for name, document := range map[string][]byte{
		"a secret beside a public key": jwks(secret("1"), public),
		"one kid twice":                jwks(secret("1"), secret("1")),
		"a private key":                jwks(strings.Replace(public, `"kty"`, `"d":"AAAA","kty"`, 1)),
		"k in a public key":            jwks(strings.Replace(public, `"kty"`, `"k":"AAAA","kty"`, 1)),
	} {
		if _, _, err := jose.ParseSet(document, rules, nil); !errors.Is(err, jose.ErrKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysThatCannotBeUsedAreSkipped(t *testing.T) {
	good := signingKey(t, rawEd25519(t))
	other := publicJWK(t, signingKey(t, rawEd25519(t)))
	p256 := publicJWK(t, signingKey(t, rawP256(t)))
	pss := publicJWK(t, signingKey(t, rawRSA()))
	n := encoding.EncodeToString(raw2048().N.Bytes())
	for name, key := range map[string]string{
		"no kty":               `{"kid":"1"}`,
		"kty in another case":  strings.Replace(other, `"OKP"`, `"okp"`, 1),
		"kty is a number":      `{"kty":1,"kid":"1"}`,
		"no kid":               `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"an empty kid":         strings.Replace(other, `"kid":"`, `"kid":"","was":"`, 1),
		"a kid with a space":   strings.Replace(other, `"kid":"`, `"kid":" `, 1),
		"a kid of a number":    strings.Replace(other, `"kid":"`, `"kid":1,"was":"`, 1),
		"Ed448":                strings.Replace(other, "Ed25519", "Ed448", 1),
		"X25519":               strings.Replace(other, "Ed25519", "X25519", 1),
		"no crv":               strings.Replace(other, "crv", "curve", 1),
		"no x":                 strings.Replace(other, `"x"`, `"z"`, 1),
		"x with padding":       strings.Replace(other, `","alg"`, `=","alg"`, 1),
		"x with a line break":  strings.Replace(other, `"x":"`, `"x":"\n`, 1),
		"x is a number":        `{"kty":"OKP","crv":"Ed25519","kid":"1","x":1}`,
		"P-384":                strings.Replace(p256, "P-256", "P-384", 1),
		"secp256k1":            strings.Replace(p256, "P-256", "secp256k1", 1),
		"no y":                 strings.Replace(p256, `"y"`, `"z"`, 1),
		"alg of another kind":  strings.Replace(p256, "ES256", "EdDSA", 1),
		"alg of another curve": strings.Replace(p256, "ES256", "ES512", 1),
		"alg none":             strings.Replace(p256, "ES256", "none", 1),
		"alg HS256":            strings.Replace(p256, "ES256", "HS256", 1),
		"alg of encryption":    strings.Replace(p256, "ES256", "ECDH-ES", 1),
		"alg is null":          strings.Replace(p256, `"ES256"`, `null`, 1),
		"RS256 without a rule": strings.Replace(pss, "PS256", "RS256", 1),
		"RSA-OAEP":             strings.Replace(pss, "PS256", "RSA-OAEP", 1),
		"RSA of 2048 bits":     `{"kty":"RSA","kid":"1","n":"` + n + `","e":"AQAB"}`,
		"e = 1":                strings.Replace(pss, `"AQAB"`, `"AQ"`, 1),
		"e = 3":                strings.Replace(pss, `"AQAB"`, `"Aw"`, 1),
		"e is even":            strings.Replace(pss, `"AQAB"`, `"AQAC"`, 1),
		"e of 8 bytes":         strings.Replace(pss, `"AQAB"`, `"AQAAAAAAAAE"`, 1),
		"e of 2^31 and more":   strings.Replace(pss, `"AQAB"`, `"gAAAAQ"`, 1),
		"e of 65537 and 2^64":  strings.Replace(pss, `"AQAB"`, `"AQAAAAAAAQAB"`, 1),
		"no e":                 strings.Replace(pss, `"e"`, `"f"`, 1),
		"n of zeros":           `{"kty":"RSA","kid":"1","n":"` + strings.Repeat("A", 512) + `","e":"AQAB"}`,
		"e of zeros":           strings.Replace(pss, `"AQAB"`, `"AAAA"`, 1),
		"null":                 `null`,
		"a string":             `"x"`,
		"a number":             `1`,
		"an array":             `[]`,
		"n of 16 KiB":          `{"kty":"RSA","kid":"1","n":"` + strings.Repeat("_", 21840) + `","e":"AQAB"}`,
		"for encryption":       strings.Replace(pss, `"sig"`, `"enc"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			set, skipped, err := jose.ParseSet(jwks(key, publicJWK(t, good)), jose.KeyRules{}, nil)
			check(t, err)
			if set.Len() != 1 || len(skipped) != 1 || !errors.Is(skipped[0], jose.ErrKey) {
				t.Fatalf("%d keys, skipped: %v", set.Len(), skipped)
			}
			if len(set.Keys(good.Verification().ID())) != 1 {
				t.Error("the wrong one is skipped")
			}
		})
	}
}

// Amazon Cognito has such kids.
func TestKidMayBePlainBase64(t *testing.T) {
	const kid = "J4j+I06r0I0vpYnBNucugV8xAPV5/Xv4uYrrpwwSNK0="
	raw := rawEd25519(t)
	set, _, err := jose.ParseSet(jwks(withKid(t, signingKey(t, raw), kid)), jose.KeyRules{}, nil)
	check(t, err)
	for _, spelling := range []string{kid, strings.ReplaceAll(kid, "/", `\/`)} {
		token := forge(t, raw, `{"alg":"EdDSA","kid":"`+spelling+`","typ":"at+jwt"}`, goodPayload)
		if _, err := set.Verify(token, accessForm); err != nil {
			t.Errorf("%s: %v", spelling, err)
		}
	}
}

// ASVS 5.0, 11.2.3.
func TestForeignRSAKeysFollowTheRules(t *testing.T) {
	n := encoding.EncodeToString(raw2048().N.Bytes())
	key := func(alg string) string { return `{"kty":"RSA","kid":"1","n":"` + n + `","e":"AQAB"` + alg + `}` }
	legacy := jose.KeyRules{RS256: true, RSA2048: true}
	for _, c := range []struct {
		alg   string
		rules jose.KeyRules
		want  jose.Algorithm
	}{
		{``, legacy, jose.RS256},
		{`,"alg":"RS256"`, legacy, jose.RS256},
		{`,"alg":"PS256"`, legacy, jose.PS256},
		{`,"alg":"RS512"`, legacy, ""},
		{``, jose.KeyRules{RSA2048: true}, jose.PS256},
		{`,"alg":"RS256"`, jose.KeyRules{RSA2048: true}, ""},
		{`,"alg":"RS256"`, jose.KeyRules{RS256: true}, ""},
		{``, jose.KeyRules{}, ""},
	} {
		set, _, err := jose.ParseSet(jwks(key(c.alg)), c.rules, nil)
		check(t, err)
		if (set.Len() == 1) != (c.want != "") {
			t.Errorf("%s, %+v: %d keys", c.alg, c.rules, set.Len())
		}
		if set.Len() == 1 && set.Keys("1")[0].Algorithm() != c.want {
			t.Errorf("%s, %+v: %s", c.alg, c.rules, set.Keys("1")[0].Algorithm())
		}
	}
}

// ASVS 5.0, 9.1.2.
func TestSetsMixNothingAndRepeatNothing(t *testing.T) {
	ed, ec, secret, other := signingKey(t, rawEd25519(t)), signingKey(t, rawP256(t)), signingKey(t, rawSecret()), signingKey(t, rawSecret())
	for name, c := range map[string]struct {
		keys []*jose.SigningKey
		good bool
	}{
		"nothing":              {nil, true},
		"two kinds":            {[]*jose.SigningKey{ed, ec}, true},
		"two secrets":          {[]*jose.SigningKey{secret, other}, true},
		"a secret behind":      {[]*jose.SigningKey{ed, secret}, false},
		"a secret in front":    {[]*jose.SigningKey{secret, ec}, false},
		"a key twice":          {[]*jose.SigningKey{ed, ec, ed}, false},
		"a secret in between":  {[]*jose.SigningKey{ed, secret, ec}, false},
		"a secret twice there": {[]*jose.SigningKey{secret, secret}, false},
	} {
		var keys []*jose.VerificationKey
		for _, key := range c.keys {
			keys = append(keys, key.Verification())
		}
		set, err := jose.NewSet(keys...)
		if (err == nil) != c.good || (set != nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeysThatStayAreTheVerySame(t *testing.T) {
	stays, goes, comes := signingKey(t, rawEd25519(t)), signingKey(t, rawP256(t)), signingKey(t, rawEd25519(t))
	first, _, err := jose.ParseSet(jwks(withKid(t, stays, "stays"), withKid(t, goes, "goes"), withKid(t, comes, "changes")), jose.KeyRules{}, nil)
	check(t, err)
	second, _, err := jose.ParseSet(jwks(withKid(t, stays, "stays"), withKid(t, goes, "changes")), jose.KeyRules{}, first)
	check(t, err)
	if !second.Has(first.Keys("stays")[0]) {
		t.Error("a key that stays is another")
	}
	if second.Has(first.Keys("goes")[0]) || second.Keys("goes") != nil {
		t.Error("a key that is gone is still there")
	}
	if second.Has(first.Keys("changes")[0]) {
		t.Error("another key under a known kid is taken for the same")
	}
	if second.Has(nil) {
		t.Error("no key is a key")
	}
}

func TestAKeyThatIsGoneVerifiesNothing(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	token := mint(t, key, goodPayload)
	first, _, err := jose.ParseSet(jwks(publicJWK(t, key)), jose.KeyRules{}, nil)
	check(t, err)
	_, err = first.Verify(token, accessForm)
	check(t, err)
	second, _, err := jose.ParseSet(jwks(), jose.KeyRules{}, first)
	check(t, err)
	var unknown *jose.UnknownKeyError
	if _, err := second.Verify(token, accessForm); !errors.As(err, &unknown) {
		t.Errorf("%v", err)
	}
}

// For any document: no panic, no secret among the keys, no duplicate kid for one
// algorithm, and each key is published as it was parsed.
func FuzzParseSet(f *testing.F) {
	for _, alg := range []jose.Algorithm{jose.Ed25519, jose.ES256, jose.PS256} {
		key := publicJWK(f, signingKey(f, rawKey(f, alg)))
		f.Add(jwks(key))
		f.Add(jwks(key, key, strings.Replace(key, `"alg"`, `"was"`, 1)))
	}
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"oct","k":"AAAA"},{"kty":"AKP"},{"kty":"RSA","n":"AQAB","e":"AQAB","key_ops":["verify"]}]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		set, skipped, err := jose.ParseSet(document, jose.KeyRules{RS256: true, RSA2048: true}, nil)
		if err != nil {
			if set != nil || skipped != nil || !errors.Is(err, jose.ErrKey) {
				t.Fatalf("%v", err)
			}
			return
		}
		var parsed struct{ Keys []any }
		decode(t, document, &parsed)
		if set.Len()+len(skipped) > len(parsed.Keys) {
			t.Fatalf("%d keys and %d skipped, encoding/json sees %d", set.Len(), len(skipped), len(parsed.Keys))
		}
		checkKeysRead(t, set, parsed.Keys)
	})
}

// checkKeysRead checks that the document contains each key of the set.
func checkKeysRead(t *testing.T, set *jose.Set, entries []any) {
	t.Helper()
	read := make(map[*jose.VerificationKey]bool)
	algorithms := make(map[string]bool)
	for _, entry := range entries {
		members, _ := entry.(map[string]any)
		id, _ := members["kid"].(string)
		for _, key := range set.Keys(id) {
			if !read[key] && algorithms[id+" "+string(key.Algorithm())] {
				t.Fatalf("%s stands twice for %s", id, key.Algorithm())
			}
			jwk, ok := key.PublicJWK()
			if ok && fmt.Sprint(members["kty"]) == jwk.KeyType && sameNumbers(jwk, members) {
				for _, name := range []string{"d", "p", "q", "k"} {
					if _, private := members[name]; private {
						t.Fatalf("a private key was read: %v", members)
					}
				}
				read[key], algorithms[id+" "+string(key.Algorithm())] = true, true
			}
		}
	}
	if len(read) != set.Len() {
		t.Fatalf("%d keys, and %d of them stand in the document", set.Len(), len(read))
	}
}

func sameNumbers(jwk jose.PublicJWK, members map[string]any) bool {
	for name, value := range map[string]string{"x": jwk.X, "y": jwk.Y, "n": jwk.N, "e": jwk.E} {
		text, _ := members[name].(string)
		number, err := encoding.DecodeString(text)
		if name == "n" || name == "e" {
			number = bytes.TrimLeft(number, "\x00")
		}
		if value != "" && (err != nil || encoding.EncodeToString(number) != value) {
			return false
		}
	}
	return true
}
