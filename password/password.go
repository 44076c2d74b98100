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
	// which is 19 MiB. New refuses less than the floor for the Passes: 47104
	// with 1, 19456 with 2, 12288 with 3, 9216 with 4, 7168 with 5 (ASVS 5.0,
	// 11.4.2 and appendix C). At most it is 2097152, 2 GiB.
	Memory int

	// Passes is how often the memory is passed over. The default is 2, the
	// most is 64.
	Passes int

	// Lanes is how many processors hash one password together. The default is
	// 1, which leaves parallelism to the requests; the most is 16.
	Lanes int

	// Concurrent is how many passwords are hashed or verified at once; others
	// wait. The default is twice GOMAXPROCS. With Memory it bounds what a storm
	// of log-ins takes: Concurrent × Memory in use, and up to four times that
	// with what is not yet collected, unless GOMEMLIMIT says less (ASVS 5.0,
	// 15.2.2). A stored hash that needs more than Memory takes several places;
	// one that needs more than all of them, up to 128 MiB, runs alone.
	Concurrent int

	// SecondFactor tells that no account can be entered with a password alone.
	// A password then has at least 8 code points instead of 15 (NIST SP
	// 800-63B-4, 3.1.1.2; ASVS 5.0, 6.2.1).
	SecondFactor bool

	// Words are what an attacker of this service would try: its name, its
	// product, its town (ASVS 5.0, 6.2.11). In a password that is chosen they
	// count for nothing. Those of less than 4 code points are ignored.
	Words []string

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
	argon2id func(password, salt []byte, passes, memory uint32, lanes uint8, size uint32) []byte
	scrypt   func(password, salt []byte, n, r, p, size int) ([]byte, error)
	bcrypt   func(hash, password []byte) error
}

const (
	defaultMemory = 19 * 1024 // KiB
	defaultPasses = 2
	maxMemory     = 2 << 20
	maxPasses     = 64
	maxLanes      = 16
	saltSize      = 16
	tagSize       = 32
)

// floors are the weakest settings: memory in KiB, passes.
var floors = [...][2]int{{47104, 1}, {19456, 2}, {12288, 3}, {9216, 4}, {7168, 5}}

// New returns a Hasher. It refuses negative numbers, settings below the floor
// and such as no machine should be asked for.
func New(c Config) (*Hasher, error) {
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
	if c.Passes == 0 {
		c.Passes = defaultPasses
	}
	if !slices.ContainsFunc(floors[:], func(f [2]int) bool { return c.Memory >= f[0] && c.Passes >= f[1] }) {
		return nil, fmt.Errorf("password: Config.Memory of %d KiB with Config.Passes of %d is too weak", c.Memory, c.Passes)
	}
	return newHasher(c, kdf{argon2.IDKey, scrypt.Key, bcrypt.CompareHashAndPassword})
}

// newHasher does the rest of New; tests come in here with weaker settings.
func newHasher(c Config, k kdf) (*Hasher, error) {
	if c.Lanes == 0 {
		c.Lanes = 1
	}
	if c.Concurrent == 0 {
		c.Concurrent = 2 * runtime.GOMAXPROCS(0)
	}
	switch {
	case c.Memory > maxMemory:
		return nil, errors.New("password: Config.Memory is more than 2 GiB")
	case c.Passes > maxPasses:
		return nil, fmt.Errorf("password: Config.Passes is more than %d", maxPasses)
	case c.Lanes < 1 || c.Lanes > maxLanes:
		return nil, fmt.Errorf("password: Config.Lanes is not 1 to %d", maxLanes)
	case c.Concurrent < 1:
		return nil, errors.New("password: Config.Concurrent is negative")
	}
	h := &Hasher{
		argon:    argon2id{mem: c.Memory, passes: c.Passes, lanes: c.Lanes},
		limits:   newLimits(c.Memory, c.Passes),
		kdf:      k,
		gate:     newGate(c.Concurrent, c.Memory),
		least:    15,
		words:    slices.Clone(c.Words),
		breached: c.Breached,
	}
	if c.SecondFactor {
		h.least = 8
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
