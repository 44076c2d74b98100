package token_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
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

// The shapes are those that the issuers document, with dates of the first day
// of 2000, when the clock of a synctest bubble starts.
var foreignShapes = []struct {
	name, audience string
	least          token.Foreign
	want           auth.Identity
	client         string
}{
	{
		"auth0", "https://example.com/health-api",
		token.Foreign{Types: []string{"JWT"}, RS256: true, RSA2048: true, ClientClaim: "azp", WithoutID: true},
		auth.Identity{Subject: "auth0|123456", Scopes: "openid profile read:patients read:admin"},
		"my_client_id",
	},
	{
		"okta", "api://default",
		token.Foreign{Types: []string{""}, RS256: true, RSA2048: true, ClientClaim: "cid", ScopeClaim: "scp"},
		auth.Identity{Subject: "user@example.com", Scopes: "openid profile email", AuthTime: time.Unix(946684700, 0)},
		"nmdP1fcyvdVO11AL7ECm",
	},
	{
		"keycloak", "orders",
		token.Foreign{Types: []string{"JWT"}, RS256: true, RSA2048: true, ClientClaim: "azp"},
		auth.Identity{
			Subject: "36fa0f91-f94d-4a0c-afed-6b7d952e47da", Scopes: "email profile",
			AuthTime: time.Unix(946684790, 0), LoginID: "2a88c258-f73a-4103-b862-e1fbd8f4e04e",
		},
		"webshop",
	},
	{
		"cognito", "xxxxxxxxxxxxexample",
		token.Foreign{Types: []string{""}, RS256: true, RSA2048: true, AudienceClaim: "client_id"},
		auth.Identity{
			Subject: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", AuthTime: time.Unix(946684800, 0),
			Scopes: "phone openid profile resourceserver.1/appclient2 email",
		},
		"xxxxxxxxxxxxexample",
	},
}

// shape is a token before it is signed.
type shape struct{ Header, Claims map[string]any }

func readShape(t testing.TB, name string) (s shape) {
	t.Helper()
	text, err := os.ReadFile("testdata/foreign/" + name + ".json")
	must(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	must(t, decoder.Decode(&s))
	return s
}

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

// foreignMinter signs a shape with the fixed key.
func foreignMinter(t testing.TB) *minter {
	return &minter{t: t, signer: readRSA(t, "rsa2048.pem"), alg: "RS256"}
}

func TestForeignTokensNeedTheirLoosening(t *testing.T) {
	for _, c := range foreignShapes {
		bubble(t, c.name, func(t *testing.T) {
			s, m := readShape(t, c.name), foreignMinter(t)
			keys := remoteOf(t, published(m.signer.(*rsa.PrivateKey), s.Header["kid"].(string), "RS256"))
			text := m.mintWith(s.Header, s.Claims)
			with := func(f *token.Foreign) *token.Verifier {
				v, err := token.NewVerifier(token.VerifierConfig{
					Keys: keys, Issuer: s.Claims["iss"].(string), Audience: c.audience, Foreign: f,
				})
				must(t, err)
				return v
			}
			got, err := with(&c.least).Verify(t.Context(), text)
			must(t, err)
			id := got.Identity()
			c.want.Issuer, c.want.Expires = s.Claims["iss"].(string), time.Unix(number(t, s.Claims["exp"]), 0)
			c.want.Claims, c.want.Credential = id.Claims, got
			if id != c.want || got.ClientID() != c.client {
				t.Errorf("got  %+v\nwant %+v", id, c.want)
			}
			refuses(t, with(nil), text)
			for name, f := range withoutEach(c.least) {
				refuses(t, with(&f), text, name)
			}
		})
	}
}

// bubble runs a subtest under a clock that starts with the year 2000.
func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func number(t testing.TB, v any) int64 {
	t.Helper()
	n, err := v.(json.Number).Int64()
	must(t, err)
	return n
}

// withoutEach takes away one loosening after the other. The scope alone has no
// other effect than to be empty, or of the wrong type, so it is not among them.
func withoutEach(f token.Foreign) map[string]token.Foreign {
	all := make(map[string]token.Foreign)
	for name, less := range map[string]func(*token.Foreign){
		"Types":         func(f *token.Foreign) { f.Types = nil },
		"RS256":         func(f *token.Foreign) { f.RS256 = false },
		"RSA2048":       func(f *token.Foreign) { f.RSA2048 = false },
		"AudienceClaim": func(f *token.Foreign) { f.AudienceClaim = "" },
		"ClientClaim":   func(f *token.Foreign) { f.ClientClaim = "" },
		"WithoutID":     func(f *token.Foreign) { f.WithoutID = false },
	} {
		changed := f
		if less(&changed); !sameForeign(changed, f) {
			all[name] = changed
		}
	}
	return all
}

func sameForeign(a, b token.Foreign) bool {
	return len(a.Types) == len(b.Types) && a.RS256 == b.RS256 && a.RSA2048 == b.RSA2048 &&
		a.AudienceClaim == b.AudienceClaim && a.ClientClaim == b.ClientClaim && a.WithoutID == b.WithoutID
}

func TestScopeOfAForeignTokenIsWhereItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		okta := foreignShapes[1]
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
			s, m := readShape(t, "okta"), foreignMinter(t)
			s.Claims["scp"] = c.scp
			f := okta.least
			f.ScopeClaim = c.claim
			v := foreignVerifier(t, s, okta.audience, f)
			got, err := v.Verify(t.Context(), m.mintWith(s.Header, s.Claims))
			if (err == nil) != c.ok || err == nil && got.Identity().Scopes != c.want {
				t.Errorf("%s: error %v", c.name, err)
			}
		}
	})
}

