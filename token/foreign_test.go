package token_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

func readRSA(t testing.TB, name string) *rsa.PrivateKey {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	must(t, err)
	block, _ := pem.Decode(text)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	must(t, err)
	return key.(*rsa.PrivateKey)
}

// published is a JWK Set of one RSA key.
func published(key *rsa.PrivateKey, kid, alg string) string {
	return `{"keys":[{"kty":"RSA","use":"sig","alg":"` + alg + `","kid":"` + kid + `","n":"` +
		b64.EncodeToString(key.N.Bytes()) + `","e":"` + b64.EncodeToString(big.NewInt(int64(key.E)).Bytes()) + `"}]}`
}

// host answers in the place of the network.
type host func(*http.Request) (*http.Response, error)

func (h host) RoundTrip(r *http.Request) (*http.Response, error) { return h(r) }

// serving answers with one document.
func serving(document string) host {
	return func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(document))}, nil
	}
}

func remoteOf(t testing.TB, document string) *token.RemoteKeySet {
	t.Helper()
	keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{}, serving(document))
	must(t, err)
	t.Cleanup(func() { keys.Close() })
	return keys
}

func TestScopeOfAForeignTokenIsWhereItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		okta := providerNamed("okta")
		g := okta.golden(t)
		for _, c := range []struct {
			name, claim string
			scp         any
			want        auth.Words
			ok          bool
		}{
			{"an array", "scp", []string{"a", "b"}, "a b", true},
			{"a string", "scp", "a b", "a b", true},
			{"an empty array", "scp", []string{}, "", true},
			{"not asked for", "", []string{"a"}, "", true},
			{"two words in one", "scp", []string{"a b"}, "", false},
			{"a number", "scp", 1, "", false},
			{"a number within", "scp", []any{1}, "", false},
		} {
			f := okta.foreign
			f.ScopeClaim = c.claim
			got, err := okta.verifier(t, g, &f).Verify(t.Context(), g.with(map[string]any{"scp": c.scp}))
			if (err == nil) != c.ok || err == nil && got.Identity().Scopes != c.want {
				t.Errorf("%s: error %v", c.name, err)
			}
		}
	})
}

