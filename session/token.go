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

func newToken() string {
	var secret [32]byte
	rand.Read(secret[:])
	return base64.RawURLEncoding.EncodeToString(secret[:])
}

// wellFormed reports whether newToken could have returned token. Nothing else
// gets as far as the store.
func wellFormed(token string) bool {
	if len(token) != tokenLength {
		return false
	}
	for i := range len(token) {
		if sextet(token[i]) < 0 {
			return false
		}
	}
	// The last character carries four bits; the other two are zero.
	return sextet(token[tokenLength-1])%4 == 0
}

// sextet returns the value of a base64url character, or -1.
func sextet(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '-':
		return 62
	case c == '_':
		return 63
	}
	return -1
}

// digest returns what the store knows a session token by. The name of the
// cookie is in it, so that a token opens nothing at another manager.
func (m *Manager) digest(token string) logins.Digest {
	b := make([]byte, 0, sha256.Size+tokenLength)
	b = append(b, m.world[:]...)
	return sha256.Sum256(append(b, token...))
}