func foreignVerifier(t testing.TB, s shape, audience string, f token.Foreign) *token.Verifier {
	t.Helper()
	key := readRSA(t, "rsa2048.pem")
	v, err := token.NewVerifier(token.VerifierConfig{
		Keys:   remoteOf(t, published(key, s.Header["kid"].(string), "RS256")),
		Issuer: s.Claims["iss"].(string), Audience: audience, Foreign: &f,
	})
	must(t, err)
	return v
}

func TestEachLooseningIsForItsOwn(t *testing.T) {
	keycloak := foreignShapes[2]
	for _, c := range []struct {
		name    string
		header  map[string]any
		claims  map[string]any
		without token.Foreign
		with    token.Foreign
	}{
		{
			"certificates in the header", map[string]any{"x5t": "AA", "jku": "https://evil.test", "x5c": []string{"AA"}}, nil,
			token.Foreign{}, token.Foreign{CertificateHeaders: true},
		},
		{
			"fractions of a second", nil, map[string]any{"exp": json.RawMessage("946685100.25"), "iat": json.RawMessage("946684800.5")},
			token.Foreign{}, token.Foreign{FractionalDates: true},
		},
		{
			"a longer lifetime", nil, map[string]any{"exp": 946684800 + 24*3600 + 1},
			token.Foreign{}, token.Foreign{MaxLifetime: 25 * time.Hour},
		},
		{
			"what must be there", nil, map[string]any{"typ": "Refresh"},
			token.Foreign{Require: map[string]string{"typ": "Bearer"}}, token.Foreign{},
		},
		{
			"what must be there and is not", nil, map[string]any{"typ": nil},
			token.Foreign{Require: map[string]string{"typ": ""}}, token.Foreign{},
		},
	} {
		bubble(t, c.name, func(t *testing.T) {
			s, m := readShape(t, "keycloak"), foreignMinter(t)
			maps.Copy(s.Header, c.header)
			for name, value := range c.claims {
				if s.Claims[name] = value; value == nil {
					delete(s.Claims, name)
				}
			}
			text := m.mintWith(s.Header, s.Claims)
			for _, f := range []*token.Foreign{&c.without, &c.with} {
				f.Types, f.RS256, f.RSA2048, f.ClientClaim = keycloak.least.Types, true, true, "azp"
			}
			refuses(t, foreignVerifier(t, s, keycloak.audience, c.without), text)
			_, err := foreignVerifier(t, s, keycloak.audience, c.with).Verify(t.Context(), text)
			must(t, err)
		})
	}
}