// What the issuer chooses, and acceptance does not depend on, needs no field. An own token
// is refused for it.
func TestZeroForeignAcceptsWhatDecidesNothing(t *testing.T) {
	m := newMinter(t)
	foreign, own := m.foreign(token.Foreign{}), m.verifier()
	now := time.Now().Unix()
	certificates := m.header()
	maps.Copy(certificates, map[string]any{"x5t": "AA", "x5t#S256": "AA", "jku": "https://evil.test", "x5u": "https://evil.test", "x5c": []string{"AA"}})
	fraction := func(seconds int64) json.RawMessage { return json.RawMessage(fmt.Sprint(seconds, ".25")) }
	for name, text := range map[string]string{
		"certificates in the header": m.mintWith(certificates, claims()),
		"fractions of a second":      m.mint(with(map[string]any{"exp": fraction(now + 600), "iat": fraction(now), "nbf": fraction(now), "auth_time": fraction(now)})),
		"a day":                      m.mint(with(map[string]any{"exp": now + 24*3600})),
		"no jti":                     m.mint(with(map[string]any{"jti": nil})),
		"jti is a number":            m.mint(with(map[string]any{"jti": 7})),
		"a long jti":                 m.mint(with(map[string]any{"jti": strings.Repeat("x", 129)})),
		"no client_id":               m.mint(with(map[string]any{"client_id": nil})),
		"client_id is a number":      m.mint(with(map[string]any{"client_id": 7})),
	} {
		if _, err := foreign.Verify(t.Context(), text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		refuses(t, own, text, name)
	}
	refuses(t, foreign, m.mint(with(map[string]any{"exp": now + 24*3600 + 1})), "more than a day")
	_, err := m.foreign(token.Foreign{MaxLifetime: 25 * time.Hour}).Verify(t.Context(), m.mint(with(map[string]any{"exp": now + 24*3600 + 1})))
	must(t, err)
}

// Require and ClientClaim accept less than the zero Foreign.
func TestRequireAndClientClaimDemandAClaim(t *testing.T) {
	m := newMinter(t)
	for name, c := range map[string]struct {
		f       token.Foreign
		changes map[string]any
		want    string
	}{
		"as required":            {token.Foreign{Require: map[string]string{"use": "access"}}, map[string]any{"use": "access"}, "ok"},
		"another value":          {token.Foreign{Require: map[string]string{"use": "access"}}, map[string]any{"use": "id"}, "bad"},
		"another case":           {token.Foreign{Require: map[string]string{"use": "access"}}, map[string]any{"use": "Access"}, "bad"},
		"an array":               {token.Foreign{Require: map[string]string{"use": "access"}}, map[string]any{"use": []string{"access"}}, "bad"},
		"it is missing":          {token.Foreign{Require: map[string]string{"use": "access"}}, nil, "bad"},
		"one of two":             {token.Foreign{Require: map[string]string{"use": "access", "v": "1"}}, map[string]any{"use": "access"}, "bad"},
		"any value":              {token.Foreign{Require: map[string]string{"use": ""}}, map[string]any{"use": 7}, "ok"},
		"the empty string":       {token.Foreign{Require: map[string]string{"use": ""}}, map[string]any{"use": ""}, "ok"},
		"any value, and null":    {token.Foreign{Require: map[string]string{"use": ""}}, map[string]any{"use": nil2}, "bad"},
		"any value, and none":    {token.Foreign{Require: map[string]string{"use": ""}}, nil, "bad"},
		"the client":             {token.Foreign{ClientClaim: "azp"}, map[string]any{"azp": "app"}, "ok"},
		"client_id by name":      {token.Foreign{ClientClaim: "client_id"}, nil, "ok"},
		"no client":              {token.Foreign{ClientClaim: "azp"}, nil, "bad"},
		"the client is empty":    {token.Foreign{ClientClaim: "azp"}, map[string]any{"azp": ""}, "bad"},
		"the client is a number": {token.Foreign{ClientClaim: "azp"}, map[string]any{"azp": 7}, "bad"},
		"the client is null":     {token.Foreign{ClientClaim: "azp"}, map[string]any{"azp": nil2}, "bad"},
	} {
		if _, err := m.foreign(c.f).Verify(t.Context(), m.mint(with(c.changes))); outcome(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// AD FS sends no sub unless a rule issues one.
func TestSubjectIsWhereTheFieldSays(t *testing.T) {
	m := newMinter(t)
	v := m.foreign(token.Foreign{SubjectClaim: "oid"})
	got, err := v.Verify(t.Context(), m.mint(with(map[string]any{"sub": nil, "oid": "u-1"})))
	must(t, err)
	if got.Identity().Subject != "u-1" {
		t.Errorf("%+v", got.Identity())
	}
	for _, oid := range []any{nil, "", 7, nil2, []string{"u-1"}, strings.Repeat("x", 256)} {
		refuses(t, v, m.mint(with(map[string]any{"oid": oid})))
	}
	for _, claim := range []string{"iss", "exp", "jti", "cnf"} {
		_, err := token.NewVerifier(token.VerifierConfig{Keys: m.keys, Issuer: issuerName, Audience: audienceName, Foreign: &token.Foreign{SubjectClaim: claim}})
		if err == nil || !strings.Contains(err.Error(), "Foreign.SubjectClaim") {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// An own verifier accepts no RS256, and no RSA key below 3072 bits.
func TestForeignAcceptsTheKeysOfItsIssuer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			alg, key string
			own      bool
		}{
			{"PS256", "rsa3072.pem", true}, {"PS256", "rsa2048.pem", false}, {"RS256", "rsa3072.pem", false}, {"RS256", "rsa2048.pem", false},
		} {
			m := &minter{t: t, signer: readRSA(t, c.key), alg: c.alg, kid: "a"}
			keys := remoteOf(t, published(m.signer.(*rsa.PrivateKey), "a", c.alg))
			for _, f := range []*token.Foreign{nil, {}} {
				v, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: issuerName, Audience: audienceName, Foreign: f})
				must(t, err)
				if _, err := v.Verify(t.Context(), m.mint(claims())); (err == nil) != (c.own || f != nil) {
					t.Errorf("%s %s, foreign: %v, error %v", c.alg, c.key, f != nil, err)
				}
			}
		}
	})
}
