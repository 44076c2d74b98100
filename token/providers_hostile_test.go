package token_test

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/token"
)

// Tokens of another kind, tenant or audience of the same provider, as
// testdata/providers lists them for each.
func TestProviderTokensOfAnotherKindAreRefused(t *testing.T) {
	each(t, func(t *testing.T, p provider, g golden) {
		if len(g.Refused) < 3 {
			t.Errorf("only %d tokens are listed", len(g.Refused))
		}
		v := p.verifier(t, g, &p.foreign)
		for name, changes := range g.Refused {
			refuses(t, v, g.with(changes), name)
		}
	})
}

// forged returns the golden token with a changed header, signed by sign, or by the key of
// the provider.
func (g golden) forged(t *testing.T, header map[string]any, sign func(input string) []byte) string {
	t.Helper()
	h := maps.Clone(g.Header)
	for name, value := range header {
		if h[name] = value; value == nil {
			delete(h, name)
		}
	}
	text := g.mintWith(h, g.Claims)
	if sign == nil {
		return text
	}
	input := text[:strings.LastIndexByte(text, '.')]
	return input + "." + b64.EncodeToString(sign(input))
}

var attackersKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// What an attacker makes of a good token, without the key of the provider or with a
// token of it for another purpose.
func TestProviderTokensThatAreForgedAreRefused(t *testing.T) {
	each(t, func(t *testing.T, p provider, g golden) {
		v := p.verifier(t, g, &p.foreign)
		good := g.with(nil)
		part := strings.Split(good, ".")
		attacker := attackersKey()
		mine := &minter{t: t, signer: attacker, alg: "RS256"}
		jwk := map[string]any{"kty": "RSA", "n": b64.EncodeToString(attacker.N.Bytes()), "e": "AQAB"}
		public, err := x509.MarshalPKIXPublicKey(g.signer.Public())
		must(t, err)
		secret := func(input string) []byte {
			mac := hmac.New(sha256.New, public)
			mac.Write([]byte(input))
			return mac.Sum(nil)
		}
		admin := maps.Clone(g.Claims)
		admin["sub"] = "admin"
		now := time.Now().Unix()
		for name, text := range map[string]string{
			"alg none":                     g.forged(t, map[string]any{"alg": "none"}, nil),
			"alg none without a signature": strings.TrimSuffix(g.forged(t, map[string]any{"alg": "none"}, func(string) []byte { return nil }), "."),
			"HS256 with the public key":    g.forged(t, map[string]any{"alg": "HS256"}, secret),
			"another alg of the key":       g.forged(t, map[string]any{"alg": "PS256"}, nil),
			"no signature":                 part[0] + "." + part[1] + ".",
			"signature stripped":           part[0] + "." + part[1],
			"another payload":              part[0] + "." + strings.Split(g.mintWith(g.Header, admin), ".")[1] + "." + part[2],
			"another key of the same kid":  g.forged(t, nil, mine.signature),
			"an embedded jwk":              g.forged(t, map[string]any{"jwk": jwk}, mine.signature),
			"an embedded jwk, good key":    g.forged(t, map[string]any{"jwk": jwk}, nil),
			"a jku":                        g.forged(t, map[string]any{"jku": "https://evil.test/keys"}, mine.signature),
			"an x5c":                       g.forged(t, map[string]any{"x5c": []string{"MIIC"}}, mine.signature),
			"the wrong key of the set":     g.forged(t, map[string]any{"kid": otherKid(t, g)}, nil),
			"no kid":                       g.forged(t, map[string]any{"kid": nil}, nil),
			"a logout token":               g.forged(t, map[string]any{"typ": "logout+jwt"}, nil),
			"a DPoP proof":                 g.forged(t, map[string]any{"typ": "dpop+jwt"}, nil),
			"crit":                         g.forged(t, map[string]any{"crit": []string{"exp"}}, nil),
			"expired":                      g.with(map[string]any{"iat": now - 7200, "auth_time": nil, "nbf": nil, "exp": now - 31}),
			"not valid yet":                g.with(map[string]any{"nbf": now + 100}),
			"issued in the future":         g.with(map[string]any{"iat": now + 100}),
			"for a hundred years":          g.with(map[string]any{"exp": now + 100*365*24*3600}),
			"no exp":                       g.with(map[string]any{"exp": nil}),
			"no iat":                       g.with(map[string]any{"iat": nil}),
			"another issuer":               g.with(map[string]any{"iss": "https://evil.test"}),
			"a longer issuer":              g.with(map[string]any{"iss": p.issuer + "x"}),
			"another audience":             g.with(map[string]any{"aud": "x", "client_id": "x"}),
			"an audience that begins so":   g.with(map[string]any{"aud": p.audience + "x", "client_id": p.audience + "x"}),
			"no audience":                  g.with(map[string]any{"aud": nil, "client_id": nil}),
			"no subject":                   g.with(map[string]any{"sub": nil}),
			"bound to a key":               g.with(map[string]any{"cnf": map[string]any{"jkt": "x"}}),
			"sub with other case":          g.with(map[string]any{"SUB": "admin"}),
			"a member twice":               g.twice(t),
		} {
			refuses(t, v, text, name)
		}
		_, err = v.Verify(t.Context(), good)
		must(t, err)
		g.unknownKid(t, v)
	})
}

// twice has a second sub.
func (g golden) twice(t *testing.T) string {
	h, err := json.Marshal(g.Header)
	must(t, err)
	c, err := json.Marshal(g.Claims)
	must(t, err)
	return g.mintText(string(h), string(c[:len(c)-1])+`,"sub":"admin"}`)
}

// otherKid returns the kid of another signing key of the set, or a malformed one.
func otherKid(t *testing.T, g golden) string {
	var keys []struct {
		KeyID string `json:"kid"`
		N     string
		Use   string
	}
	must(t, json.Unmarshal(g.Keys, &keys))
	for _, key := range keys {
		if key.N == "$other" && key.Use == "sig" {
			return key.KeyID
		}
	}
	return strings.Repeat("x", 200)
}

// unknownKid asserts that a kid of another tenant is never accepted: it is 503 while the
// key may be new, and then 401.
func (g golden) unknownKid(t *testing.T, v *token.Verifier) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	for _, text := range []string{
		g.forged(t, map[string]any{"kid": "of-another-tenant"}, nil),
		g.forged(t, map[string]any{"kid": "of-another-tenant", "alg": "EdDSA"}, func(input string) []byte { return ed25519.Sign(key, []byte(input)) }),
	} {
		if _, err := v.Verify(t.Context(), text); outcome(err) != "unknown" {
			t.Errorf("a new kid: %v", err)
		}
	}
	time.Sleep(2 * time.Minute)
	refuses(t, v, g.forged(t, map[string]any{"kid": "of-another-tenant"}, nil), "a kid that the set still lacks")
}