// What no loosening touches holds for foreigners as well.
func TestForeignTokensMeetTheOtherRules(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range foreignShapes {
			s, m := readShape(t, c.name), foreignMinter(t)
			c.least.MaxLifetime = 100 * 365 * 24 * time.Hour // so that it hides nothing
			v := foreignVerifier(t, s, c.audience, c.least)
			for name, change := range map[string]func(header, claims map[string]any){
				"no iss":      func(_, claims map[string]any) { delete(claims, "iss") },
				"no sub":      func(_, claims map[string]any) { delete(claims, "sub") },
				"no exp":      func(_, claims map[string]any) { delete(claims, "exp") },
				"no iat":      func(_, claims map[string]any) { delete(claims, "iat") },
				"expired":     func(_, claims map[string]any) { claims["iat"], claims["exp"] = 946684000, 946684001 },
				"other aud":   func(_, claims map[string]any) { claims["aud"], claims["client_id"] = "x", "x" },
				"bound":       func(_, claims map[string]any) { claims["cnf"] = map[string]any{"jkt": "x"} },
				"crit":        func(header, _ map[string]any) { header["crit"] = []string{"exp"} },
				"none":        func(header, _ map[string]any) { header["alg"] = "none" },
				"PS256":       func(header, _ map[string]any) { header["alg"] = "PS256" },
				"logout":      func(header, _ map[string]any) { header["typ"] = "logout+jwt" },
				"an x5c":      func(header, _ map[string]any) { header["x5c"] = []string{"AA"} },
				"scope twice": func(_, claims map[string]any) { claims["SCOPE"] = "admin" },
			} {
				changed := shape{maps.Clone(s.Header), maps.Clone(s.Claims)}
				change(changed.Header, changed.Claims)
				refuses(t, v, m.mintWith(changed.Header, changed.Claims), c.name, name)
			}
		}
	})
}

// Padding and size of an RSA key are admitted each by its own name.
func TestRSAKeysAreAdmittedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			alg, key string
			admits   func(token.Foreign) bool
		}{
			{"PS256", "rsa3072.pem", func(token.Foreign) bool { return true }},
			{"PS256", "rsa2048.pem", func(f token.Foreign) bool { return f.RSA2048 }},
			{"RS256", "rsa3072.pem", func(f token.Foreign) bool { return f.RS256 }},
			{"RS256", "rsa2048.pem", func(f token.Foreign) bool { return f.RS256 && f.RSA2048 }},
		} {
			s, m := readShape(t, "keycloak"), &minter{t: t, signer: readRSA(t, c.key), alg: c.alg}
			s.Header["alg"] = c.alg
			keys := remoteOf(t, published(m.signer.(*rsa.PrivateKey), s.Header["kid"].(string), c.alg))
			for _, f := range []token.Foreign{{}, {RS256: true}, {RSA2048: true}, {RS256: true, RSA2048: true}} {
				f.Types, f.ClientClaim = []string{"JWT"}, "azp"
				v, err := token.NewVerifier(token.VerifierConfig{
					Keys: keys, Issuer: s.Claims["iss"].(string), Audience: "orders", Foreign: &f,
				})
				must(t, err)
				if _, err := v.Verify(t.Context(), m.mintWith(s.Header, s.Claims)); (err == nil) != c.admits(f) {
					t.Errorf("%s %s, %+v: error %v", c.alg, c.key, f, err)
				}
			}
		}
	})
}
