package cookie

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrOpen reports that a sealed value cannot be opened. It does not distinguish
// a value that has expired, was modified, was sealed for another cookie or with
// another key, or was never sealed (ASVS 5.0, 11.2.5). Treat the cookie as
// absent.
var ErrOpen = errors.New("cookie: sealed value cannot be opened")

// A Sealer encrypts and authenticates values that a client keeps, so that it
// can neither read nor change them: preferences, flash messages, or the state
// of a login in progress. It uses AES-256-GCM with a key of its own for each value
// (ASVS 5.0, 11.3.2 and 11.3.3), and works with GODEBUG=fips140=only. A sealed value
// can be opened only under the name of the cookie that it was sealed for, until it
// expires.
//
// A sealed value cannot be revoked: a client can send an old value again until
// it expires. Keep logins in a session instead, which can be ended.
//
// Create a Sealer with [NewSealer]. It is immutable and safe for concurrent
// use.
type Sealer struct {
	keys []sealKey // the first seals
}

// A sealed value is the unpadded base64url form of
//
//	version (1) | key ID (4) | expiry in Unix milliseconds (8) | salt (12) |
//	nonce (12) | ciphertext with tag (16 more than the value)
//
// The additional data is purpose, the 13 bytes before the salt, and the name of
// the cookie as it is sent. In values of version 1, salt and nonce are one nonce
// of 24 bytes.
const (
	headerSize = 1 + idSize + 8
	purpose    = "authlatch/cookie sealed value\x00"
)

// encoding rejects trailing bits, so that a value has one form (ASVS 5.0,
// 1.1.1). It skips line breaks, so Open rejects them.
var encoding = base64.RawURLEncoding.Strict()

// NewSealer returns a Sealer with a ring of keys, each 32 bytes from a
// cryptographically secure random generator. The first key seals, and all keys
// open. NewSealer copies the keys.
//
// To replace a key, add the new key at the end on all hosts, then move it to
// the front on all hosts, and remove the old key when the longest time to live
// has passed since (ASVS 5.0, 11.2.2).
//
// It is an error if there is no key, if a key has another length or consists of
// equal bytes, or if a key is given twice. By chance, one pair of different
// keys in 2^32 has the same key ID and is rejected as equal; generate another
// key then.
func NewSealer(keys ...[]byte) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("cookie: NewSealer: no key")
	}
	s := &Sealer{keys: make([]sealKey, 0, len(keys))}
	for i, key := range keys {
		k, err := newSealKey(key)
		if err != nil {
			return nil, fmt.Errorf("cookie: NewSealer: key %d: %w", i, err)
		}
		if s.key(k.id[:]) != nil {
			return nil, fmt.Errorf("cookie: NewSealer: key %d: same ID as an earlier key", i)
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

// key returns the key with this ID, or nil.
func (s *Sealer) key(id []byte) *sealKey {
	for i := range s.keys {
		if string(s.keys[i].id[:]) == string(id) {
			return &s.keys[i]
		}
	}
	return nil
}

// Seal encrypts value for the cookie of p and returns text for [Policy.Set].
// [Sealer.Open] accepts the text for ttl, one second to 400 days, whatever the
// MaxAge of p. The text has 71 bytes and four more for every three bytes of
// value. It reveals its expiry and the length of value.
//
// Seal returns the policy's own error, and an error if ttl is out of range or
// if the text would be too long for [Policy.Set].
//
// Salt and nonce are 24 random bytes, so one key may seal any number of values: after
// 2^80 values, two of them share salt and nonce with a probability of 2^-33 (ASVS 5.0,
// 11.3.4).
func (s *Sealer) Seal(p Policy, value []byte, ttl time.Duration) (string, error) {
	if err := p.Err(); err != nil {
		return "", err
	}
	switch size := headerSize + overhead + len(value); {
	case len(s.keys) == 0:
		return "", errors.New("cookie: Seal: the Sealer has no keys: use NewSealer")
	case ttl < time.Second || ttl > maxLifetime:
		return "", fmt.Errorf("cookie: Seal: time to live %v is not between one second and 400 days", ttl)
	case len(p.wire)+encoding.EncodedLen(size) > maxPair:
		return "", fmt.Errorf("cookie: Seal: %s: a value of %d bytes is too long", p.wire, len(value))
	}
	key := &s.keys[0]
	text := append([]byte{version}, key.id[:]...)
	text = binary.BigEndian.AppendUint64(text, uint64(time.Now().Add(ttl).UnixMilli()))
	text, err := key.seal(text, value, additional(p, text))
	if err != nil {
		return "", fmt.Errorf("cookie: Seal: %w", err)
	}
	return encoding.EncodeToString(text), nil
}

// Open returns the value that was sealed for the cookie of p. The error is
// [ErrOpen], or the policy's own error if p is not usable.
func (s *Sealer) Open(p Policy, sealed string) ([]byte, error) {
	if err := p.Err(); err != nil {
		return nil, err
	}
	if len(p.wire)+len(sealed) > maxPair || strings.ContainsAny(sealed, "\r\n") {
		return nil, ErrOpen
	}
	text, err := encoding.DecodeString(sealed)
	if err != nil || len(text) < headerSize {
		return nil, ErrOpen
	}
	key := s.key(text[1 : 1+idSize])
	if key == nil {
		return nil, ErrOpen
	}
	value, err := key.open(text[0], text[headerSize:], additional(p, text))
	expiry := int64(binary.BigEndian.Uint64(text[1+idSize:]))
	if err != nil || time.Now().UnixMilli() >= expiry {
		return nil, ErrOpen
	}
	return value, nil
}

// additional returns the additional authenticated data. All its parts except
// the last have a fixed length, so different parts never give the same bytes.
func additional(p Policy, text []byte) []byte {
	data := append([]byte(purpose), text[:headerSize]...)
	return append(data, p.wire...)
}
