package token_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"go/format"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// provider is a row of docs/providers.md. The file testdata/providers/NAME.json has a key
// set and a token of the shape that the provider documents, with dates of the first day
// of 2000, when the clock of a synctest bubble starts. The values are made up.
type provider struct {
	name, title           string
	keys                  string // the URL of the JWK Set
	issuer, audience      string
	foreign               token.Foreign
	subject, client, scid string
	scopes                auth.Words
}

var providers = []provider{
	{
		name: "auth0", title: "Auth0",
		keys:   "https://example.eu.auth0.com/.well-known/jwks.json",
		issuer: "https://example.eu.auth0.com/", audience: "https://api.example.com",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "azp"},
		subject: "auth0|6571a0c2e4b0d9f812345678", client: "kW8bTq2LxYzP0nRdVcHs4uJm6GfAe1Qi", scopes: "openid profile read:orders",
	},
	{
		name: "okta", title: "Okta",
		keys:   "https://example.okta.com/oauth2/default/v1/keys",
		issuer: "https://example.okta.com/oauth2/default", audience: "api://default",
		foreign: token.Foreign{Types: []string{""}, ClientClaim: "cid", ScopeClaim: "scp"},
		subject: "user@example.com", client: "0oa4k2m9x7PqRsTuV5d6", scopes: "openid profile orders.read",
	},
	{
		name: "keycloak", title: "Keycloak",
		keys:   "https://sso.example.com/realms/shop/protocol/openid-connect/certs",
		issuer: "https://sso.example.com/realms/shop", audience: "orders",
		foreign: token.Foreign{Types: []string{"JWT"}, Require: map[string]string{"typ": "Bearer"}, ClientClaim: "azp"},
		subject: "5d1f0c9a-8b7e-4a6d-9c5b-3e2f1a0b9c8d", client: "webshop", scopes: "email profile", scid: "c0ffee00-1234-4abc-8def-0123456789ab",
	},
	{
		name: "cognito-access", title: "Amazon Cognito, access token",
		keys:   "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12/.well-known/jwks.json",
		issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12", audience: "3n4b5urk1ft4fl3mg5e62d9ado",
		foreign: token.Foreign{Types: []string{""}, Require: map[string]string{"token_use": "access"}, AudienceClaim: "client_id"},
		subject: "b1f0c9a8-7e4a-4d6b-9c5b-3e2f1a0b9c8d", client: "3n4b5urk1ft4fl3mg5e62d9ado", scopes: "openid orders/read",
	},
	{
		name: "cognito-id", title: "Amazon Cognito, ID token",
		keys:   "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12/.well-known/jwks.json",
		issuer: "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_ExaMple12", audience: "3n4b5urk1ft4fl3mg5e62d9ado",
		foreign: token.Foreign{Types: []string{""}, Require: map[string]string{"token_use": "id"}},
		subject: "b1f0c9a8-7e4a-4d6b-9c5b-3e2f1a0b9c8d",
	},
	{
		name: "entra-v1", title: "Microsoft Entra ID, v1.0",
		keys:   "https://login.microsoftonline.com/8d3c1f52-6a7b-4c0d-9e1f-2a3b4c5d6e7f/discovery/keys",
		issuer: "https://sts.windows.net/8d3c1f52-6a7b-4c0d-9e1f-2a3b4c5d6e7f/", audience: "api://1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "appid", ScopeClaim: "scp"},
		subject: "q3LxT0vQmB8zYc1nRdWp5sHuJe7GfAi2oKtVq9XbN4M", client: "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f", scopes: "Orders.Read Orders.Write",
	},
	{
		name: "entra-v2", title: "Microsoft Entra ID, v2.0",
		keys:   "https://login.microsoftonline.com/8d3c1f52-6a7b-4c0d-9e1f-2a3b4c5d6e7f/discovery/v2.0/keys",
		issuer: "https://login.microsoftonline.com/8d3c1f52-6a7b-4c0d-9e1f-2a3b4c5d6e7f/v2.0", audience: "1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "azp", ScopeClaim: "scp"},
		subject: "HkZ5vRt8yQzX2wLkB4nHc7sPdUeGfAi0oKtVq9XbN3M", client: "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f", scopes: "Orders.Read",
	},
	{
		name: "google", title: "Google, ID token",
		keys:   "https://www.googleapis.com/oauth2/v3/certs",
		issuer: "https://accounts.google.com", audience: "407408718192-web.apps.googleusercontent.com",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "azp"},
		subject: "113774264463038321964", client: "407408718192-web.apps.googleusercontent.com",
	},
	{
		name: "firebase", title: "Firebase",
		keys:   "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
		issuer: "https://securetoken.google.com/my-project", audience: "my-project",
		foreign: token.Foreign{Types: []string{"JWT"}},
		subject: "Zk3LxT0vQmB8zYc1nRdWp5sHuJe2",
	},
	{
		name: "supabase", title: "Supabase",
		keys:   "https://abcdefghijklmnopqrst.supabase.co/auth/v1/.well-known/jwks.json",
		issuer: "https://abcdefghijklmnopqrst.supabase.co/auth/v1", audience: "authenticated",
		foreign: token.Foreign{Types: []string{"JWT"}, Require: map[string]string{"role": "authenticated"}},
		subject: "6f7a8b9c-0d1e-4f2a-8b3c-4d5e6f7a8b9c",
	},
	{
		name: "kubernetes", title: "Kubernetes service account",
		keys:   "https://kubernetes.default.svc/openid/v1/jwks",
		issuer: "https://kubernetes.default.svc.cluster.local", audience: "orders",
		foreign: token.Foreign{Types: []string{""}},
		subject: "system:serviceaccount:shop:web",
	},
	{
		name: "adfs", title: "AD FS",
		keys:   "https://adfs.example.com/adfs/discovery/keys",
		issuer: "http://adfs.example.com/adfs/services/trust", audience: "microsoft:identityserver:2f3a4b5c-6d7e-4f8a-8b9c-0d1e2f3a4b5c",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "appid", ScopeClaim: "scp"},
		subject: "r3LxT0vQmB8zYc1nRdWp5sHuJe7GfAi2oKtVq9XbN4M=", client: "3a4b5c6d-7e8f-4a9b-8c0d-1e2f3a4b5c6d", scopes: "openid orders",
	},
	{
		name: "zitadel", title: "Zitadel",
		keys:   "https://example-ab12cd.zitadel.cloud/oauth/v2/keys",
		issuer: "https://example-ab12cd.zitadel.cloud", audience: "315263981234567890",
		foreign: token.Foreign{Types: []string{"JWT"}, Require: map[string]string{"jti": ""}},
		subject: "317263981234567890", client: "316263981234567890@shop",
	},
	{
		name: "hydra", title: "Ory Hydra",
		keys:   "https://auth.example.com/.well-known/jwks.json",
		issuer: "https://auth.example.com", audience: "https://api.example.com",
		foreign: token.Foreign{Types: []string{"JWT"}, ClientClaim: "client_id", ScopeClaim: "scp"},
		subject: "7e8f9a0b-1c2d-4e3f-8a4b-5c6d7e8f9a0b", client: "5c6d7e8f-9a0b-4c1d-8e2f-3a4b5c6d7e8f", scopes: "openid orders",
	},
}

