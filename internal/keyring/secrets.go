package keyring

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

const (
	secretSize  = 32
	maxSecretID = 64
	maxSecrets  = 100 // retired ones included
)

// Secret is a key of the MAC in refresh tokens, and is not used for anything
// else. A retired secret consists of its ID only.
type Secret struct {
	ID    string
	Bytes []byte
}

func newSecret() Secret {
	id, secret := make([]byte, 12), make([]byte, secretSize)
	rand.Read(id)
	rand.Read(secret)
	return Secret{base64.RawURLEncoding.EncodeToString(id), secret}
}

var (
	// ErrUnknown is the error of a secret that this host does not know. See
	// [Keys.NewerThan].
	ErrUnknown = errors.New("token: refresh secret is not known here")
	// ErrRetired is the error of a secret that was dropped for ever.
	ErrRetired = errors.New("token: refresh secret is retired")
)

// Current returns the secret for new families. Its bytes must not be changed.
func (k *Keys) Current() (Secret, error) {
	if k != nil {
		if secret, ok := k.refresh.of(stateCurrent); ok {
			return secret, nil
		}
	}
	return Secret{}, ErrNone
}

// Secret returns the secret of a kid, whether it is next, current or former.
// The error is [ErrUnknown], [ErrRetired] or [ErrNone].
func (k *Keys) Secret(id string) ([]byte, error) {
	if k == nil {
		return nil, ErrNone
	}
	for _, entry := range k.refresh {
		switch {
		case entry.key.ID != id:
		case entry.state == stateRetired:
			return nil, ErrRetired
		default:
			return entry.key.Bytes, nil
		}
	}
	return nil, ErrUnknown
}

// NewerThan reports whether the current secret became current after a time. A secret that
// is unknown here, but was current at that time, is then lost for this ring. Otherwise it
// may be of a later version of the ring, which this host has not loaded yet.
func (k *Keys) NewerThan(at time.Time) bool {
	if k == nil {
		return false
	}
	i := slices.IndexFunc(k.refresh, func(e keyEntry[Secret]) bool { return e.state == stateCurrent })
	return i >= 0 && at.Before(k.refresh[i].since)
}

// retire keeps the kids of dropped secrets in the ring.
func retire(ring, dropped keyring[Secret], now time.Time) keyring[Secret] {
	ring = slices.Clone(ring)
	for _, entry := range dropped {
		ring = append(ring, keyEntry[Secret]{Secret{ID: entry.key.ID}, stateRetired, now})
	}
	return ring
}

// bounded removes the kids that were retired first, if the ring is too long.
func bounded(ring keyring[Secret]) keyring[Secret] {
	ring = slices.Clone(ring)
	for len(ring) > maxSecrets {
		oldest := slices.IndexFunc(ring, func(e keyEntry[Secret]) bool { return e.state == stateRetired })
		if oldest < 0 {
			break
		}
		ring = slices.Delete(ring, oldest, oldest+1)
	}
	return ring
}

// checkSecrets returns an error for secrets that are too short, used twice, or also sign
// access tokens.
func checkSecrets(ring keyring[Secret], signing keyring[signingKey]) error {
	if len(ring) > maxSecrets {
		return errors.New("token: refresh secrets: more than 100")
	}
	if _, ok := ring.of(stateCurrent); !ok {
		return errors.New("token: refresh secrets: none is current")
	}
	ids, secrets := make(map[string]bool), make(map[string]bool)
	for _, entry := range signing {
		if secret, ok := hmacSecret(entry.key.signer); ok {
			secrets[string(secret)] = true
		}
	}
	for _, entry := range ring {
		if err := entry.key.check(entry.state); err != nil {
			return err
		}
		if ids[entry.key.ID] {
			return errors.New("token: refresh secrets: two have the same kid")
		}
		if secret := string(entry.key.Bytes); secret != "" {
			if secrets[secret] {
				return errors.New("token: refresh secrets: one is used twice")
			}
			secrets[secret] = true
		}
		ids[entry.key.ID] = true
	}
	return nil
}

func (r Secret) check(state keyState) error {
	if r.ID == "" || len(r.ID) > maxSecretID || !printable(r.ID) {
		return errors.New("token: refresh secrets: a kid does not have 1 to 64 printable characters")
	}
	if state == stateRetired {
		if len(r.Bytes) > 0 {
			return errors.New("token: refresh secrets: a retired one still has its secret")
		}
		return nil
	}
	if len(r.Bytes) != secretSize {
		return errors.New("token: refresh secrets: one does not have 32 bytes")
	}
	if bytes.Count(r.Bytes, r.Bytes[:1]) == secretSize {
		return errors.New("token: refresh secrets: one is not random")
	}
	return nil
}

func printable(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// hmacSecret returns the secret of an HS256 key.
func hmacSecret(key *jose.SigningKey) ([]byte, bool) {
	if key == nil || key.Verification().Algorithm() != jose.HS256 {
		return nil, false
	}
	jwk, _ := key.PrivateJWK()
	secret, err := base64.RawURLEncoding.DecodeString(jwk.K)
	return secret, err == nil
}
