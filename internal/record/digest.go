package record

import (
	"crypto/sha256"
	"encoding/base64"
)

// Digest identifies a record, so that its store key reveals neither a secret nor a name.
type Digest [sha256.Size]byte

// NewDigest hashes the kind of the record and all parts. Each part is prefixed with its
// length, so that different parts never give the same bytes.
func NewDigest(kind string, parts ...string) Digest {
	b := []byte("authlatch " + kind + "\n")
	for _, part := range parts {
		b = AppendText(b, part)
	}
	return sha256.Sum256(b)
}

// Key returns the store key of the record, 43 characters.
func (d Digest) Key() string { return base64.RawURLEncoding.EncodeToString(d[:]) }