func providerNamed(name string) provider {
	for _, p := range providers {
		if p.name == name {
			return p
		}
	}
	panic(name)
}

// shape is a key set, a token that is accepted, and changes of its claims for which it is
// refused; null removes a claim. The keys are filled in.
type shape struct {
	Keys           json.RawMessage
	Header, Claims map[string]any
	Refused        map[string]map[string]any
}

// golden is a shape with keys of the test.
type golden struct {
	shape
	*minter
	keys *token.RemoteKeySet
}

func (p provider) golden(t testing.TB) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/providers/" + p.name + ".json")
	must(t, err)
	var g golden
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	must(t, decoder.Decode(&g.shape))
	alg := g.Header["alg"].(string)
	g.minter = &minter{t: t, signer: readRSA(t, "rsa2048.pem"), alg: alg}
	if alg == "ES256" {
		g.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(t, err)
	}
	g.keys = remoteOf(t, `{"keys":`+filled(t, string(g.Keys), g.signer)+`}`)
	return g
}

// filled replaces the placeholders of a key set by numbers.
func filled(t testing.TB, keys string, signer crypto.Signer) string {
	replace := []string{"$other", b64.EncodeToString(readRSA(t, "rsa3072.pem").N.Bytes())}
	switch key := signer.(type) {
	case *rsa.PrivateKey:
		replace = append(replace, "$signing", b64.EncodeToString(key.N.Bytes()))
	case *ecdsa.PrivateKey:
		point, err := key.PublicKey.Bytes()
		must(t, err)
		replace = append(replace, "$x", b64.EncodeToString(point[1:33]), "$y", b64.EncodeToString(point[33:]))
	}
	return strings.NewReplacer(replace...).Replace(keys)
}

