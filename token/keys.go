package token

import (
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/internal/jose"
	"github.com/authlatch/auth/internal/keyring"
	"github.com/authlatch/auth/internal/private"
)

// Algorithm is the signature algorithm of access tokens. The key determines it: a token
// whose header names another algorithm is refused (RFC 8725, 3.1).
type Algorithm string

// The algorithms of the keys that an issuer can have.
const (
	// Ed25519 is the default, for issuer and verifiers on different hosts. The header
	// names it EdDSA, which old and new verifiers accept (RFC 8037, 3.1).
	Ed25519 Algorithm = "EdDSA"
	// ES256 is ECDSA over P-256, for verifiers that do not support Ed25519.
	ES256 Algorithm = "ES256"
	// PS256 is RSA-PSS. New keys have 3072 bits.
	PS256 Algorithm = "PS256"
	// HS256 is HMAC, for an issuer that is the only verifier. No key is published.
	HS256 Algorithm = "HS256"
)

// KeySet holds the keys of an issuer: the keys that sign access tokens, and the secrets
// that authenticate refresh tokens. Each kind has a current key, a next key that every
// host and verifier learns before it is used, and former keys that still verify. The
// kid of a signing key is its thumbprint (RFC 7638).
//
// Create it with [NewKeySet], [LoadKeySet], [LoadKubernetesKeySet] or [ParseKeySet]. It
// is safe for concurrent use: tokens can be signed and verified while the keys change.
type KeySet struct {
	mu      sync.Mutex // held while the keys are changed
	keys    atomic.Pointer[keyring.Keys]
	mounted bool // from a secret volume of Kubernetes
}

// NewKeySet returns a KeySet with new keys: a current and a next signing key, and a
// current and a next refresh secret. They are in memory until [KeySet.Save]. An empty
// algorithm means [Ed25519].
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

// SetSigner replaces all signing keys by keys that are kept elsewhere, such as in a KMS.
// The signer signs from now on. The others are the next key and former keys: they are
// published, and they verify. All must be Ed25519, ECDSA P-256 or RSA keys of at least
// 3072 bits, and an RSA signer must sign RSA-PSS. SetSigner signs once, to check that
// the signer's private and public keys match.
//
// After SetSigner, [KeySet.Save] writes only the refresh secrets. Rotate the signing
// keys by SetSigner too: first with the next key among the others, and once all
// verifiers have learned it, with the next key as the signer.
func (s *KeySet) SetSigner(signer crypto.Signer, others ...crypto.PublicKey) error {
	signing, err := keyring.NewSigning(signer, others...) // before the lock, because it calls the signer
	if err != nil {
		return err
	}
	return s.change(func(k *keyring.Keys) (*keyring.Keys, error) { return k.With(signing) })
}

// Rotate makes the next keys current and the current keys former, and creates new next
// keys of the same algorithm, for signing and for refresh tokens. If there is no next
// key yet, it only creates one. Call [KeySet.Save] after it.
//
// Every host and verifier must know a next key before the Rotate that makes it current.
// So let every host load the file, and wait as long as verifiers keep a JWK Set (5
// minutes by the header of [KeySet.JWKSHandler]). Rotate does not change signing keys
// of [KeySet.SetSigner].
func (s *KeySet) Rotate() error {
	return s.change((*keyring.Keys).Rotated)
}

// DropFormer drops the keys that have been former for at least age, and returns their
// number. An age of zero drops all former keys. Tokens of a dropped key are refused
// from then on, so age should be at least the lifetime of access tokens and of the
// longest login. Call [KeySet.Save] after it.
//
// After a leak of the file, call Rotate twice, because the next key has leaked as well,
// and then DropFormer(0).
//
// The kid of a dropped refresh secret is kept. So a refresh of its logins is refused as
// revoked (401), instead of failing because the key is unknown (503).
func (s *KeySet) DropFormer(age time.Duration) (dropped int, err error) {
	err = s.change(func(k *keyring.Keys) (without *keyring.Keys, err error) {
		without, dropped, err = k.WithoutFormer(age)
		return without, err
	})
	return dropped, err
}

// LoadKeySet reads the keys from the private file that [KeySet.Save] wrote. The error
// wraps [fs.ErrNotExist] if there is no file: make it once, by [NewKeySet] and
// [KeySet.Save]. No error shows a key.
//
// LoadKeySet refuses a file
//
//   - that its group or others may read or write,
//   - that belongs to a user other than that of the process or root,
//   - that is not a regular file,
//   - in a folder in which other users may replace it, unless the folder has the sticky
//     bit.
//
// It also refuses keys that are weak, malformed or duplicated, private and public keys
// that do not match, and HMAC secrets together with asymmetric keys.
//
// If the file holds only refresh secrets, call [KeySet.SetSigner] before the first token
// is signed.
func LoadKeySet(path string) (*KeySet, error) {
	set := new(KeySet)
	err := set.Reload(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: make it once, by NewKeySet and KeySet.Save", err)
	}
	if err != nil {
		return nil, err
	}
	return set, nil
}

