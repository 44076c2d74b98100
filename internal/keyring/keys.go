// Package keyring holds the keys of an issuer, without any I/O: the states that a
// key goes through, the key file, and the secrets behind refresh tokens.
package keyring

import (
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// AccessType is the typ of access tokens (RFC 9068, 2.1). The issuer's own keys sign no
// other type.
const AccessType = "at+jwt"

// ErrNone is the error of an empty key set.
var ErrNone = errors.New("token: the key set is empty")

// Keys is an immutable state of a key set. A nil Keys has none.
type Keys struct {
	signing  keyring[signingKey]
	refresh  keyring[Secret]
	external bool // the signing keys are kept and rotated elsewhere

	// Derived from the above.
	current *jose.SigningKey // nil before the first key
	set     *jose.Set
	jwks    Document
}

// signingKey has no signer once it is former, because it only verifies.
type signingKey struct {
	signer       *jose.SigningKey
	verification *jose.VerificationKey
}

// New makes a current and a next key for signing, and two refresh secrets.
func New(algorithm jose.Algorithm) (*Keys, error) {
	current, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	next, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return (&Keys{
		signing: newKeyring(current, next, now),
		refresh: newKeyring(newSecret(), newSecret(), now),
	}).settled()
}

func newSigningKey(algorithm jose.Algorithm) (signingKey, error) {
	signer, err := jose.Generate(algorithm, AccessType)
	if err != nil {
		return signingKey{}, fmt.Errorf("token: new key: %w", err)
	}
	return signingKey{signer, signer.Verification()}, nil
}

// Signing is a set of signing keys that are kept elsewhere.
type Signing struct{ ring keyring[signingKey] }

// NewSigning returns a signer as the current key, with others that verify. It
// signs once.
func NewSigning(signer crypto.Signer, others ...crypto.PublicKey) (Signing, error) {
	if signer == nil {
		return Signing{}, errors.New("token: no signer")
	}
	key, err := jose.NewSigningKey(signer, AccessType)
	if err != nil {
		return Signing{}, fmt.Errorf("token: signer: %w", err)
	}
	now := time.Now()
	ring := keyring[signingKey]{{signingKey{key, key.Verification()}, stateCurrent, now}}
	for _, public := range others {
		verification, err := jose.NewVerificationKey(public, "", "", jose.KeyRules{})
		if err != nil {
			return Signing{}, fmt.Errorf("token: signer: %w", err)
		}
		ring = append(ring, keyEntry[signingKey]{signingKey{nil, verification}, stateFormer, now})
	}
	return Signing{ring}, nil
}

// With returns the keys with all signing keys replaced by those of signing.
func (k *Keys) With(signing Signing) (*Keys, error) {
	return (&Keys{signing: keepKeys(signing.ring, k.signing), refresh: k.refresh, external: true}).settled()
}

// Rotated returns the keys with the next ones current and the current ones
// former, and with new next ones.
func (k *Keys) Rotated() (*Keys, error) {
	now := time.Now()
	rotated := &Keys{signing: k.signing, refresh: k.refresh.rotate(newSecret(), now), external: k.external}
	if !k.external {
		fresh, err := newSigningKey(k.algorithm())
		if err != nil {
			return nil, err
		}
		rotated.signing = forgetSigners(k.signing.rotate(fresh, now))
	}
	return rotated.settled()
}

// WithoutFormer returns the keys without those that have been former for at
// least age, and how many those are. Dropped secrets leave their kids behind.
func (k *Keys) WithoutFormer(age time.Duration) (kept *Keys, dropped int, err error) {
	if age < 0 {
		return nil, 0, errors.New("token: age of former keys is negative")
	}
	now := time.Now()
	kept = &Keys{signing: k.signing, external: k.external}
	var signing keyring[signingKey]
	if !k.external {
		kept.signing, signing = k.signing.split(age, now)
	}
	refresh, secrets := k.refresh.split(age, now)
	kept.refresh = retire(refresh, secrets, now)
	if kept, err = kept.settled(); err != nil {
		return nil, 0, err
	}
	return kept, len(signing) + len(secrets), nil
}

// settled returns changed keys, checked, with what is derived from them.
func (k *Keys) settled() (*Keys, error) {
	k.refresh = bounded(k.refresh)
	if err := k.settle(); err != nil {
		return nil, err
	}
	return k, nil
}

// settle checks the keys, and derives what follows from them.
func (k *Keys) settle() error {
	if !k.signing.valid() || !k.refresh.valid() {
		return errors.New("token: keys: more than one key is next or current, or a key has an unknown state")
	}
	if err := checkSecrets(k.refresh, k.signing); err != nil {
		return err
	}
	var verification []*jose.VerificationKey
	for _, entry := range k.signing {
		verification = append(verification, entry.key.verification)
	}
	set, err := jose.NewSet(verification...)
	if err != nil {
		return fmt.Errorf("token: keys: %w", err)
	}
	current, ok := k.signing.of(stateCurrent)
	if !ok && len(k.signing) > 0 {
		return errors.New("token: keys: no signing key is current")
	}
	k.current, k.set = current.signer, set
	k.jwks, err = newDocument(k.signing)
	return err
}

// Set returns the keys that verify, or nil.
func (k *Keys) Set() *jose.Set {
	if k == nil {
		return nil
	}
	return k.set
}

// JWKS returns the published JWK Set.
func (k *Keys) JWKS() Document { return k.jwks }

// Mint signs the payload of an access token with the current key.
func (k *Keys) Mint(payload []byte) (string, error) {
	if k == nil || k.current == nil {
		return "", errors.New("token: the key set has no signing key")
	}
	return k.current.Mint(payload)
}

// algorithm returns the algorithm of the newest key.
func (k *Keys) algorithm() jose.Algorithm {
	key, ok := k.signing.of(stateNext)
	if !ok {
		key, _ = k.signing.of(stateCurrent)
	}
	return key.verification.Algorithm()
}

// forgetSigners removes the private halves of former keys, which are not needed any
// more. The secret of an HMAC key also verifies, so it stays.
func forgetSigners(ring keyring[signingKey]) keyring[signingKey] {
	for i, entry := range ring {
		if entry.state == stateFormer && entry.key.verification.Algorithm() != jose.HS256 {
			ring[i].key.signer = nil
		}
	}
	return ring
}

// keepKeys replaces keys by the equal keys of old, which remember the tokens that they
// have verified. Keys with the same kid are equal, because the kid is a digest.
func keepKeys(ring, old keyring[signingKey]) keyring[signingKey] {
	known := make(map[string]signingKey)
	for _, entry := range old {
		known[entry.key.verification.ID()] = entry.key
	}
	for i, entry := range ring {
		key, ok := known[entry.key.verification.ID()]
		if !ok {
			continue
		}
		ring[i].key.verification = key.verification
		if key.signer != nil && entry.key.signer != nil {
			ring[i].key.signer = key.signer
		}
	}
	return ring
}
