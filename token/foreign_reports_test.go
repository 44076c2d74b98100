package token_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// What users of other libraries have reported about tokens and keys of issuers
// elsewhere. The names of reports are owner/repository#number.

func (m *minter) foreign(f token.Foreign) *token.Verifier {
	return m.verifier(func(c *token.VerifierConfig) { c.Foreign = &f })
}

// keycloak#6771, esp#308, panva/jose#73, supabase/auth#2274, auth0-spring#35.
// What decides nothing refuses no token of a foreign issuer, and proves nothing.
// Own tokens stay strict.
func TestClaimsThatDecideNothingAreReadLeniently(t *testing.T) {
	m := newMinter(t)
	foreign, own := m.foreign(token.Foreign{}), m.verifier()
	objects := []any{map[string]any{"method": "pwd"}}
	for name, c := range map[string]struct {
		changes         map[string]any
		scopes, methods auth.Words
		known           bool // AuthTime
		ownToo          bool
	}{
		"nbf is 0":                 {map[string]any{"nbf": 0}, "read write admin", "pwd", true, false},
		"nbf is null":              {map[string]any{"nbf": nil2}, "read write admin", "pwd", true, false},
		"auth_time is 0":           {map[string]any{"auth_time": 0}, "read write admin", "pwd", false, false},
		"auth_time is a string":    {map[string]any{"auth_time": "yesterday"}, "read write admin", "pwd", false, false},
		"auth_time is null":        {map[string]any{"auth_time": nil2}, "read write admin", "pwd", false, false},
		"auth_time is negative":    {map[string]any{"auth_time": -1}, "read write admin", "pwd", false, false},
		"amr of objects":           {map[string]any{"amr": objects}, "read write admin", "", true, false},
		"amr of both":              {map[string]any{"amr": []any{objects[0], "otp"}}, "read write admin", "otp", true, false},
		"amr is a string":          {map[string]any{"amr": "pwd"}, "read write admin", "pwd", true, false},
		"amr is null":              {map[string]any{"amr": nil2}, "read write admin", "", true, false},
		"two spaces in scope":      {map[string]any{"scope": " read  write "}, "read write", "pwd", true, false},
		"scope is an array":        {map[string]any{"scope": []string{"read", "write"}}, "read write", "pwd", true, false},
		"scope is null":            {map[string]any{"scope": nil2}, "", "pwd", true, false},
		"scope is a number":        {map[string]any{"scope": 7}, "", "pwd", true, false},
		"a scope that cannot be":   {map[string]any{"scope": "read \"x\" write"}, "read write", "pwd", true, false},
		"scope is empty":           {map[string]any{"scope": ""}, "", "pwd", true, true},
		"sid is a number":          {map[string]any{"sid": 7}, "read write admin", "pwd", true, false},
		"sid is too long":          {map[string]any{"sid": strings.Repeat("x", 200)}, "read write admin", "pwd", true, false},
		"fam is of another issuer": {map[string]any{"fam": []int{1}}, "read write admin", "pwd", true, false},
		"cnf is null":              {map[string]any{"cnf": nil2}, "read write admin", "pwd", true, false},
	} {
		text := m.mint(with(c.changes))
		got, err := foreign.Verify(t.Context(), text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		id := got.Identity()
		if id.Scopes != c.scopes || id.Methods != c.methods || id.AuthTime.IsZero() == c.known {
			t.Errorf("%s: %q, %q, %v", name, id.Scopes, id.Methods, id.AuthTime)
		}
		if _, err := own.Verify(t.Context(), text); (err == nil) != c.ownToo {
			t.Errorf("%s, as an own token: %v", name, err)
		}
	}
	// What decides stays as strict as it is.
	for name, changes := range map[string]map[string]any{
		"exp is a string": {"exp": "1"}, "exp is 0": {"exp": 0}, "no exp": {"exp": nil}, "iat is 0": {"iat": 0}, "nbf is a string": {"nbf": "0"},
		"nbf is negative": {"nbf": -1}, "nbf is ahead": {"nbf": time.Now().Unix() + 500}, "sub is a number": {"sub": 1}, "sub is empty": {"sub": ""},
		"iss is an array": {"iss": []string{issuerName}}, "aud is a number": {"aud": 1}, "cnf": {"cnf": map[string]any{"jkt": "x"}},
	} {
		if _, err := foreign.Verify(t.Context(), m.mint(with(changes))); outcome(err) != "bad" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// nil2 is null as the value of a claim; nil takes a claim away.
var nil2 = json.RawMessage("null")

// MSAL.js#4947, FoxIDs#923.
func TestLongForeignTokensAreAccepted(t *testing.T) {
	m := newMinter(t)
	var received []auth.Event
	record := func(c *token.VerifierConfig) {
		c.Events = func(_ context.Context, e auth.Event) { received = append(received, e) }
	}
	foreign := m.verifier(record, func(c *token.VerifierConfig) { c.Foreign = &token.Foreign{} })
	own := m.verifier(record)
	of := func(bytes int) string { return m.mint(with(map[string]any{"groups": strings.Repeat("x", bytes*3/4)})) }
	if _, err := foreign.Verify(t.Context(), of(15_000)); err != nil {
		t.Error(err)
	}
	for limit, c := range map[string]struct {
		v    *token.Verifier
		text string
	}{"8192": {own, of(8_000)}, "16384": {foreign, of(16_000)}} {
		received = nil
		refuses(t, c.v, c.text)
		if len(received) != 1 || received[0].Reason != "token too long" || !strings.Contains(received[0].Err.Error(), limit) {
			t.Errorf("%+v", received)
		}
	}
}

// heimdall#99, pyjwt#1072, jwks-rsa-java#23.
func TestTokenWithoutKidNeedsItsFieldAndOneKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, other := newMinter(t), newMinter(t)
		header := m.header()
		delete(header, "kid")
		text, bare := m.mintWith(header, claims()), strings.Replace(publishes(m), `"kid":"`+m.kid+`",`, "", 1)
		for name, c := range map[string]struct {
			document string
			f        token.Foreign
			want     string
		}{
			"without the field":     {bare, token.Foreign{}, "bad"},
			"with it":               {bare, token.Foreign{WithoutKeyID: true}, "ok"},
			"and a key with a kid":  {publishes(m), token.Foreign{WithoutKeyID: true}, "ok"},
			"and two keys":          {publishes(m, other), token.Foreign{WithoutKeyID: true}, "unknown"}, // one may go
			"and another's key":     {publishes(other), token.Foreign{WithoutKeyID: true}, "unknown"},    // rotated?
			"and a type it is not":  {bare, token.Foreign{WithoutKeyID: true, Types: []string{"jwt"}}, "ok"},
			"and a key without alg": {strings.Replace(bare, `"alg":"EdDSA",`, "", 1), token.Foreign{WithoutKeyID: true}, "ok"},
		} {
			v, err := token.NewVerifier(token.VerifierConfig{Keys: remoteOf(t, c.document), Issuer: issuerName, Audience: audienceName, Foreign: &c.f})
			must(t, err)
			if _, err := v.Verify(t.Context(), text); outcome(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := v.Verify(t.Context(), text[:len(text)-8]+"AAAAAAAA"); outcome(err) == "ok" {
				t.Errorf("%s: a forged one is accepted", name)
			}
		}
	})
}

// kubernetes#130781, Firebase.
func TestTokenWithoutClientIsAccepted(t *testing.T) {
	m := newMinter(t)
	for _, client := range []any{nil, 7, "", nil2} {
		text := m.mint(with(map[string]any{"client_id": client}))
		refuses(t, m.verifier(), text)
		refuses(t, m.foreign(token.Foreign{ClientClaim: "client_id"}), text)
		got, err := m.foreign(token.Foreign{}).Verify(t.Context(), text)
		must(t, err)
		if got.ClientID() != "" {
			t.Errorf("%q", got.ClientID())
		}
	}
	got, err := m.foreign(token.Foreign{}).Verify(t.Context(), m.mint(claims()))
	must(t, err)
	if got.ClientID() != "app" {
		t.Errorf("%q", got.ClientID())
	}
}

// rust-jwt-simple#83: one RSA certificate in the header.
func TestCertificateInTheHeaderFitsWhereItIsIgnored(t *testing.T) {
	m := newMinter(t)
	header := m.header()
	header["x5c"] = []string{strings.Repeat("A", 1600), strings.Repeat("B", 1600)}
	text := m.mintWith(header, claims())
	refuses(t, m.verifier(), text)
	if _, err := m.foreign(token.Foreign{}).Verify(t.Context(), text); err != nil {
		t.Error(err)
	}
	header["x5c"] = []string{strings.Repeat("A", 9000)}
	refuses(t, m.foreign(token.Foreign{}), m.mintWith(header, claims()))
}

// sso-issues#81, authentik#5772.
func TestCompressedKeysAreRead(t *testing.T) {
	packed := func(text string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, text)
		w.Close()
		return b.Bytes()
	}
	m := newMinter(t)
	for name, c := range map[string]struct {
		encoding string
		body     []byte
		want     string
	}{
		"gzip":           {"gzip", packed(publishes(m)), "ok"},
		"GZIP":           {"GZIP", packed(publishes(m)), "ok"},
		"identity":       {"identity", []byte(publishes(m)), "ok"},
		"brotli":         {"br", []byte(publishes(m)), "unknown"},
		"twice":          {"gzip, gzip", packed(string(packed(publishes(m)))), "unknown"},
		"a bomb":         {"gzip", packed(strings.Repeat(" ", 64<<20) + publishes(m)), "unknown"},
		"it says so":     {"gzip", []byte(publishes(m)), "unknown"},
		"it is cut":      {"gzip", packed(publishes(m))[:60], "unknown"},
		"not said to be": {"", packed(publishes(m)), "unknown"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("Accept-Encoding"); got != "identity" {
				t.Errorf("Accept-Encoding is %q", got)
			}
			w.Header()["Content-Encoding"] = []string{c.encoding}
			w.Write(c.body)
		}))
		keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{})
		must(t, err)
		if got := verdict(t, remoteVerifier(t, keys), m); got != c.want {
			t.Errorf("%s: %s, %v", name, got, keys.Ready())
		}
		must(t, keys.Close())
		server.Close()
	}
}

