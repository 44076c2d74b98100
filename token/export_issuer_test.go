package token

import (
	"encoding/base64"
	"encoding/json"

	"github.com/authlatch/auth/internal/rotation"
)

// What a stored family says, for tests from outside.
func FamilyGeneration(raw []byte) (generation uint64, rotated int64, ok bool) {
	f, err := rotation.Parse(raw)
	if err != nil {
		return 0, 0, false
	}
	return f.Generation, f.Rotated, true
}

// FamilyEnd is when a stored family ends at the latest, in ms since 1970.
func FamilyEnd(raw []byte) int64 {
	f, err := rotation.Parse(raw)
	if err != nil {
		return 0
	}
	return f.Expires
}

// RewriteFamily is the same family in a write of its own.
func RewriteFamily(raw []byte) []byte {
	f, err := rotation.Parse(raw)
	if err != nil {
		return nil
	}
	return f.Encode()
}

// FamilySalt is the salt in a stored family.
func FamilySalt(raw []byte) []byte {
	f, err := rotation.Parse(raw)
	if err != nil {
		return nil
	}
	return f.Salt[:]
}

// BoundSecret is the key of an issuer's MAC.
var BoundSecret = rotation.BoundSecret

// ForgeRefreshToken makes a token as the package does.
func ForgeRefreshToken(secret []byte, seed [16]byte, salt [16]byte, generation uint64) string {
	return rotation.NewToken(secret, seed, salt, generation).String()
}

// FamilyID returns the ID in the claim "fam".
func FamilyID(seed [16]byte) string { return rotation.FamilyID(seed) }

// RefreshSecrets are the secrets of a key set, the current one first and the next
// one second; a retired one is empty.
func RefreshSecrets(set *KeySet) [][]byte { return secretsOf(set) }

func secretsOf(set *KeySet) (secrets [][]byte) {
	text, err := set.keys.Load().Encode()
	var file struct {
		Refresh []struct {
			Secret string `json:"secret"`
		} `json:"refresh"`
	}
	if err != nil || json.Unmarshal(text, &file) != nil {
		return nil
	}
	for _, entry := range file.Refresh {
		secret, _ := base64.RawURLEncoding.DecodeString(entry.Secret)
		secrets = append(secrets, secret)
	}
	return secrets
}
