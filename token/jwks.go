package token

import (
	"bytes"
	"net/http"
	"time"
)

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
			w.Header().Set("ETag", k.JWKS().ETag)
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(k.JWKS().Body))
		}
	})
}
