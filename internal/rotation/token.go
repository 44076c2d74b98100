package rotation

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"strings"

	"github.com/authlatch/auth/internal/record"
)

// Token is a refresh token:
//
//	prefix | base64url( version (1) | seed (16) | generation (uvarint) | MAC (16) | check (4) )
//
// Each token has exactly one spelling. The MAC is the first half of an HMAC-SHA256
// with a secret that is never in the store and the salt of the family, which is only
// in the store. So neither a dump of the store nor a leaked secret is enough to make a
// token. The successor of a token is computed each time that it is needed, so nothing
// is stored for clients that lost a response.
//
// The secret is one of the key ring, bound to issuer, audience and client: a token of
// one of them cannot be used for another that shares keys and store (RFC 6749, 6).
//
// The family ID is derived from the seed, which only a refresh token contains. The
// family ID is in every access token and does not reveal the seed, so an access token
// cannot be used to ask for the state of the login.
//
// The prefix is for scanners that look for leaked secrets. The check is a CRC-32 of the
// bytes before it. It rejects noise without a read of the store, and is not a security
// measure.
type Token struct {
	Seed       [16]byte
	Generation uint64
	mac        [refreshMACSize]byte
}

const (
	refreshPrefix  = "authlatch_refresh_"
	refreshVersion = 0x02
	refreshMACSize = 16
	maxGeneration  = 1 << 32

	minRefreshBytes = 1 + 16 + 1 + refreshMACSize + 4
	maxRefreshBytes = minRefreshBytes + 4 // of the longest generation
)

// BoundSecret derives the key of the MAC from a secret of the ring.
func BoundSecret(secret []byte, issuer, audience, clientID string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(record.AppendText(record.AppendText(record.AppendText(nil, issuer), audience), clientID))
	return mac.Sum(nil)
}

// NewToken makes the token of a generation of a family.
func NewToken(secret []byte, seed [16]byte, salt [16]byte, generation uint64) Token {
	t := Token{Seed: seed, Generation: generation}
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("refresh/v2"))
	mac.Write(seed[:])
	mac.Write(binary.BigEndian.AppendUint64(nil, generation))
	mac.Write(salt[:])
	copy(t.mac[:], mac.Sum(nil))
	return t
}

// Authentic reports, in constant time, whether the MAC is the server's.
func (t Token) Authentic(secret []byte, salt [16]byte) bool {
	ours := NewToken(secret, t.Seed, salt, t.Generation)
	return hmac.Equal(t.mac[:], ours.mac[:])
}

func (t Token) String() string {
	b := append(make([]byte, 0, maxRefreshBytes), refreshVersion)
	b = append(b, t.Seed[:]...)
	b = binary.AppendUvarint(b, t.Generation)
	b = append(b, t.mac[:]...)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return refreshPrefix + base64.RawURLEncoding.EncodeToString(b)
}

// FamilyID returns the ID of the family of a seed, as the claim "fam" has it.
func FamilyID(seed [16]byte) string {
	sum := sha256.Sum256(append([]byte("authlatch/family-id"), seed[:]...))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// ParseToken reads a token in the form that String returns. It does not check the
// MAC; see [Token.Authentic].
func ParseToken(text string) (t Token, ok bool) {
	text, ok = strings.CutPrefix(text, refreshPrefix)
	if !ok || len(text) > base64.RawURLEncoding.EncodedLen(maxRefreshBytes) {
		return Token{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) < minRefreshBytes || b[0] != refreshVersion {
		return Token{}, false
	}
	body := b[:len(b)-4]
	generation, size := binary.Uvarint(body[17:])
	if size <= 0 || generation > maxGeneration || len(body) != 17+size+refreshMACSize {
		return Token{}, false
	}
	t = Token{Seed: [16]byte(body[1:17]), Generation: generation, mac: [refreshMACSize]byte(body[17+size:])}
	if t.String() != refreshPrefix+text {
		// A wrong check, a generation with leading zeros, or base64 with stray bits
		// or line ends.
		return Token{}, false
	}
	return t, true
}