// LoadKubernetesKeySet is [LoadKeySet] for a file in a secret volume of Kubernetes that
// is mounted for a securityContext with fsGroup. Such a file belongs to root and has the
// mode 0440. LoadKubernetesKeySet accepts a file that its group may read, if this process
// is in that group. All other rules of LoadKeySet hold, and [KeySet.Reload] of the result
// has the same rules.
//
// Set defaultMode of the volume to 0400, because its default lets all users read the
// file; fsGroup makes that 0440. The pod cannot save the file. To rotate the keys, write
// [KeySet.Bytes] into the secret.
func LoadKubernetesKeySet(path string) (*KeySet, error) {
	set := &KeySet{mounted: true}
	if err := set.Reload(path); err != nil {
		return nil, err
	}
	return set, nil
}

// ParseKeySet returns the keys that [KeySet.Bytes] returned, for programs that keep them
// in a secret manager. It refuses the keys that [LoadKeySet] refuses. No error shows a
// key.
func ParseKeySet(text []byte) (*KeySet, error) {
	set := new(KeySet)
	if err := set.ReloadBytes(text); err != nil {
		return nil, err
	}
	return set, nil
}

// Bytes returns the keys as the text that [KeySet.Save] writes. It is a secret: keep it
// out of logs, and in a secret manager. Keys of [KeySet.SetSigner] are not in it. KeySet
// implements no interface of package encoding, so that no encoder finds it by mistake.
func (s *KeySet) Bytes() ([]byte, error) {
	k := s.keys.Load()
	if k == nil {
		return nil, keyring.ErrNone
	}
	text, err := k.Encode()
	if err != nil {
		return nil, fmt.Errorf("token: key set: %w", err)
	}
	return text, nil
}

// Reload reads the file again, after another process has rotated its keys. After an
// error the keys are unchanged. The signing keys of [KeySet.SetSigner] remain if the
// file has no signing keys.
func (s *KeySet) Reload(path string) error {
	read := private.ReadFile
	if s.mounted {
		read = private.ReadGroupFile
	}
	text, err := read(path)
	if err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	return s.ReloadBytes(text)
}

// ReloadBytes replaces the keys by those of text, which [KeySet.Bytes] of another
// process has returned. It is [KeySet.Reload] for a secret manager.
func (s *KeySet) ReloadBytes(text []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded, err := keyring.Parse(text, s.keys.Load())
	if err != nil {
		return err
	}
	s.keys.Store(loaded)
	return nil
}

// Save writes the keys to a file of mode 0600. It replaces an existing file atomically,
// so a concurrent load reads either the old keys or the new ones. Keys of
// [KeySet.SetSigner] are not written. Only one process at a time may load, change and
// save the keys.
func (s *KeySet) Save(path string) error {
	text, err := s.Bytes()
	if err != nil {
		return err
	}
	if err := private.ReplaceFile(path, text); err != nil {
		return fmt.Errorf("token: key file: %w", err)
	}
	return nil
}

// change replaces the keys atomically. After an error they are unchanged.
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

// verificationSet returns the keys that currently verify.
func (s *KeySet) verificationSet() *jose.Set { return s.keys.Load().Set() }

// mint signs the payload of an access token with the current key.
func (s *KeySet) mint(payload []byte) (string, error) { return s.keys.Load().Mint(payload) }

// currentSecret returns the secret for new families. Do not modify its bytes.
func (s *KeySet) currentSecret() (keyring.Secret, error) { return s.keys.Load().Current() }

// secret returns the refresh secret of a kid.
func (s *KeySet) secret(id string) ([]byte, error) { return s.keys.Load().Secret(id) }

// newerThan reports whether a secret that is unknown here and was current at a time is
// lost: the keys here have replaced those of that time.
func (s *KeySet) newerThan(at time.Time) bool { return s.keys.Load().NewerThan(at) }

// retired reports whether a secret was dropped, which ends its logins. A secret that is
// merely unknown here is not retired: another host may know it.
func (s *KeySet) retired(id string) bool {
	if s == nil {
		return false
	}
	_, err := s.secret(id)
	return errors.Is(err, keyring.ErrRetired)
}
