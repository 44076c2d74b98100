package keyring

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/authlatch/auth/internal/jose"
)

// Document is the published JWK Set of one state of the keys.
type Document struct {
	Body []byte
	ETag string
}

// newDocument returns the document. Its type has only public members, and HMAC keys
// are left out.
func newDocument(ring keyring[signingKey]) (Document, error) {
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
		return Document{}, fmt.Errorf("token: JWK Set: %w", err)
	}
	sum := sha256.Sum256(body)
	return Document{body, `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`}, nil
}
