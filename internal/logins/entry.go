package logins

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/authlatch/auth/internal/record"
)

// Digest identifies a login in the store. It is a SHA-256 sum of the login's secret,
// or of the name of its family.
type Digest [sha256.Size]byte

// Key is the key of the login's record, 43 characters.
func (d Digest) Key() string {
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], d[:])
	return string(key[:])
}

// LoginID is the public name of the login, 22 characters. It is a digest of
// the digest, so it leads to no record.
func (d Digest) LoginID() string {
	var id [22]byte
	d.encodeLoginID(id[:])
	return string(id[:])
}

func (d Digest) encodeLoginID(to []byte) {
	sum := sha256.Sum256(d[:])
	base64.RawURLEncoding.Encode(to, sum[:16])
}

// Names returns Key and LoginID. Both are parts of one string, so that a request costs
// one allocation for them.
func (d Digest) Names() (key, loginID string) {
	var names [43 + 22]byte
	base64.RawURLEncoding.Encode(names[:43], d[:])
	d.encodeLoginID(names[43:])
	both := string(names[:])
	return both[:43], both[43:]
}

// LoginIDOf returns the LoginID of the login that is stored under key. For the key of
// another record it returns a text that is no LoginID of a login.
func LoginIDOf(key string) string {
	var d Digest
	if len(key) != base64.RawURLEncoding.EncodedLen(len(d)) {
		return ""
	}
	if n, err := base64.RawURLEncoding.Decode(d[:], []byte(key)); err != nil || n != len(d) {
		return ""
	}
	return d.LoginID()
}

// Entry is a login in the list of its subject.
type Entry struct {
	Digest  Digest
	Expires time.Time // latest end, in minutes, rounded up
	Used    time.Time // when it was last known to be used, in tens of seconds; Add fills it in
	Kind    Kind
	Ending  Reason // zero unless the login is being ended

	// Whose login with an actor was ended, if known. They are not stored.
	Subject, Actor string
}

// Kind is how a login is kept. It has three bits.
type Kind byte

// The kinds of logins.
const (
	Session Kind = 1 + iota
	Family       // of refresh tokens
	Pending      // a session that waits for the second factor
)

// TombstoneTTL is how long a login of the kind is remembered after its end. A session
// is remembered for a minute, longer than a response is under way; a family for as
// long as an access token can live at most.
func (k Kind) TombstoneTTL() time.Duration {
	if k&^acting == Family {
		return time.Hour
	}
	return time.Minute
}

// Reason is why a login ended. It has four bits.
type Reason byte

// The reasons. Zero is none.
const (
	LoggedOut Reason = 1 + iota // by the subject, with this very credential
	Revoked                     // from elsewhere
	Evicted                     // to keep the bound
	Replaced                    // by a newer login
	Reused                      // a refresh token was presented that was already used
)

// Own reports whether the browser itself has ended the login, by a logout or another
// login. A request with the old credential is then a late one. The browser may have
// newer cookies, which a late response must not delete.
func (r Reason) Own() bool { return r == LoggedOut || r == Replaced }

// String returns the reason as events have it.
func (r Reason) String() string {
	switch r {
	case LoggedOut:
		return "logged out"
	case Revoked:
		return "revoked"
	case Evicted:
		return "evicted"
	case Replaced:
		return "replaced"
	case Reused:
		return "reused"
	}
	return "unknown"
}

// The first byte of every stored value says what follows, and in which version:
// lists have 0x01 to 0x0f, sessions 0x10 to 0x1f, families 0x20 to 0x2f, tombstones 0x80,
// and tombstones with a successor 0x81.
const (
	oldListFormat   = 0x01
	listFormat      = 0x02
	lastListFormat  = 0x0f
	tombstoneFormat = 0x80
	successorFormat = 0x81

	firstFamilyFormat = 0x20
)

// Tombstone is the record of a login that was ended.
type Tombstone struct {
	Kind   Kind
	Reason Reason
	Time   time.Time // in whole seconds
}

const tombstoneSize = 1 + 8 + 1 + 1 + 8

// NewTombstone returns a tombstone of now as it is stored.
func NewTombstone(kind Kind, reason Reason) []byte {
	return appendTombstone(make([]byte, 0, tombstoneSize), tombstoneFormat, kind, reason)
}

// NewReplaced returns a tombstone of now for a login that successor replaces.
func NewReplaced(kind Kind, successor Digest) []byte {
	b := make([]byte, 0, tombstoneSize+len(successor))
	return append(appendTombstone(b, successorFormat, kind, Replaced), successor[:]...)
}

func appendTombstone(b []byte, format byte, kind Kind, reason Reason) []byte {
	b = append(record.AppendWriteID(append(b, format)), byte(kind&^acting), byte(reason))
	return binary.BigEndian.AppendUint64(b, uint64(time.Now().Unix()))
}

// ParseTombstone reads a stored value, and returns false if it is not a tombstone.
func ParseTombstone(raw []byte) (Tombstone, bool) {
	plain := len(raw) == tombstoneSize && raw[0] == tombstoneFormat
	if !plain && !hasSuccessor(raw) {
		return Tombstone{}, false
	}
	return Tombstone{
		Kind:   Kind(raw[9]),
		Reason: Reason(raw[10]),
		Time:   time.Unix(int64(binary.BigEndian.Uint64(raw[11:])), 0),
	}, true
}

func hasSuccessor(raw []byte) bool {
	return len(raw) == tombstoneSize+len(Digest{}) && raw[0] == successorFormat
}

// Successor returns the login that replaced the one of a tombstone, or zero if none did or
// it is not known.
func Successor(raw []byte) (d Digest) {
	if hasSuccessor(raw) {
		copy(d[:], raw[tombstoneSize:])
	}
	return d
}
