package password

import (
	"crypto/fips140"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/scrypt"
)

// stored is a hash as stored in a database.
type stored interface {
	// memory returns the memory of a verification, in KiB.
	memory() int

	// distinguishes reports whether the scheme distinguishes password from every
	// other.
	distinguishes(password string) bool

	// same hashes the password and compares the results in constant time.
	same(k kdf, password []byte) bool
}

// limits bound the cost of a stored hash, because an attacker may have written to the
// database.
type limits struct {
	memory int // KiB
	work   int // KiB × passes
}

const maxCost = 15 // of bcrypt; each increment doubles the time

func newLimits(memory, iterations int) limits {
	return limits{max(128<<10, memory), max(1<<20, memory*iterations)}
}

var errUnreadable = errors.New("password: a stored hash is malformed, of an unknown kind, or too expensive")

func (l limits) parse(hash string) (stored, error) {
	parts := strings.Split(hash[:min(len(hash), 512)], "$")
	var s stored
	var ok bool
	switch {
	case len(hash) > 512 || len(parts) < 4 || parts[0] != "":
	case parts[1] == "argon2id" && len(parts) == 6 && parts[2] == "v=19":
		s, ok = l.argon2id(parts[3:])
	case parts[1] == "scrypt" && len(parts) == 5:
		s, ok = l.scrypt(parts[2:])
	case parts[1] == "2a" || parts[1] == "2b" || parts[1] == "2y":
		s, ok = bcryptHash(hash), wellFormed(parts)
	}
	if !ok {
		return nil, errUnreadable
	}
	return s, nil
}

// argon2id is $argon2id$v=19$m=19456,t=2,p=1$salt$tag.
type argon2id struct {
	mem, iterations, parallelism int
	salt, tag                    []byte
}

func (l limits) argon2id(parts []string) (a argon2id, ok bool) {
	ok = numbers(parts[0], parameter{"m=", &a.mem}, parameter{"t=", &a.iterations}, parameter{"p=", &a.parallelism}) &&
		bytesOf(parts[1], 8, &a.salt) && bytesOf(parts[2], 16, &a.tag) &&
		a.iterations >= 1 && a.iterations <= maxIterations && a.parallelism >= 1 && a.parallelism <= maxParallelism &&
		a.mem >= 8*a.parallelism && a.mem <= l.memory && a.mem*a.iterations <= l.work
	return a, ok
}

func (a argon2id) String() string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", a.mem, a.iterations, a.parallelism,
		base64.RawStdEncoding.EncodeToString(a.salt), base64.RawStdEncoding.EncodeToString(a.tag))
}

func (a argon2id) memory() int               { return a.mem }
func (a argon2id) distinguishes(string) bool { return true }
func (a argon2id) same(k kdf, password []byte) bool {
	return equal(a.key(k, password, len(a.tag)), a.tag)
}

func (a argon2id) key(k kdf, password []byte, size int) []byte {
	return k.argon2id(password, a.salt, uint32(a.iterations), uint32(a.mem), uint8(a.parallelism), uint32(size))
}

// scryptHash is $scrypt$ln=17,r=8,p=1$salt$tag.
type scryptHash struct {
	ln, r, p  int
	salt, tag []byte
}

func (l limits) scrypt(parts []string) (s scryptHash, ok bool) {
	ok = numbers(parts[0], parameter{"ln=", &s.ln}, parameter{"r=", &s.r}, parameter{"p=", &s.p}) &&
		bytesOf(parts[1], 8, &s.salt) && bytesOf(parts[2], 16, &s.tag) &&
		s.ln >= 1 && s.ln <= 24 && s.r >= 1 && s.r <= 64 && s.p >= 1 && s.p <= maxParallelism &&
		s.memory() <= l.memory && s.memory()*s.p <= l.work
	return s, ok
}

func (s scryptHash) memory() int { return max(1, s.r<<s.ln/8) } // 128·r·N bytes

// scrypt starts with HMAC-SHA256, which pads a short key with NULs and replaces a long
// key by its digest. The digest is not UTF-8.
func (s scryptHash) distinguishes(password string) bool {
	return utf8.ValidString(password) && strings.IndexByte(password, 0) < 0
}

// scryptKey is scrypt.Key. With GODEBUG=fips140=only, the PBKDF2 in scrypt would panic
// for a short password or salt. FIPS 140-3 approves neither scrypt nor argon2id nor
// bcrypt, and the standard library objects to this part of scrypt only.
func scryptKey(password, salt []byte, n, r, p, size int) (key []byte, err error) {
	fips140.WithoutEnforcement(func() { key, err = scrypt.Key(password, salt, n, r, p, size) })
	return key, err
}

func (s scryptHash) same(k kdf, password []byte) bool {
	key, err := k.scrypt(password, s.salt, 1<<s.ln, s.r, s.p, len(s.tag))
	return err == nil && equal(key, s.tag)
}

// bcryptHash is $2b$12$ with 22 characters of salt and 31 of tag.
type bcryptHash string

func wellFormed(parts []string) bool {
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if len(parts) != 4 || len(parts[2]) != 2 || len(parts[3]) != 22+31 || strings.Trim(parts[3], alphabet) != "" {
		return false
	}
	cost, err := strconv.ParseUint(parts[2], 10, 8)
	return err == nil && cost >= 4 && cost <= maxCost
}

func (bcryptHash) memory() int { return 8 }

// bcrypt reads 72 bytes from its key, repeated as needed with a NUL after each repetition.
func (bcryptHash) distinguishes(password string) bool {
	return len(password) <= 72 && strings.IndexByte(password, 0) < 0
}

func (b bcryptHash) same(k kdf, password []byte) bool {
	return k.bcrypt([]byte(b), password[:min(len(password), 72)]) == nil
}

func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }

// parameter is a number in a stored hash, such as m=19456.
type parameter struct {
	prefix string
	value  *int
}

// numbers reads a list such as m=1,t=2,p=3. It accepts only the spelling that it
// would be written in: no other order, no leading zero, no sign.
func numbers(list string, parameters ...parameter) bool {
	fields := strings.Split(list, ",")
	if len(fields) != len(parameters) {
		return false
	}
	for i, p := range parameters {
		digits, ok := strings.CutPrefix(fields[i], p.prefix)
		n, err := strconv.ParseUint(digits, 10, 31)
		if !ok || err != nil || strconv.FormatUint(n, 10) != digits {
			return false
		}
		*p.value = int(n)
	}
	return true
}

// bytesOf decodes at least minimum and at most 64 bytes.
func bytesOf(text string, minimum int, b *[]byte) bool {
	var err error
	*b, err = base64.RawStdEncoding.Strict().DecodeString(text)
	return err == nil && len(*b) >= minimum && len(*b) <= 64 && !strings.ContainsAny(text, "\r\n")
}
