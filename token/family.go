package token

import (
	"crypto/sha256"
	"time"

	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/stored"
)

// family is the record of all refresh tokens of one login, with the rules of
// rotation.
type family rotation.Family

// familyDigest is what the store knows a family by. famID is that of familyID.
func familyDigest(namespace, famID string) logins.Digest {
	b := []byte("authlatch/family")
	b = stored.AppendText(b, namespace)
	return sha256.Sum256(stored.AppendText(b, famID))
}

func (f *family) encode() []byte { return (*rotation.Family)(f).Encode() }

func parseFamily(raw []byte) (*family, error) {
	f, err := rotation.Parse(raw)
	return (*family)(f), err
}

// ends returns when the family ends if it is not refreshed again.
func (f *family) ends() time.Time { return (*rotation.Family)(f).Ends() }

// liveFamily returns the family that was read from the store, or nil if it has
// ended. An error says that the question cannot be answered here.
func liveFamily(raw []byte, now time.Time) (*family, error) {
	if _, ended := logins.ParseTombstone(raw); ended {
		return nil, nil
	}
	f, err := parseFamily(raw)
	if err != nil || !now.Before(f.ends()) {
		return nil, err
	}
	return f, nil
}
