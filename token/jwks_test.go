package token_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/token"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newKeys(t testing.TB, algorithm token.Algorithm) *token.KeySet {
	t.Helper()
	set, err := token.NewKeySet(algorithm)
	check(t, err)
	return set
}

func ask(set *token.KeySet, method string, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://issuer.test/jwks.json", nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	set.JWKSHandler().ServeHTTP(w, r)
	return w
}

// secrets are all strings of the key file that must never be published.
func secrets(t *testing.T, set *token.KeySet) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	check(t, set.Save(path))
	text, err := os.ReadFile(path)
	check(t, err)
	var file struct {
		Signing struct{ Keys []map[string]any }
		Refresh []map[string]any
	}
	check(t, json.Unmarshal(text, &file))
	var found []string
	for _, key := range append(file.Signing.Keys, file.Refresh...) {
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "k", "secret"} {
			if value, ok := key[name].(string); ok {
				found = append(found, value)
			}
		}
	}
	return found
}

func TestPublishedSetHoldsNoSecret(t *testing.T) {
	for algorithm, size := range map[token.Algorithm]int{token.Ed25519: 3, token.ES256: 3, token.PS256: 2, token.HS256: 0} {
		t.Run(string(algorithm), func(t *testing.T) {
			set := newKeys(t, algorithm)
			hidden := secrets(t, set)
			if algorithm != token.PS256 { // whose keys take long to make
				check(t, set.Rotate())
			}
			hidden = append(hidden, secrets(t, set)...)
			if len(hidden) < 4 {
				t.Fatalf("only %d secrets to look for", len(hidden))
			}
			body := ask(set, "GET", nil).Body.String()
			for _, secret := range hidden {
				if strings.Contains(body, secret) {
					t.Error("a secret is published")
				}
			}
			var document struct{ Keys []map[string]any }
			check(t, json.Unmarshal([]byte(body), &document))
			if len(document.Keys) != size {
				t.Errorf("%d keys are published, want %d", len(document.Keys), size)
			}
			for _, key := range document.Keys {
				onlyPublicMembers(t, key)
			}
			if _, skipped, err := jose.ParseSet([]byte(body), jose.KeyRules{}, nil); err != nil || len(skipped) > 0 {
				t.Errorf("a verifier cannot use it: %v, %v", err, skipped)
			}
		})
	}
}

func onlyPublicMembers(t *testing.T, key map[string]any) {
	t.Helper()
	public := " kty crv x y n e alg use kid "
	for name := range key {
		if !strings.Contains(public, " "+name+" ") {
			t.Errorf("member %q is published", name)
		}
	}
	if key["kty"] == "oct" || key["use"] != "sig" || key["kid"] == "" || key["alg"] == "" {
		t.Errorf("published: %v", key)
	}
}

func TestPublishedSetIsGolden(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	set := newKeys(t, "")
	check(t, set.SetSigner(ed25519.NewKeyFromSeed(seed)))
	w := ask(set, "GET", nil)
	want := `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"O2onvM62pC1io6jQKm8Nc2UyFXcd4kOmOsBIoYtZ2ik","alg":"EdDSA","use":"sig","kid":"9ZP03Nu8GrXPAUkbKNxHOKBzxPX83SShgFkRNK-f2lw"}]}`
	if w.Body.String() != want {
		t.Errorf("body is %s, want %s", w.Body, want)
	}
	header := map[string]string{
		"Content-Type":  "application/jwk-set+json",
		"Cache-Control": "public, max-age=300",
	}
	for name, want := range header {
		if got := w.Header().Get(name); w.Code != 200 || got != want {
			t.Errorf("%d, %s: %s, want %s", w.Code, name, got, want)
		}
	}
}

func TestPublishedSetHasAStrongETag(t *testing.T) {
	set := newKeys(t, "")
	first := ask(set, "GET", nil)
	etag := first.Header().Get("ETag")
	if len(etag) < 10 || !strings.HasPrefix(etag, `"`) {
		t.Fatalf("ETag is %s", etag)
	}
	again := ask(set, "GET", http.Header{"If-None-Match": {etag}})
	if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
		t.Errorf("an unchanged set is answered with %d", again.Code)
	}
	check(t, set.Rotate())
	changed := ask(set, "GET", http.Header{"If-None-Match": {etag}})
	if changed.Code != http.StatusOK || changed.Header().Get("ETag") == etag {
		t.Errorf("a changed set is answered with %d", changed.Code)
	}
}

func TestOnlyGetAndHeadAreAnswered(t *testing.T) {
	set := newKeys(t, "")
	head := ask(set, "HEAD", nil)
	if head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("ETag") == "" {
		t.Errorf("HEAD is answered with %d and %d bytes", head.Code, head.Body.Len())
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"} {
		w := ask(set, method, nil)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s is answered with %d, Allow: %s", method, w.Code, w.Header().Get("Allow"))
		}
		if strings.Contains(w.Body.String(), "kty") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s is answered with the set", method)
		}
	}
}

func TestEmptyKeySetPublishesNothing(t *testing.T) {
	if w := ask(new(token.KeySet), "GET", nil); w.Code != http.StatusServiceUnavailable {
		t.Errorf("answered with %d", w.Code)
	}
}

// What an application cannot set by itself, a token cannot smuggle in by case.
func TestRegisteredClaimsAreTheSameEverywhere(t *testing.T) {
	key, err := jose.Generate(jose.Ed25519, "at+jwt")
	check(t, err)
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time",
		"acr", "amr", "sid", "fam", "azp", "act", "may_act", "cnf",
	} {
		if _, err := auth.NewClaims(map[string]int{name: 1}); err == nil {
			t.Errorf("an application can set %q", name)
		}
		if _, err := key.Mint([]byte(`{"` + strings.ToUpper(name) + `":1}`)); err == nil {
			t.Errorf("%q is minted in upper case", name)
		}
	}
}
