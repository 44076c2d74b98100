package password

import (
	"fmt"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/crypto/scrypt"
)

// CommonList is the embedded list.
func CommonList() string { return commonList }

// Call is one call of an expensive function.
type Call struct {
	What   string
	Memory int // bytes
}

// NewWeak returns a Hasher whose settings may be below the floor, so that tests
// are fast. It calls note with each expensive call, before that.
func NewWeak(c Config, note func(Call)) (*Hasher, error) {
	return newHasher(c, noted(kdf{argon2.IDKey, scrypt.Key, bcrypt.CompareHashAndPassword}, note))
}

// NewIdle is NewWeak without the work. Nothing is right.
func NewIdle(c Config, note func(Call)) (*Hasher, error) {
	return newHasher(c, noted(kdf{
		func(_, _ []byte, _, _ uint32, _ uint8, size uint32) []byte { return random(int(size)) },
		func(_, _ []byte, _, _, _, size int) ([]byte, error) { return random(size), nil },
		func([]byte, []byte) error { return bcrypt.ErrMismatchedHashAndPassword },
	}, note))
}

// Noting makes h call note with each expensive call, before that.
func Noting(h *Hasher, note func(Call)) { h.kdf = noted(h.kdf, note) }

// Written returns a stored argon2id hash as it would be written, and false for
// what is not one.
func (h *Hasher) Written(hash string) (string, bool) {
	s, _ := h.limits.parse(hash)
	a, ok := s.(argon2id)
	return a.String(), ok
}

func noted(k kdf, note func(Call)) kdf {
	return kdf{
		func(password, salt []byte, iterations, memory uint32, parallelism uint8, size uint32) []byte {
			note(Call{fmt.Sprintf("argon2id m=%d t=%d p=%d, %d bytes of salt, %d of key", memory, iterations, parallelism, len(salt), size), int(memory) << 10})
			return k.argon2id(password, salt, iterations, memory, parallelism, size)
		},
		func(password, salt []byte, n, r, p, size int) ([]byte, error) {
			note(Call{fmt.Sprintf("scrypt N=%d r=%d p=%d, %d bytes of salt, %d of key", n, r, p, len(salt), size), 128 * n * r})
			return k.scrypt(password, salt, n, r, p, size)
		},
		func(hash, password []byte) error {
			note(Call{fmt.Sprintf("bcrypt %s, %d bytes of hash", hash[:7], len(hash)), 4096})
			return k.bcrypt(hash, password)
		},
	}
}
