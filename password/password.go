// Package password checks, hashes and verifies the passwords of users. It hashes with
// argon2id (RFC 9106), and also verifies existing bcrypt and scrypt hashes. It stores
// nothing: a hash is a string for the application's own database. Create a [Hasher]
// with [New]:
//
//	passwords, err := password.New(password.Config{})
//	hash, err := passwords.Hash(ctx, chosen)       // after Check
//	err = passwords.Verify(ctx, hash, presented)   // nil, ErrWrong, or a fault
//
// A password is hashed exactly as it was entered: it is not trimmed, truncated,
// case-folded or normalized, not even to NFC (ASVS 5.0, 6.2.8). Two devices that
// encode the same letters with different code points therefore enter different
// passwords.
//
// Passwords do not expire, and no character classes are required (6.2.5, 6.2.10).
//
// FIPS 140-3 approves none of these hashes. They work with GODEBUG=fips140=only.
//
// Hashing is expensive by design, so the number of concurrent hashes is bounded. This
// package does not limit the number of attempts; package throttle does.
package password

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/authlatch/auth"
)

// ErrWrong means that the password does not match the hash, or that there is no hash. It
// wraps [auth.ErrUnauthenticated]. Any other error of a verification means that the
// password could not be verified, which is neither a failed attempt nor a login.
var ErrWrong = fmt.Errorf("password: wrong: %w", auth.ErrUnauthenticated)

// Config has the parameters of hashing and the rules for new passwords. The zero
// value is safe.
type Config struct {
	// Memory is the memory for hashing one password, in KiB. The default is 19456,
	// which is 19 MiB. The minimum depends on the Iterations: 47104 with 1, 19456
	// with 2, 12288 with 3, 9216 with 4, 7168 with 5 (ASVS 5.0, 11.4.2 and
	// appendix C). The maximum is 2097152, which is 2 GiB.
	Memory int

	// Iterations is the number of passes over the memory, the t of argon2id. The
	// default is 2, the maximum 64.
	Iterations int

	// Parallelism is the number of threads that hash one password together, the p
	// of argon2id. The default is 1, because requests run in parallel anyway; the
	// maximum is 16.
	Parallelism int

	// MaxConcurrent is the maximum number of passwords that are hashed or verified
	// at the same time; further calls wait. The default is twice GOMAXPROCS. It bounds
	// the memory for many concurrent logins: MaxConcurrent × Memory is in use, and up
	// to four times that including memory that is not yet collected, unless GOMEMLIMIT
	// is lower (ASVS 5.0, 15.2.2). A stored hash that needs more than Memory takes
	// several places. One that needs more than all of them, up to 128 MiB, runs alone.
	MaxConcurrent int

	// MinLength is the minimum length of a new password, in code points. The
	// default is 15. It can be as low as 8 if no account can be accessed with a
	// password alone, because a second factor is always required (NIST SP
	// 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2.1). New refuses less than 8 and, because
	// passphrases of 64 code points must be possible, more than 64.
	MinLength int

	// ContextWords are words that an attacker of this service would try, such as the
	// name of the service, its product or its town (ASVS 5.0, 6.2.11). [Hasher.Check]
	// ignores them when it measures a new password. Words of fewer than 4 code points
	// have no effect.
	ContextWords []string

	// Breached reports whether a password is known from a data breach, by querying a
	// service or a file (ASVS 5.0, 6.2.12). Check calls it last and returns its
	// error. Nil disables this check.
	Breached func(ctx context.Context, password string) (bool, error)
}

// Hasher checks, hashes and verifies passwords. Create it with [New]; the zero value
// is not usable. It is safe for concurrent use.
type Hasher struct {
	argon    argon2id // the parameters of new hashes
	missing  argon2id // the hash for a user that does not exist
	limits   limits
	kdf      kdf
	gate     gate
	minimum  int // code points of a new password
	words    []string
	breached func(context.Context, string) (bool, error)
}

// kdf is the expensive functions. Tests count their calls.
type kdf struct {
	argon2id func(password, salt []byte, iterations, memory uint32, parallelism uint8, size uint32) []byte
	scrypt   func(password, salt []byte, n, r, p, size int) ([]byte, error)
	bcrypt   func(hash, password []byte) error
}

const (
	defaultMemory     = 19 * 1024 // KiB
	defaultIterations = 2
	maxMemory         = 2 << 20
	maxIterations     = 64
	maxParallelism    = 16
	defaultLength     = 15
	minLength         = 8
	maxLength         = 64
	saltSize          = 16
	tagSize           = 32
)

// floors are the weakest allowed settings: memory in KiB, iterations.
var floors = [...][2]int{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}}

// New returns a Hasher. It returns an error for negative numbers, for settings below
// the minimum strength and for settings above the maximum.
func New(c Config) (*Hasher, error) {
	c.Memory = cmp.Or(c.Memory, defaultMemory)
	c.Iterations = cmp.Or(c.Iterations, defaultIterations)
	if !slices.ContainsFunc(floors[:], func(f [2]int) bool { return c.Memory >= f[0] && c.Iterations >= f[1] }) {
		return nil, fmt.Errorf("password: Config.Memory of %d KiB with Config.Iterations of %d is too weak", c.Memory, c.Iterations)
	}
	return newHasher(c, kdf{argon2.IDKey, scryptKey, bcrypt.CompareHashAndPassword})
}

// newHasher is New without the check of the minimum strength, for tests.
func newHasher(c Config, k kdf) (*Hasher, error) {
	c.Parallelism = cmp.Or(c.Parallelism, 1)
	c.MaxConcurrent = cmp.Or(c.MaxConcurrent, 2*runtime.GOMAXPROCS(0))
	c.MinLength = cmp.Or(c.MinLength, defaultLength)
	switch {
	case c.MinLength < minLength || c.MinLength > maxLength:
		return nil, fmt.Errorf("password: Config.MinLength is not %d to %d", minLength, maxLength)
	case c.Memory > maxMemory:
		return nil, errors.New("password: Config.Memory is more than 2 GiB")
	case c.Iterations > maxIterations:
		return nil, fmt.Errorf("password: Config.Iterations is more than %d", maxIterations)
	case c.Parallelism < 1 || c.Parallelism > maxParallelism:
		return nil, fmt.Errorf("password: Config.Parallelism is not 1 to %d", maxParallelism)
	case c.MaxConcurrent < 1:
		return nil, errors.New("password: Config.MaxConcurrent is negative")
	}
	h := &Hasher{
		argon:    argon2id{mem: c.Memory, iterations: c.Iterations, parallelism: c.Parallelism},
		limits:   newLimits(c.Memory, c.Iterations),
		kdf:      k,
		gate:     newGate(c.MaxConcurrent, c.Memory),
		minimum:  c.MinLength,
		words:    slices.Clone(c.ContextWords),
		breached: c.Breached,
	}
	h.missing = h.argon
	h.missing.salt, h.missing.tag = random(saltSize), random(tagSize)
	return h, nil
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}
