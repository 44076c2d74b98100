package session

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"

	"github.com/authlatch/auth/internal/logins"
)

// A session token is 256 random bits (ASVS 5.0, 7.2.3) in 43 characters of
// base64url.
const tokenLength = 43

// base64url has one text for the same bytes, but for line breaks.
var base64url = base64.RawURLEncoding.Strict()

func newToken() string {
	var secret [32]byte
	rand.Read(secret[:])
	return base64url.EncodeToString(secret[:])
}

// wellFormed reports whether newToken could have returned token. Nothing else
// gets as far as the store.
func wellFormed(token string) bool {
	var text [tokenLength]byte
	if len(token) != copy(text[:], token) {
		return false
	}
	var secret [32]byte
	n, err := base64url.Decode(secret[:], text[:])
	return err == nil && n == len(secret) // the decoder skips line breaks
}

// digest returns the digest under which the store knows a session token. It includes the
// name of the cookie and the namespace, so that other managers do not accept the token.
func (m *Manager) digest(token string) logins.Digest {
	b := make([]byte, 0, sha256.Size+tokenLength)
	b = append(b, m.domain[:]...)
	return sha256.Sum256(append(b, token...))
}
