package token

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"

	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/stored"
)

// family is all refresh tokens of one log-in, as it is stored: one record,
// however often it is refreshed. Times are milliseconds since 1970.
//
// Format 0x21, numbers as unsigned varints, texts and byte strings with their
// length before them:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | salt (16 bytes)
//	generation
//	created | rotated - created | created - authTime | idle - created
//	expires - created | recovered - created, or 0 | presented - created, or 0
//	attempt | keyID | subject | scopes | methods | claims
//	userAgent, address (at log-in) | userAgent, address (at the last rotation)
//
// Format 0x20 lacks recovered and presented. It is still read, as a family that
// was never recovered, and written anew as 0x21.
//
// The checksum covers all the rest: a damaged byte would otherwise make somebody
// else of a subject. Nothing in it refreshes: a refresh token has a MAC with a
// key that is not in the store. A later format gets the next byte, and this one
// stays readable.
type family struct {
	salt       [16]byte
	generation uint64 // of the current refresh token
	created    int64
	rotated    int64 // when generation was made; created if it is 0
	recovered  int64 // when its attempt last asked for it again; 0 if never
	presented  int64 // when its token first came after that; 0 if it has not
	authTime   int64
	idle       int64  // ends by not being refreshed
	expires    int64  // ends at the latest; never moves
	attempt    string // SHA-256 of the attempt that made generation, or empty

	keyID                    string // of the refresh secret, for the life of the family
	subject, scopes, methods string
	claims                   string
	login, last              device
}

// device is what a browser or a client says of itself: evidence, no condition.
type device struct{ userAgent, address string }

const (
	familyFormat0    = 0x20 // the first one
	familyFormat     = 0x21
	lastFamilyFormat = 0x2f
	familyCheck      = 1 + 8 // where the checksum is
	familyHeader     = familyCheck + 4 + 16
)

var (
	// Both are faults of ours and not of the client's, which keeps its tokens.
	errNewerFamily   = errors.New("token: a family is of a newer version")
	errCorruptFamily = errors.New("token: a family is corrupt")
)

// familyDigest is what the store knows a family by. famID is that of familyID.
func familyDigest(namespace, famID string) logins.Digest {
	b := []byte("authlatch/family")
	b = stored.AppendText(b, namespace)
	return sha256.Sum256(stored.AppendText(b, famID))
}

// encode returns the family as it is stored. Each call returns other bytes.
func (f *family) encode() []byte {
	b := stored.AppendWriteID(append(make([]byte, 0, 256+len(f.claims)), familyFormat))
	b = append(b, 0, 0, 0, 0)
	b = append(b, f.salt[:]...)
	b = binary.AppendUvarint(b, f.generation)
	b = binary.AppendUvarint(b, uint64(f.created))
	for _, later := range [...]int64{
		f.rotated - f.created, f.created - f.authTime, f.idle - f.created, f.expires - f.created,
		max(f.recovered-f.created, 0), max(f.presented-f.created, 0),
	} {
		b = binary.AppendUvarint(b, uint64(later))
	}
	for _, text := range [...]string{
		f.attempt, f.keyID, f.subject, f.scopes, f.methods, f.claims,
		f.login.userAgent, f.login.address, f.last.userAgent, f.last.address,
	} {
		b = stored.AppendText(b, text)
	}
	binary.BigEndian.PutUint32(b[familyCheck:], familyChecksum(b))
	return b
}

func familyChecksum(raw []byte) uint32 {
	return crc32.Update(crc32.ChecksumIEEE(raw[:familyCheck]), crc32.IEEETable, raw[familyCheck+4:])
}

func parseFamily(raw []byte) (*family, error) {
	switch {
	case len(raw) > 0 && raw[0] > familyFormat && raw[0] <= lastFamilyFormat:
		return nil, errNewerFamily
	case len(raw) < familyHeader || raw[0] != familyFormat && raw[0] != familyFormat0,
		binary.BigEndian.Uint32(raw[familyCheck:]) != familyChecksum(raw):
		return nil, errCorruptFamily
	}
	f := &family{salt: [16]byte(raw[familyHeader-16 : familyHeader])}
	d := fields{rest: raw[familyHeader:]}
	f.generation = uint64(d.number())
	f.created = d.number()
	f.rotated = f.created + d.number()
	f.authTime = f.created - d.number()
	f.idle = f.created + d.number()
	f.expires = f.created + d.number()
	if raw[0] != familyFormat0 {
		for _, at := range [...]*int64{&f.recovered, &f.presented} {
			if since := d.number(); since > 0 {
				*at = f.created + since
			}
		}
	}
	for _, text := range [...]*string{
		&f.attempt, &f.keyID, &f.subject, &f.scopes, &f.methods, &f.claims,
		&f.login.userAgent, &f.login.address, &f.last.userAgent, &f.last.address,
	} {
		*text = d.text()
	}
	if d.failed || len(d.rest) > 0 || f.subject == "" || len(f.attempt) != 0 && len(f.attempt) != sha256.Size {
		return nil, errCorruptFamily
	}
	return f, nil
}

// ends returns when the family ends if it is not refreshed again.
func (f *family) ends() time.Time { return time.UnixMilli(min(f.idle, f.expires)) }

// liveFamily returns the family that was read from the store, or nil if it has
// ended. An error says that the question cannot be answered here.
func liveFamily(raw []byte, now time.Time) (*family, error) {
	if _, ended := logins.ParseTombstone(raw); ended {
		return nil, nil
	}
	f, err := parseFamily(raw)
	if err != nil || !now.Before(f.ends()) {
		return nil, err
	}
	return f, nil
}

// fields reads the fields of a record. After a failure it returns zeros.
type fields struct {
	rest   []byte
	failed bool
}

func (d *fields) number() int64 {
	const most = 1 << 52 // no sum of two is near to an overflow
	n, size := binary.Uvarint(d.rest)
	if size <= 0 || n > most {
		d.failed = true
	}
	if d.failed {
		return 0
	}
	d.rest = d.rest[size:]
	return int64(n)
}

func (d *fields) text() string {
	n := d.number()
	if d.failed || n > int64(len(d.rest)) {
		d.failed = true
		return ""
	}
	text := string(d.rest[:n])
	d.rest = d.rest[n:]
	return text
}