// drf-keycloak#10, openid-client#38, krakend-jose#15, openbao#2113: a private
// CA, a credential, and plain http by name.
func TestKeysComeThroughAClientOfOnesOwn(t *testing.T) {
	m := newMinter(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer x" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		io.WriteString(w, publishes(m))
	}))
	defer server.Close()
	client := server.Client() // trusts the CA
	for name, c := range map[string]struct {
		client *http.Client
		want   string
		why    string
	}{
		"none of one's own":    {nil, "unknown", "certificate"},
		"without a credential": {client, "unknown", server.URL + ": status 401, expected 200"},
		"with both":            {&http.Client{Transport: credential{client.Transport}}, "ok", ""},
	} {
		keys, err := token.NewRemoteKeySet(server.URL, token.RemoteConfig{Client: c.client})
		must(t, err)
		if got := verdict(t, remoteVerifier(t, keys), m); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
		if err := keys.Ready(); c.why != "" && (err == nil || !strings.Contains(err.Error(), c.why)) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, keys.Close())
	}
}

type credential struct{ next http.RoundTripper }

func (c credential) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer x")
	return c.next.RoundTrip(r)
}

func TestPlainHTTPNeedsItsField(t *testing.T) {
	const address = "http://keycloak.svc.cluster.local/certs"
	_, err := token.NewRemoteKeySet(address, token.RemoteConfig{})
	if err == nil || !strings.Contains(err.Error(), address) || !strings.Contains(err.Error(), "RemoteConfig.InsecureHTTP") {
		t.Errorf("%v", err)
	}
	m := newMinter(t)
	keys, err := token.NewRemoteKeySetVia(address, token.RemoteConfig{InsecureHTTP: true}, serving(publishes(m)))
	must(t, err)
	defer keys.Close()
	if got := verdict(t, remoteVerifier(t, keys), m); got != "ok" {
		t.Error(got)
	}
	for _, other := range []string{"ftp://a/", "http://u:secret@a/", "http:a"} {
		if keys, err := token.NewRemoteKeySet(other, token.RemoteConfig{InsecureHTTP: true}); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", other, err)
			keys.Close()
		}
	}
}
