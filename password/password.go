// Package password checks passwords that people choose, hashes them with
// argon2id (RFC 9106), and verifies them, also against bcrypt and scrypt hashes
// that a service already has. It keeps nothing: the hash is a string for the
// application's own database.
//
//	passwords, err := password.New(password.Config{})
//	hash, err := passwords.Hash(ctx, chosen)       // after Check
//	err = passwords.Verify(ctx, hash, presented)   // nil, ErrWrong, or no answer
//
// A password is taken exactly as it is: nothing is trimmed, cut, folded or
// normalised before it is hashed (ASVS 5.0, 6.2.8), not to NFC either. Two
// devices that write the same letters in other code points have two passwords.
// It does not expire, and no kinds of characters are asked for (6.2.5, 6.2.10).
//
// Hashing is meant to be expensive, so how much of it runs at once is bounded.
// How often somebody may try is not the matter of this package.
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
	"golang.org/x/crypto/scrypt"

	"github.com/authlatch/auth"
)

// ErrWrong means that the password is not the one that was hashed, or that
// there is none; it wraps [auth.ErrUnauthenticated]. Any other error of a
// verification means that the question could not be answered, which is neither a
// failed attempt nor a log-in.
var ErrWrong = fmt.Errorf("password: wrong: %w", auth.ErrUnauthenticated)

// Config says how passwords are hashed and which may be chosen. The zero value
// is safe.
type Config struct {
	// Memory is what hashing one password takes, in KiB. The default is 19456,
	// which is 19 MiB. New refuses less than the floor for the Iterations: 47104
	// with 1, 19456 with 2, 12288 with 3, 9216 with 4, 7168 with 5 (ASVS 5.0,
	// 11.4.2 and appendix C). At most it is 2097152, 2 GiB.
	Memory int

	// Iterations is the number of passes over the memory, the t of argon2id. The
	// default is 2, the maximum 64.
	Iterations int

	// Parallelism is the number of threads that hash one password together, the p
	// of argon2id. The default is 1, because requests run in parallel anyway; the
	// maximum is 16.
	Parallelism int

	// MaxConcurrent is the maximum number of passwords that are hashed or verified
	// at the same time; further calls wait. The default is twice GOMAXPROCS. With Memory it bounds what a storm
	// of log-ins takes: MaxConcurrent × Memory in use, and up to four times that
	// with what is not yet collected, unless GOMEMLIMIT says less (ASVS 5.0,
	// 15.2.2). A stored hash that needs more than Memory takes several places;
	// one that needs more than all of them, up to 128 MiB, runs alone.
	MaxConcurrent int

	// MinLength is the minimum length of a new password, in code points. The
	// default is 15. It can be as low as 8 where no account can be entered with a
	// password alone, because a second factor is always required (NIST SP
	// 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2.1). New refuses less than 8 and, because
	// passphrases of 64 code points must be possible, more than 64.
	MinLength int

	// ContextWords are words that an attacker of this service would try: its name,
	// its product, its town (ASVS 5.0, 6.2.11). [Hasher.Check] leaves them out when
	// it measures a new password. Words of less than 4 code points are ignored.
	ContextWords []string

	// Breached reports whether a password is known from a leak, by asking a
	// service or a file (ASVS 5.0, 6.2.12). Check asks it last; its error is
	// the error of Check. Nil asks nobody.
	Breached func(ctx context.Context, password string) (bool, error)
}

// Hasher checks, hashes and verifies passwords. Create it with [New]: the zero value
// is not usable. It is safe for concurrent use.
type Hasher struct {
	argon    argon2id // the parameters of new hashes
	nobody   argon2id // whom VerifyNobody verifies
	limits   limits
	kdf      kdf
	gate     gate
	least    int // code points of a new password
	words    []string
	breached func(context.Context, string) (bool, error)
}

// kdf is the functions that cost time. Tests count them.
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

// floors are the weakest settings: memory in KiB, iterations.
var floors = [...][2]int{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}}

// New returns a Hasher. It refuses negative numbers, settings below the floor
// and such as no machine should be asked for.
func New(c Config) (*Hasher, error) {
	c.Memory = cmp.Or(c.Memory, defaultMemory)
	c.Iterations = cmp.Or(c.Iterations, defaultIterations)
	if !slices.ContainsFunc(floors[:], func(f [2]int) bool { return c.Memory >= f[0] && c.Iterations >= f[1] }) {
		return nil, fmt.Errorf("password: Config.Memory of %d KiB with Config.Iterations of %d is too weak", c.Memory, c.Iterations)
	}
	return newHasher(c, kdf{argon2.IDKey, scrypt.Key, bcrypt.CompareHashAndPassword})
}

// newHasher does the rest of New; tests come in here with weaker settings.
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
		least:    c.MinLength,
		words:    slices.Clone(c.ContextWords),
		breached: c.Breached,
	}
	h.nobody = h.argon
	h.nobody.salt, h.nobody.tag = random(saltSize), random(tagSize)
	return h, nil
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b)
	return b
}
