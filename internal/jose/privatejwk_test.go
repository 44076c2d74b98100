package jose_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/jose"
)

func privateJWK(t testing.TB, key *jose.SigningKey) map[string]any {
	t.Helper()
	jwk, ok := key.PrivateJWK()
	if !ok {
		t.Fatal("no private form")
	}
	text, err := json.Marshal(jwk)
	check(t, err)
	var members map[string]any
	check(t, json.Unmarshal(text, &members))
	return members
}

func parsePrivate(t testing.TB, members map[string]any) (*jose.SigningKey, error) {
	t.Helper()
	text, err := json.Marshal(members)
	check(t, err)
	return jose.ParsePrivateJWK(text, "at+jwt")
}

func TestPrivateKeysSurviveTheirFile(t *testing.T) {
	for _, alg := range minted {
		key := signingKey(t, rawKey(t, alg))
		again, err := parsePrivate(t, privateJWK(t, key))
		check(t, err)
		if again.Verification().ID() != key.Verification().ID() || again.Verification().Algorithm() != alg {
			t.Errorf("%s: another key", alg)
		}
		if _, err := setOf(t, key).Verify(mint(t, again, goodPayload), accessForm); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestPrivateKeysThatAreNotWholeAreRefused(t *testing.T) {
	keys := map[jose.Algorithm]*jose.SigningKey{}
	others := map[jose.Algorithm]map[string]any{}
	for _, alg := range minted {
		keys[alg] = signingKey(t, rawKey(t, alg))
		if alg != jose.PS256 {
			others[alg] = privateJWK(t, signingKey(t, rawKey(t, alg)))
		}
	}
	zero, short := encoding.EncodeToString(make([]byte, 32)), encoding.EncodeToString(make([]byte, 8))
	for _, c := range []struct {
		name   string
		alg    jose.Algorithm
		member string
		value  any // nil deletes
	}{
		{"d of another key", jose.Ed25519, "d", others[jose.Ed25519]["d"]},
		{"d of another key", jose.ES256, "d", others[jose.ES256]["d"]},
		{"x of another key", jose.Ed25519, "x", others[jose.Ed25519]["x"]},
		{"x of another key", jose.ES256, "x", others[jose.ES256]["x"]},
		{"d of zero", jose.ES256, "d", zero},
		{"d of zero", jose.PS256, "d", zero},
		{"d is short", jose.Ed25519, "d", short},
		{"d is short", jose.PS256, "d", short},
		{"d is padded", jose.ES256, "d", privateJWK(t, keys[jose.ES256])["d"].(string) + "="},
		{"d is not a string", jose.ES256, "d", 1},
		{"no d", jose.Ed25519, "d", nil},
		{"no d", jose.ES256, "d", nil},
		{"no d", jose.PS256, "d", nil},
		{"p of zero", jose.PS256, "p", zero},
		{"q is p", jose.PS256, "q", privateJWK(t, keys[jose.PS256])["p"]},
		{"no k", jose.HS256, "k", nil},
		{"k is short", jose.HS256, "k", short},
		{"k of zeros", jose.HS256, "k", zero},
		{"alg of another key", jose.Ed25519, "alg", "ES256"},
		{"alg to verify only", jose.PS256, "alg", "RS256"},
		{"alg of another hash", jose.HS256, "alg", "HS512"},
		{"kid that is not the thumbprint", jose.ES256, "kid", "mine"},
		{"use enc", jose.ES256, "use", "enc"},
		{"key_ops without sign", jose.ES256, "key_ops", []string{"verify"}},
		{"kty of another kind", jose.ES256, "kty", "OKP"},
		{"kty of another kind", jose.HS256, "kty", "RSA"},
		{"crv of another kind", jose.ES256, "crv", "P-384"},
	} {
		members := privateJWK(t, keys[c.alg])
		members[c.member] = c.value
		if c.value == nil {
			delete(members, c.member)
		}
		key, err := parsePrivate(t, members)
		if !errors.Is(err, jose.ErrKey) || key != nil {
			t.Errorf("%s: %s: %v", c.alg, c.name, err)
			continue
		}
		for _, value := range members {
			if text, ok := value.(string); ok && len(text) > 10 && strings.Contains(err.Error(), text) {
				t.Errorf("%s: %s: the error shows the key: %v", c.alg, c.name, err)
			}
		}
	}
}

// An invalid RSA key is reported when it is parsed, not at its first signature.
func TestRSAKeysWhoseNumbersContradictEachOtherAreNamed(t *testing.T) {
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi"} {
		members := privateJWK(t, signingKey(t, rawRSA()))
		number, err := encoding.DecodeString(members[name].(string))
		check(t, err)
		number[len(number)-1] ^= 2
		members[name] = encoding.EncodeToString(number)
		if key, err := parsePrivate(t, members); key != nil || err == nil || !strings.Contains(err.Error(), "private half") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOwnPublicKeysHaveNoPrivateHalf(t *testing.T) {
	key := signingKey(t, rawEd25519(t))
	if _, err := jose.ParsePublicJWK([]byte(publicJWK(t, key))); err != nil {
		t.Error(err)
	}
	private, err := json.Marshal(privateJWK(t, key))
	check(t, err)
	for name, text := range map[string]string{
		"a private key":       string(private),
		"another kid":         withKid(t, key, "mine"),
		"no kid":              withKid(t, key, ""),
		"no JSON":             "x",
		"a key of no kind":    `{"kty":"new"}`,
		"an HMAC secret":      `{"kty":"oct","k":"` + encoding.EncodeToString(rawSecret()) + `"}`,
		"malformed elsewhere": strings.Replace(publicJWK(t, key), `"use":"sig"`, `"use":1`, 1),
	} {
		if got, err := jose.ParsePublicJWK([]byte(text)); !errors.Is(err, jose.ErrKey) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
