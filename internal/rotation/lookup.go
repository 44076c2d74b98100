package rotation

import (
	"crypto/sha256"
	"time"

	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

// Digest identifies a family in the store. famID is a result of [FamilyID].
func Digest(namespace, famID string) logins.Digest {
	b := []byte("authlatch/family")
	b = record.AppendText(b, namespace)
	return sha256.Sum256(record.AppendText(b, famID))
}

// Living returns the family that was read from the store, or nil if it has expired or
// was ended. After an error, it is unknown whether the family has ended.
func Living(raw []byte, now time.Time) (*Family, error) {
	if _, ended := logins.ParseTombstone(raw); ended {
		return nil, nil
	}
	f, err := Parse(raw)
	if err != nil {
		return nil, err
	}
	if f.Settle(now, 0); !now.Before(f.Ends()) {
		return nil, nil
	}
	return f, nil
}
