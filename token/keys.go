package token

import (
	"crypto"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/keyring"
	"github.com/authlatch/auth/internal/private"
)

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
	keys atomic.Pointer[keyring.Keys]
}

// NewKeySet makes new keys in memory: a current and a next one for signing,
// and two refresh secrets. An empty algorithm means [Ed25519].
func NewKeySet(algorithm Algorithm) (*KeySet, error) {
	if algorithm == "" {
		algorithm = Ed25519
	}
	k, err := keyring.New(jose.Algorithm(algorithm))
	if err != nil {
		return nil, err
	}
	set := new(KeySet)
	set.keys.Store(k)
	return set, nil
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
	signing, err := keyring.NewSigning(signer, others...) // before the lock: it calls the signer
	if err != nil {
		return err
	}
	return s.change(func(k *keyring.Keys) (*keyring.Keys, error) { return k.With(signing) })
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
	return s.change((*keyring.Keys).Rotated)
}

// DropFormer drops the keys that have been former for at least age, and
// reports how many; with zero all of them. Tokens that they signed are refused
// from then on. Let it be at least the lifetime of access tokens, and of the
// longest log-in. After a leak of the file call Rotate twice first, since the
// next key has leaked as well, and then DropFormer(0). A refresh secret leaves
// its kid behind, so that its log-ins end as revoked instead of waiting for a
// key. Call [KeySet.Save] after it.
func (s *KeySet) DropFormer(age time.Duration) (dropped int, err error) {
	err = s.change(func(k *keyring.Keys) (without *keyring.Keys, err error) {
		without, dropped, err = k.WithoutFormer(age)
		return without, err
	})
	return dropped, err
}

// LoadKeySet reads the keys from the private file that [KeySet.Save] wrote.
// The error wraps [fs.ErrNotExist] if there is none. A file that its group or
// others may read or write is refused, and so are one that belongs to another
// user than that of the process or root, one that is not a regular file, one in a
// folder where others may replace it (unless it has the sticky bit), and keys that are weak,
// malformed or twice there, halves that do not belong together, and HMAC
// secrets beside asymmetric keys. No error shows a key.
//
// If the file holds refresh secrets only, call [KeySet.SetSigner] before the
// first token is signed.
func LoadKeySet(path string) (*KeySet, error) {
	set := new(KeySet)
	if err := set.Reload(path); err != nil {
		return nil, err
	}
	return set, nil
}

// Reload reads the file again, after another process has rotated its keys. If
// it cannot be used, the keys stay as they are. The signing keys of
// [KeySet.SetSigner] stay if the file has none.
func (s *KeySet) Reload(path string) error {
	text, err := private.ReadFile(path)
	if err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, err := keyring.Parse(text, s.keys.Load())
	if err != nil {
		return err
	}
	s.keys.Store(loaded)
	return nil
}

// Save writes the keys to a file of mode 0600, which it puts in the place of
// the old one as a whole: whoever loads it sees the old keys or the new ones.
// Keys of [KeySet.SetSigner] are not part of it. Let one process at a time
// load, change and save.
func (s *KeySet) Save(path string) error {
	k := s.keys.Load()
	if k == nil {
		return keyring.ErrNone
	}
	text, err := k.Encode()
	if err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	if err := private.ReplaceFile(path, text); err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	return nil
}

// change replaces the keys by changed ones, as a whole or not at all.
func (s *KeySet) change(change func(*keyring.Keys) (*keyring.Keys, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.keys.Load()
	if old == nil {
		return keyring.ErrNone
	}
	changed, err := change(old)
	if err != nil {
		return err
	}
	s.keys.Store(changed)
	return nil
}

// verificationSet returns the keys that verify at this moment.
func (s *KeySet) verificationSet() *jose.Set { return s.keys.Load().Set() }

// mint signs the payload of an access token with the current key.
func (s *KeySet) mint(payload []byte) (string, error) { return s.keys.Load().Mint(payload) }

// currentSecret returns the secret for new families. Nobody changes its bytes.
func (s *KeySet) currentSecret() (keyring.Secret, error) { return s.keys.Load().Current() }

// secret returns the refresh secret of a kid.
func (s *KeySet) secret(id string) ([]byte, error) { return s.keys.Load().Secret(id) }

// retired reports whether a secret is gone for good, and its log-ins with it. One
// that is not known here may be known to another host.
func (s *KeySet) retired(id string) bool {
	if s == nil {
		return false
	}
	_, err := s.secret(id)
	return errors.Is(err, keyring.ErrRetired)
}
