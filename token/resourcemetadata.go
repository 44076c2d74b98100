package token

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/wire"
)

// ResourceMetadata tells clients of an API where to get access tokens for it (RFC 9728,
// 2). A client that knows only the address of the API, such as one of the Model Context
// Protocol, finds the document by [VerifierConfig.ResourceMetadata] in the challenge of a
// 401. The document is public.
type ResourceMetadata struct {
	// Resource is the URL of the API, which is https except on loopback and has no
	// fragment. Clients request tokens for it (RFC 8707), so it is usually the Audience
	// of the Verifier. It is required.
	Resource string

	// AuthorizationServers are the issuers of the tokens, which clients find by their
	// own metadata (RFC 8414). They are https except on loopback. The default names
	// none.
	AuthorizationServers []string

	// Scopes are the scopes that a client may request. The default names none.
	Scopes auth.Words

	// Name is a name for users, and Documentation a URL for developers. The default is
	// none.
	Name, Documentation string
}

// resourceWellKnown is the path of RFC 9728, 3.
const resourceWellKnown = "/.well-known/oauth-protected-resource"

// URL returns the address of the document: Resource with
// /.well-known/oauth-protected-resource in front of its path (RFC 9728, 3.1). The error
// says what is wrong with Resource.
func (m ResourceMetadata) URL() (string, error) {
	if err := wire.CheckAddress(m.Resource, false); err != nil {
		return "", fmt.Errorf("token: ResourceMetadata.Resource: %w", err)
	}
	if err := checkQuotable("ResourceMetadata.Resource", m.Resource); err != nil {
		return "", err
	}
	u, err := url.Parse(m.Resource)
	if err != nil {
		return "", errors.New("token: ResourceMetadata.Resource is not a URL")
	}
	path := u.EscapedPath()
	if path == "/" { // of a bare host
		path = ""
	}
	address := u.Scheme + "://" + u.Host + resourceWellKnown + path
	if u.RawQuery != "" {
		address += "?" + u.RawQuery
	}
	return address, nil
}

// Handler returns a handler that serves the document, and the path at which to register
// the handler: the path of URL. Caches may keep the document for 5 minutes. The response
// to methods other than GET and HEAD is 405. The error names the invalid field.
func (m ResourceMetadata) Handler() (path string, h http.Handler, err error) {
	address, err := m.URL()
	if err != nil {
		return "", nil, err
	}
	for _, server := range m.AuthorizationServers {
		if err := wire.CheckAddress(server, false); err != nil {
			return "", nil, fmt.Errorf("token: ResourceMetadata.AuthorizationServers: %w", err)
		}
	}
	if err := (auth.Identity{Subject: "probe", Scopes: m.Scopes}).Validate(); err != nil {
		return "", nil, fmt.Errorf("token: ResourceMetadata.Scopes: %w", err)
	}
	body, err := json.Marshal(m.document())
	if err != nil {
		return "", nil, fmt.Errorf("token: ResourceMetadata: %w", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		return "", nil, fmt.Errorf("token: ResourceMetadata.Resource: %w", err)
	}
	sum := sha256.Sum256(body)
	etag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	return u.Path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveDocument(w, r, "application/json", etag, body)
	}), nil
}

// document returns the members for encoding/json. Tokens are read from the header only.
func (m ResourceMetadata) document() any {
	return struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
	}{m.Resource, m.AuthorizationServers, slices.Collect(m.Scopes.All()), []string{"header"}, m.Name, m.Documentation}
}

// checkQuotable refuses an address that cannot stand in a quoted string of a challenge, or
// that has a fragment (RFC 9728, 1.2).
func checkQuotable(field, address string) error {
	for _, c := range []byte(address) {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '#' {
			return fmt.Errorf("token: %s contains the character %q, which does not belong there or must be percent-encoded", field, c)
		}
	}
	return nil
}
