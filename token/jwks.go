package token

import (
	"bytes"
	"net/http"
	"time"

	"github.com/authlatch/auth/internal/wire"
)

// JWKSHandler returns a handler that serves the public keys of the set as a JWK Set
// (RFC 7517, 5). The next key is included, so that verifiers know it before it is
// used. Caches may keep the document for 5 minutes. It never includes secrets or
// private keys; with [HS256] keys it is empty. The response to methods other than GET
// and HEAD is 405.
func (s *KeySet) JWKSHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := s.keys.Load()
		if k == nil {
			wire.WriteProblem(w, http.StatusServiceUnavailable, wire.Problem{})
			return
		}
		serveDocument(w, r, "application/jwk-set+json", k.JWKS().ETag, k.JWKS().Body)
	})
}

// serveDocument responds to GET and HEAD with a public document.
func serveDocument(w http.ResponseWriter, r *http.Request, contentType, etag string, body []byte) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		wire.WriteProblem(w, http.StatusMethodNotAllowed, wire.Problem{})
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
