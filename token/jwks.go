package token

import (
	"bytes"
	"net/http"
	"time"
)

// JWKSHandler returns a handler that serves the public keys of the set as a JWK Set
// (RFC 7517, 5). The next key is included, so that verifiers know it before it is
// used. Caches may keep the document for 5 minutes. It never includes secrets or
// private keys; with [HS256] keys it is empty. The response to methods other than GET
// and HEAD is 405.
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
