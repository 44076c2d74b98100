package cookie

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"golang.org/x/crypto/chacha20poly1305"
)

const (
	version        = 2 // AES-256-GCM with a derived key
	versionXChaCha = 1 // XChaCha20-Poly1305, opened but no longer sealed

	keySize  = 32
	idSize   = 4
	saltSize = 12
	overhead = saltSize + 12 + 16 // salt, nonce, tag

	idPurpose  = "authlatch/cookie key ID\x00"
	keyPurpose = "authlatch/cookie value key\x00"
)

// A sealKey is one key of the ring. The secret stands behind a function, since fmt
// would print a slice and follow a pointer.
type sealKey struct {
	id     [idSize]byte
	secret func() []byte
}

func newSealKey(key []byte) (sealKey, error) {
	if len(key) != keySize {
		return sealKey{}, fmt.Errorf("%d bytes instead of %d", len(key), keySize)
	}
	if bytes.Count(key, key[:1]) == len(key) {
		return sealKey{}, errors.New("all bytes are equal")
	}
	key = bytes.Clone(key)
	// Four bytes of a hash reveal nothing about a random key.
	digest := sha256.Sum256(append([]byte(idPurpose), key...))
	return sealKey{id: [idSize]byte(digest[:]), secret: func() []byte { return key }}, nil
}

// seal appends salt, nonce, ciphertext and tag of value to text.
func (k *sealKey) seal(text, value, additional []byte) ([]byte, error) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	aead, err := k.valueAEAD(salt)
	if err != nil {
		return nil, err
	}
	return aead.Seal(append(text, salt...), nil, value, additional), nil
}

// open returns the value of what seal has appended under this version.
func (k *sealKey) open(v byte, sealed, additional []byte) ([]byte, error) {
	switch {
	case len(sealed) < overhead:
		return nil, ErrOpen
	case v == version:
		aead, err := k.valueAEAD(sealed[:saltSize])
		if err != nil {
			return nil, err
		}
		return aead.Open(nil, nil, sealed[saltSize:], additional)
	case v == versionXChaCha:
		aead, err := chacha20poly1305.NewX(k.secret())
		if err != nil { // with GODEBUG=fips140=only
			return nil, err
		}
		nonce := aead.NonceSize()
		return aead.Open(nil, sealed[:nonce], sealed[nonce:], additional)
	}
	return nil, ErrOpen
}

// valueAEAD returns the AEAD of one value. The random nonce of GCM has 12 bytes, too
// few for the values of a busy service under one key, so each value has a key derived
// by its salt. crypto/cipher makes the nonce, since FIPS 140-3 admits no other.
func (k *sealKey) valueAEAD(salt []byte) (cipher.AEAD, error) {
	key, err := hkdf.Expand(sha256.New, k.secret(), keyPurpose+string(salt), keySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
