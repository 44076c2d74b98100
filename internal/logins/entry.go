package logins

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"github.com/authlatch/auth/internal/stored"
)

// Digest is what a log-in is known by in the store: a SHA-256 sum of its
// secret, or of the name of its family.
type Digest [sha256.Size]byte

// Key is the key of the log-in's record, 43 characters.
func (d Digest) Key() string {
	var key [43]byte
	base64.RawURLEncoding.Encode(key[:], d[:])
	return string(key[:])
}

// LoginID is the public name of the log-in, 22 characters. It is a digest of
// the digest, so it leads to no record.
func (d Digest) LoginID() string {
	return string(d.AppendLoginID(make([]byte, 0, 22)))
}

// AppendLoginID appends the login ID to b.
func (d Digest) AppendLoginID(b []byte) []byte {
	sum := sha256.Sum256(d[:])
	return base64.RawURLEncoding.AppendEncode(b, sum[:16])
}

// Entry is a log-in as it stands in the list of its subject.
type Entry struct {
	Digest  Digest
	Expires time.Time // when it ends at the latest, in whole seconds, rounded up
	Kind    Kind
	Ending  Reason // zero unless the log-in is being ended
}

// Kind is what sort of log-in it is. It has three bits.
type Kind byte

// The kinds of log-ins.
const (
	Session Kind = 1 + iota
	Family       // of refresh tokens
	Pending      // a session that waits for its second factor
)

// maxPending is how many of them a subject has at most. They have a bound of
// their own: who knows the password alone must not end complete log-ins.
const maxPending = 10

// TombstoneTTL is how long a log-in of the kind is remembered after its end:
// for a minute, longer than answers are under way; for a family as long as an
// access token can live at most.
func (k Kind) TombstoneTTL() time.Duration {
	if k == Family {
		return time.Hour
	}
	return time.Minute
}

// Reason is why a log-in ended. It has four bits.
type Reason byte

// The reasons. Zero is none.
const (
	LoggedOut Reason = 1 + iota // by the subject, with this very credential
	Revoked                     // from elsewhere
	Evicted                     // to keep the bound
	Replaced                    // by a newer log-in
	Reused                      // a spent refresh token came back
)

// Own reports whether the browser itself has ended the log-in, by a log-out or
// another log-in. What it sends of the old one is slow then, and it may have newer
// cookies, which no slow answer must erase.
func (r Reason) Own() bool { return r == LoggedOut || r == Replaced }

// String returns the reason as it stands in events.
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
// lists have 0x01 to 0x0f, sessions 0x10 to 0x1f, families 0x20 to 0x2f.
const (
	listFormat      = 0x01
	lastListFormat  = 0x0f
	tombstoneFormat = 0x80
)

// Tombstone is what is left of a log-in that was ended.
type Tombstone struct {
	Kind   Kind
	Reason Reason
	Time   time.Time // in whole seconds
}

const tombstoneSize = 1 + 8 + 1 + 1 + 8

// NewTombstone returns a tombstone of now as it is stored.
func NewTombstone(kind Kind, reason Reason) []byte {
	b := stored.AppendWriteID(append(make([]byte, 0, tombstoneSize), tombstoneFormat))
	b = append(b, byte(kind), byte(reason))
	return binary.BigEndian.AppendUint64(b, uint64(time.Now().Unix()))
}

// ParseTombstone reads a stored value, and returns false if it is no tombstone.
func ParseTombstone(raw []byte) (Tombstone, bool) {
	if len(raw) != tombstoneSize || raw[0] != tombstoneFormat {
		return Tombstone{}, false
	}
	return Tombstone{
		Kind:   Kind(raw[9]),
		Reason: Reason(raw[10]),
		Time:   time.Unix(int64(binary.BigEndian.Uint64(raw[11:])), 0),
	}, true
}

const listHeader = 1 + 8 // format, writeID

// list is the decoded list of a subject.
type list struct {
	raw     []byte // as it was read, nil if there was none
	entries []Entry
	corrupt bool // raw made no sense; entries is empty
}

// parseList reads a stored list. A format of the future is an error, since its
// owner will want it back; bytes that no version wrote are a corrupt list.
func parseList(raw []byte) (*list, error) {
	l := &list{raw: raw}
	if len(raw) < listHeader || raw[0] != listFormat {
		if len(raw) > 0 && raw[0] > listFormat && raw[0] <= lastListFormat {
			return nil, errors.New("logins: a list is of a newer version")
		}
		l.corrupt = true
		return l, nil
	}
	for rest := raw[listHeader:]; len(rest) > 0; {
		var e Entry
		n := copy(e.Digest[:], rest)
		seconds, m := binary.Uvarint(rest[n:])
		if n < len(e.Digest) || m <= 0 || seconds > 1<<40 || n+m == len(rest) {
			return &list{raw: raw, corrupt: true}, nil
		}
		bits := rest[n+m]
		e.Expires = time.Unix(int64(seconds), 0)
		e.Kind, e.Ending = Kind(bits&0x07), Reason(bits>>4)
		l.entries = append(l.entries, e)
		rest = rest[n+m+1:]
	}
	return l, nil
}

func (l *list) encode() []byte {
	const entrySize = 32 + 5 + 1
	b := stored.AppendWriteID(append(make([]byte, 0, listHeader+len(l.entries)*entrySize), listFormat))
	for _, e := range l.entries {
		b = append(b, e.Digest[:]...)
		b = binary.AppendUvarint(b, uint64(e.Expires.Add(time.Second-1).Unix()))
		b = append(b, byte(e.Kind)|byte(e.Ending)<<4)
	}
	return b
}

// ttl covers the longest entry.
func (l *list) ttl(now time.Time) time.Duration {
	longest := now
	for _, e := range l.entries {
		if e.Expires.After(longest) {
			longest = e.Expires
		}
	}
	return longest.Sub(now) + 2*margin
}

func (l *list) find(d Digest) int {
	for i := range l.entries {
		if bytes.Equal(l.entries[i].Digest[:], d[:]) {
			return i
		}
	}
	return -1
}

// remove takes off the entries that leave reports true for.
func (l *list) remove(leave func(Entry) bool) (changed bool) {
	kept := l.entries[:0]
	for _, e := range l.entries {
		if leave(e) {
			changed = true
			continue
		}
		kept = append(kept, e)
	}
	l.entries = kept
	return changed
}

// evict marks, and returns, the oldest entries over the bound of their sort.
// Those that are ending anyway, and the one that the newest replaces, do not
// count.
func (l *list) evict(bound int, replaced *Digest) (evicted []Entry) {
	pending := l.entries[len(l.entries)-1].Kind == Pending
	if pending {
		bound = maxPending
	}
	counts := func(e Entry) bool {
		return e.Ending == 0 && (e.Kind == Pending) == pending && (replaced == nil || e.Digest != *replaced)
	}
	over := -bound
	for _, e := range l.entries {
		if counts(e) {
			over++
		}
	}
	for i := 0; over > 0 && i < len(l.entries); i++ {
		if counts(l.entries[i]) {
			l.entries[i].Ending = Evicted
			evicted = append(evicted, l.entries[i])
			over--
		}
	}
	return evicted
}
