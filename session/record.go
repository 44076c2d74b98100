package session

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"strings"

	"github.com/authlatch/auth/internal/stored"
)

// record is a session as it is stored. Times are milliseconds since 1970.
//
// Format 0x10, numbers as unsigned varints, texts with their length before
// them:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | flags (1 byte)
//	created | used - created | created - authTime | expires - created
//	subject | scopes | methods | userAgent | address | claims | values
//
// The values are the rest, to its end; see value.go. A later format gets the
// next byte, and this one stays readable.
//
// The checksum covers the record and its digest. A damaged byte, or a store
// that answers one request with the value for another, would otherwise make
// somebody else of a subject.
type record struct {
	flags                            byte
	created, used, authTime, expires int64
	subject, scopes, methods         string
	userAgent, address               string
	claims, values                   string
}

const (
	recordFormat     = 0x10
	lastRecordFormat = 0x1f
	checkAt          = 1 + 8
	recordHeader     = checkAt + 4 + 1
)

// Flags of a record. Others are not written and not accepted.
const (
	flagAnonymous  = 1 << iota // nobody is logged in
	flagPending                // the second factor is awaited
	flagRemembered             // the longer idle timeout applies
	allFlags       = flagAnonymous | flagPending | flagRemembered
)

var (
	// errNewer is not a matter of the client's: another version of the program
	// has written the record, so the question cannot be answered here.
	errNewer = errors.New("session: a record is of a newer version")

	errCorrupt = errors.New("session: a record is corrupt")
)

// encode returns the record as it is stored. Each call returns other bytes.
func (s *Session) encode() []byte {
	texts := [...]string{s.subject, s.scopes, s.methods, s.userAgent, s.address, s.claims}
	size := 64 + len(s.values)
	for _, text := range texts {
		size += len(text)
	}
	b := stored.AppendWriteID(append(make([]byte, 0, size), recordFormat))
	b = append(b, 0, 0, 0, 0, s.flags)
	b = binary.AppendUvarint(b, uint64(s.created))
	b = binary.AppendUvarint(b, uint64(s.used-s.created))
	b = binary.AppendUvarint(b, uint64(s.created-s.authTime))
	b = binary.AppendUvarint(b, uint64(s.expires-s.created))
	for _, text := range texts {
		b = stored.AppendText(b, text)
	}
	b = append(b, s.values...)
	binary.BigEndian.PutUint32(b[checkAt:], s.checksum(b))
	return b
}

// checksum returns that of a record which is stored under the session's digest.
func (s *Session) checksum(raw []byte) uint32 {
	sum := crc32.Update(crc32.ChecksumIEEE(s.digest[:]), crc32.IEEETable, raw[:checkAt])
	return crc32.Update(sum, crc32.IEEETable, raw[checkAt+4:])
}

// decode reads a record into s. All of its texts and the login ID are parts of
// one string, so that a request costs one allocation for them. Claims and
// values are not looked into.
func (s *Session) decode(raw []byte) error {
	switch {
	case len(raw) > 0 && raw[0] > recordFormat && raw[0] <= lastRecordFormat:
		return errNewer
	case len(raw) < recordHeader || raw[0] != recordFormat,
		binary.BigEndian.Uint32(raw[checkAt:]) != s.checksum(raw),
		raw[recordHeader-1]&^allFlags != 0:
		return errCorrupt
	}
	var loginID [22]byte
	var text strings.Builder
	text.Grow(len(raw) + len(loginID))
	text.Write(raw)
	text.Write(s.digest.AppendLoginID(loginID[:0]))

	d := decoder{raw: raw, text: text.String()[:len(raw)], at: recordHeader}
	s.flags = raw[recordHeader-1]
	s.created = d.number()
	s.used = s.created + d.number()
	s.authTime = s.created - d.number()
	s.expires = s.created + d.number()
	s.subject, s.scopes, s.methods = d.string(), d.string(), d.string()
	s.userAgent, s.address = d.string(), d.string()
	s.claims = d.string()
	if d.failed || s.subject == "" && !s.Anonymous() {
		return errCorrupt
	}
	s.values = d.text[d.at:]
	s.raw, s.loginID = raw, text.String()[len(raw):]
	return nil
}

// decoder reads numbers from the bytes of a record and texts from a string
// with the same content. After a failure it returns zeros.
type decoder struct {
	raw    []byte
	text   string
	at     int
	failed bool
}

func (d *decoder) number() int64 {
	const most = 1 << 52 // milliseconds: no sum of two is near to an overflow
	n, size := binary.Uvarint(d.raw[d.at:])
	if size <= 0 || n > most {
		d.failed = true
	}
	if d.failed {
		return 0
	}
	d.at += size
	return int64(n)
}

func (d *decoder) string() string {
	n := d.number()
	if d.failed || n > int64(len(d.text)-d.at) {
		d.failed = true
		return ""
	}
	start := d.at
	d.at += int(n)
	return d.text[start:d.at]
}
