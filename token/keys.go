package token

import (
	"crypto"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// accessType is the typ of access tokens (RFC 9068, 2.1). Own keys mint no
// other.
const accessType = "at+jwt"

// Algorithm is how access tokens are signed. The key decides it; a token can
// only agree (RFC 8725, 3.1).
type Algorithm string

// The algorithms of own keys.
const (
	// Ed25519 is the default, for issuer and verifiers on different hosts. The
	// header calls it EdDSA, as verifiers of any age do (RFC 8037, 3.1).
	Ed25519 Algorithm = "EdDSA"
	// ES256 is ECDSA over P-256, for verifiers that do not know Ed25519.
	ES256 Algorithm = "ES256"
	// PS256 is RSA-PSS. New keys have 3072 bits.
	PS256 Algorithm = "PS256"
	// HS256 is HMAC, where issuer and verifier are one. Nothing is published.
	HS256 Algorithm = "HS256"
)

// KeySet is the keys of an issuer: those that sign access tokens, and the
// secrets behind refresh tokens. Of both there is a current one, a next one
// that every host and verifier learns before it is used, and former ones that
// still verify. The kid of a signing key is its thumbprint (RFC 7638).
//
// Create it with [NewKeySet] or [LoadKeySet]. All methods may be called by many
// goroutines at once; tokens are signed and verified while the keys change.
type KeySet struct {
	mu   sync.Mutex // held by those that change the keys
	keys atomic.Pointer[keys]
}

// keys is an immutable state of a KeySet.
type keys struct {
	signing  keyring[signingKey]
	refresh  keyring[refreshSecret]
	external bool // the signing keys are not ours to keep or rotate

	// Derived from the above.
	current *jose.SigningKey // nil if there is none yet
	set     *jose.Set
	jwks    document
}

// signingKey has no signer once it is former, and needs none.
type signingKey struct {
	signer       *jose.SigningKey
	verification *jose.VerificationKey
}

// NewKeySet makes new keys in memory: a current and a next one for signing,
// and two refresh secrets. An empty algorithm means [Ed25519].
func NewKeySet(algorithm Algorithm) (*KeySet, error) {
	if algorithm == "" {
		algorithm = Ed25519
	}
	current, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	next, err := newSigningKey(algorithm)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	set := new(KeySet)
	if err := set.store(&keys{
		signing: newKeyring(current, next, now),
		refresh: newKeyring(newRefreshSecret(), newRefreshSecret(), now),
	}); err != nil {
		return nil, err
	}
	return set, nil
}

func newSigningKey(algorithm Algorithm) (signingKey, error) {
	signer, err := jose.Generate(jose.Algorithm(algorithm), accessType)
	if err != nil {
		return signingKey{}, fmt.Errorf("token: new key: %w", err)
	}
	return signingKey{signer, signer.Verification()}, nil
}

// SetSigner puts keys that are kept elsewhere, such as in a KMS, in the place
// of all signing keys. The signer signs from now on; the others, the next key
// and former ones, are published and verify. They are Ed25519, ECDSA P-256 or
// RSA keys of at least 3072 bits, and RSA signers must sign RSA-PSS. SetSigner
// signs once to see whether the signer's halves belong together.
//
// From then on [KeySet.Save] keeps only the refresh secrets, and SetSigner
// itself rotates the signing keys: with next among the others first, and once
// all verifiers have learned it, with next as the signer.
func (s *KeySet) SetSigner(signer crypto.Signer, others ...crypto.PublicKey) error {
	if signer == nil {
		return errors.New("token: no signer")
	}
	key, err := jose.NewSigningKey(signer, accessType)
	if err != nil {
		return fmt.Errorf("token: signer: %w", err)
	}
	now := time.Now()
	ring := keyring[signingKey]{{signingKey{key, key.Verification()}, stateCurrent, now}}
	for _, public := range others {
		verification, err := jose.NewVerificationKey(public, "", "", jose.KeyRules{})
		if err != nil {
			return fmt.Errorf("token: signer: %w", err)
		}
		ring = append(ring, keyEntry[signingKey]{signingKey{nil, verification}, stateFormer, now})
	}
	return s.change(func(k *keys) error {
		k.signing, k.external = keepKeys(ring, k.signing), true
		return nil
	})
}

// Rotate makes the next keys current and the current ones former, and makes
// new next keys of the same algorithm, for signing and for refresh tokens. If
// there is no next key yet, it only makes one. Call [KeySet.Save] after it.
//
// A next key must be known everywhere before the Rotate that makes it current:
// let every host load the file, and wait as long as verifiers keep a JWK Set
// (5 minutes by the header of [KeySet.JWKSHandler]). Signing keys of
// [KeySet.SetSigner] stay as they are.
func (s *KeySet) Rotate() error {
	return s.change(func(k *keys) error {
		now := time.Now()
		k.refresh = k.refresh.rotate(newRefreshSecret(), now)
		if k.external {
			return nil
		}
		fresh, err := newSigningKey(k.algorithm())
		if err != nil {
			return err
		}
		k.signing = forgetSigners(k.signing.rotate(fresh, now))
		return nil
	})
}

// DropFormer drops the keys that have been former for at least age, and
// reports how many; with zero all of them. Tokens that they signed are refused
// from then on. Let it be at least the lifetime of access tokens, and of the
// longest log-in. After a leak of the file call Rotate twice first, since the
// next key has leaked as well, and then DropFormer(0). A refresh secret leaves
// its kid behind, so that its log-ins end as revoked instead of waiting for a
// key. Call [KeySet.Save] after it.
func (s *KeySet) DropFormer(age time.Duration) (dropped int, err error) {
	if age < 0 {
		return 0, errors.New("token: age of former keys is negative")
	}
	err = s.change(func(k *keys) error {
		now := time.Now()
		var signing keyring[signingKey]
		var refresh keyring[refreshSecret]
		if !k.external {
			k.signing, signing = k.signing.split(age, now)
		}
		k.refresh, refresh = k.refresh.split(age, now)
		k.refresh = retire(k.refresh, refresh, now)
		dropped = len(signing) + len(refresh)
		return nil
	})
	if err != nil {
		return 0, err
	}
	return dropped, nil
}

// change replaces the keys by a changed copy, as a whole or not at all.
func (s *KeySet) change(change func(*keys) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.keys.Load()
	if old == nil {
		return errNoKeys
	}
	changed := &keys{signing: old.signing, refresh: old.refresh, external: old.external}
	if err := change(changed); err != nil {
		return err
	}
	changed.refresh = bounded(changed.refresh)
	return s.store(changed)
}

// store checks the keys, derives what follows from them, and lets all readers
// see them at once.
func (s *KeySet) store(k *keys) error {
	if !k.signing.valid() || !k.refresh.valid() {
		return errors.New("token: keys: two are next or current, or one is in no known state")
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
	if k.jwks, err = newDocument(k.signing); err != nil {
		return err
	}
	s.keys.Store(k)
	return nil
}

// algorithm is that of the newest key.
func (k *keys) algorithm() Algorithm {
	key, ok := k.signing.of(stateNext)
	if !ok {
		key, _ = k.signing.of(stateCurrent)
	}
	return Algorithm(key.verification.Algorithm())
}

// forgetSigners forgets what nobody needs any longer: the private halves of
// former keys. The secret of an HMAC key also verifies, so it stays.
func forgetSigners(ring keyring[signingKey]) keyring[signingKey] {
	for i, entry := range ring {
		if entry.state == stateFormer && entry.key.verification.Algorithm() != jose.HS256 {
			ring[i].key.signer = nil
		}
	}
	return ring
}

// keepKeys puts the very keys of old in the place of equal ones, so that what
// they verified stays verified. Keys of one kid are equal: it is a digest.
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

var errNoKeys = errors.New("token: the key set is empty")

// verificationSet returns the keys that verify at this moment.
func (s *KeySet) verificationSet() *jose.Set {
	if k := s.keys.Load(); k != nil {
		return k.set
	}
	return nil
}

// mint signs the payload of an access token with the current key.
func (s *KeySet) mint(payload []byte) (string, error) {
	k := s.keys.Load()
	if k == nil || k.current == nil {
		return "", errors.New("token: the key set has no signing key")
	}
	return k.current.Mint(payload)
}
