package token_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// RFC 9728, 3.1: the well-known path stands between the host and the path.
func TestResourceMetadataIsAtItsWellKnownPath(t *testing.T) {
	const well = "/.well-known/oauth-protected-resource"
	for resource, want := range map[string]string{
		"https://api.example":          "https://api.example" + well,
		"https://api.example/":         "https://api.example" + well,
		"https://api.example/mcp":      "https://api.example" + well + "/mcp",
		"https://api.example/a/b/":     "https://api.example" + well + "/a/b/",
		"https://api.example:8443/a?b": "https://api.example:8443" + well + "/a?b",
		"http://localhost:8080/mcp":    "http://localhost:8080" + well + "/mcp",
		"https://api.example/a%20b":    "https://api.example" + well + "/a%20b",
	} {
		got, err := token.ResourceMetadata{Resource: resource}.URL()
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", resource, got, err)
		}
	}
	for _, resource := range []string{
		"", "api.example", "http://api.example", "ftp://api.example", "https://", "https://a:b@api.example", "https://api.example/#a", "https://api.example/#",
		`https://api.example/"`, `https://api.example/\`, "https://api.example/ä", "https://api.example/ ",
	} {
		if got, err := (token.ResourceMetadata{Resource: resource}).URL(); err == nil || got != "" || !strings.Contains(err.Error(), "Resource") {
			t.Errorf("%q: %q, %v", resource, got, err)
		}
	}
}

func TestResourceMetadataIsServed(t *testing.T) {
	path, h, err := token.ResourceMetadata{
		Resource: "https://api.example/mcp", AuthorizationServers: []string{"https://login.example", "https://other.example/tenant"},
		Scopes: "read write", Name: "Notes", Documentation: "https://docs.example",
	}.Handler()
	must(t, err)
	if path != "/.well-known/oauth-protected-resource/mcp" {
		t.Errorf("path %s", path)
	}
	const want = `{"resource":"https://api.example/mcp","authorization_servers":["https://login.example","https://other.example/tenant"],` +
		`"scopes_supported":["read","write"],"bearer_methods_supported":["header"],"resource_name":"Notes","resource_documentation":"https://docs.example"}`
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "POST": 405, "DELETE": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, "https://api.example"+path, nil))
		header := w.Header()
		switch {
		case w.Code != status:
			t.Errorf("%s: %d", method, w.Code)
		case status == 405 && (header.Get("Allow") != "GET, HEAD" || header.Get("Content-Type") != "application/problem+json"):
			t.Errorf("%s: %v", method, header)
		case status == 200 && (header.Get("Content-Type") != "application/json" || header.Get("ETag") == "" || header.Get("Cache-Control") != "public, max-age=300"):
			t.Errorf("%s: %v", method, header)
		case method == "GET" && w.Body.String() != want:
			t.Errorf("%s", w.Body)
		}
	}
	_, h, err = token.ResourceMetadata{Resource: "https://api.example"}.Handler()
	must(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Body.String(); got != `{"resource":"https://api.example","bearer_methods_supported":["header"]}` {
		t.Error(got)
	}
	for field, m := range map[string]token.ResourceMetadata{
		"Resource":             {},
		"AuthorizationServers": {Resource: "https://api.example", AuthorizationServers: []string{"http://login.example"}},
		"Scopes":               {Resource: "https://api.example", Scopes: "a\"b"},
	} {
		if _, h, err := m.Handler(); err == nil || h != nil || !strings.Contains(err.Error(), "ResourceMetadata."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// RFC 9728, 5.1: in each challenge, also in that of an insufficient scope.
func TestChallengesNameTheResourceMetadata(t *testing.T) {
	m := newMinter(t)
	const address = "https://api.example/.well-known/oauth-protected-resource/mcp"
	v := m.verifier(func(c *token.VerifierConfig) { c.ResourceMetadata = address })
	guard := &middleware.Guard{Authenticator: v}
	call := func(text, scope string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "https://api.example/mcp", nil)
		if text != "" {
			r.Header.Set("Authorization", "Bearer "+text)
		}
		w := httptest.NewRecorder()
		h := http.Handler(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		if scope != "" {
			h = guard.RequireScope(scope)(h)
		}
		guard.Require(h).ServeHTTP(w, r)
		return w
	}
	const suffix = `resource_metadata="` + address + `"`
	for rule, c := range map[string]struct {
		text, scope string
		status      int
		want        string
	}{
		"no token":           {"", "", 401, "Bearer " + suffix},
		"a bad token":        {"x", "", 401, `Bearer error="invalid_token", ` + suffix},
		"a malformed header": {"a b", "", 401, `Bearer error="invalid_token", ` + suffix},
		"a scope is lacking": {m.mint(claims()), "delete", 403, `Bearer error="insufficient_scope", scope="delete", ` + suffix},
		"a valid token":      {m.mint(claims()), "", 200, ""},
	} {
		w := call(c.text, c.scope)
		if got := w.Header().Get("WWW-Authenticate"); w.Code != c.status || got != c.want {
			t.Errorf("%s: %d %s", rule, w.Code, got)
		}
	}
	for _, bad := range []string{"http://api.example/x", "/.well-known/x", `https://api.example/"`, "https://api.example/x#y", "https://api.example/\n", "https://api.example/ü"} {
		_, err := token.NewVerifier(token.VerifierConfig{Keys: newKeys(t, ""), Issuer: "i", Audience: "a", ResourceMetadata: bad})
		if err == nil || !strings.Contains(err.Error(), "VerifierConfig.ResourceMetadata") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
