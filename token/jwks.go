package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// document is the published JWK Set of one state of the keys.
type document struct {
	body []byte
	etag string
}

// newDocument is made of public members only: its type has no other. HMAC keys
// are not part of it.
func newDocument(ring keyring[signingKey]) (document, error) {
	published := struct {
		Keys []jose.PublicJWK `json:"keys"`
	}{[]jose.PublicJWK{}}
	for _, entry := range ring.inOrder() {
		if jwk, ok := entry.key.verification.PublicJWK(); ok {
			published.Keys = append(published.Keys, jwk)
		}
	}
	body, err := json.Marshal(published)
	if err != nil {
		return document{}, fmt.Errorf("token: JWK Set: %w", err)
	}
	sum := sha256.Sum256(body)
	return document{body, `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`}, nil
}

// JWKSHandler publishes the public halves of the signing keys as a JWK Set
// (RFC 7517, 5), the next one included, so that verifiers learn it before it
// is used. Caches may keep it for 5 minutes. Secrets and private halves are
// never part of it; with [HS256] keys the set is empty. Methods other than GET
// and HEAD are answered with 405.
func (s *KeySet) JWKSHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := s.keys.Load()
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		case k == nil:
			http.Error(w, "no keys", http.StatusServiceUnavailable)
		default:
			w.Header().Set("Content-Type", "application/jwk-set+json")
			w.Header().Set("Cache-Control", "public, max-age=300")
			w.Header().Set("ETag", k.jwks.etag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(k.jwks.body))
		}
	})
}