// with returns the token with some claims changed.
func (g golden) with(changes map[string]any) string {
	c := maps.Clone(g.Claims)
	for name, value := range changes {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return g.mintWith(g.Header, c)
}

// verifier returns the verifier of the row, or one with another Foreign.
func (p provider) verifier(t testing.TB, g golden, f *token.Foreign) *token.Verifier {
	t.Helper()
	v, err := token.NewVerifier(token.VerifierConfig{Keys: g.keys, Issuer: p.issuer, Audience: p.audience, Foreign: f})
	must(t, err)
	return v
}

// each runs a test for each provider, under a clock that starts with the year 2000.
func each(t *testing.T, f func(t *testing.T, p provider, g golden)) {
	for _, p := range providers {
		bubble(t, p.name, func(t *testing.T) { f(t, p, p.golden(t)) })
	}
}

func bubble(t *testing.T, name string, f func(*testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

func TestProviderTokensAreAccepted(t *testing.T) {
	each(t, func(t *testing.T, p provider, g golden) {
		if n := len(p.fields()); n > 3 {
			t.Errorf("%d fields of Foreign are set", n)
		}
		got, err := p.verifier(t, g, &p.foreign).Verify(t.Context(), g.with(nil))
		must(t, err)
		id := got.Identity()
		if id.Subject != p.subject || id.Issuer != p.issuer || id.Scopes != p.scopes || id.LoginID != p.scid || got.ClientID() != p.client {
			t.Errorf("%+v, client %q", id, got.ClientID())
		}
		refuses(t, p.verifier(t, g, nil), g.with(nil), "as an own token")
		refuses(t, p.verifier(t, g, &token.Foreign{}), g.with(nil), "with the zero Foreign")
	})
}

// Each field is needed: without it the token is refused, or a token of another kind is
// accepted, or the identity lacks something.
func TestProviderFieldsAreNeeded(t *testing.T) {
	each(t, func(t *testing.T, p provider, g golden) {
		for _, field := range p.fields() {
			less := p.foreign
			reflect.ValueOf(&less).Elem().FieldByName(field).SetZero()
			v := p.verifier(t, g, &less)
			got, err := v.Verify(t.Context(), g.with(nil))
			needed := err != nil || got.Identity().Scopes != p.scopes || got.ClientID() != p.client
			for _, changes := range g.Refused {
				_, err := v.Verify(t.Context(), g.with(changes))
				needed = needed || err == nil
			}
			if !needed {
				t.Errorf("%s is not needed", field)
			}
		}
	})
}

// fields returns the fields of Foreign that the row sets.
func (p provider) fields() (names []string) {
	v := reflect.ValueOf(p.foreign)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			names = append(names, v.Type().Field(i).Name)
		}
	}
	return names
}

// docs/providers.md has a row for each provider, with the values of this test, and the
// code of ExampleForeign.
func TestDocsHaveTheProviders(t *testing.T) {
	text, err := os.ReadFile("../docs/providers.md")
	must(t, err)
	for _, p := range providers {
		row := fmt.Sprintf("| %s | keys `%s`<br>issuer `%s`<br>audience `%s` | `%s` |", p.title, p.keys, p.issuer, p.audience, p.goForeign(t))
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/providers.md lacks the row\n%s", row)
		}
	}
	_, block, _ := strings.Cut(string(text), "```go\n")
	block, _, _ = strings.Cut(block, "```")
	example, err := os.ReadFile("example_verifier_test.go")
	must(t, err)
	if !strings.Contains(unindented(string(example)), unindented(block)) || block == "" {
		t.Error("the code of docs/providers.md is not that of ExampleForeign")
	}
}

func unindented(text string) string { return strings.ReplaceAll(text, "\t", "") }

// goForeign returns the Foreign of the row as Go.
func (p provider) goForeign(t *testing.T) string {
	var fields []string
	for _, name := range p.fields() {
		fields = append(fields, fmt.Sprintf("%s: %#v", name, reflect.ValueOf(p.foreign).FieldByName(name)))
	}
	source, err := format.Source([]byte("token.Foreign{" + strings.Join(fields, ", ") + "}"))
	must(t, err)
	return string(source)
}
