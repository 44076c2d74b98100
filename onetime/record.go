package onetime

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/authlatch/auth/internal/record"
)

// ticket is the stored form of a token. Format 0x30:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | used (1 byte)
//	expires (8 bytes, milliseconds since 1970) | payload
//
// The payload extends to the end; a used token has none. A later format gets the next
// byte up to 0x3f, and this one stays readable.
//
// The checksum covers the record and its digest, so that neither a damaged byte nor a
// store that mixes up two records resets another user's password.
type ticket struct {
	used    bool
	expires time.Time
	payload string
}

var formats = record.Formats{Oldest: 0x30, Current: 0x30, Last: 0x3f}

const (
	usedAt    = record.Header
	expiresAt = usedAt + 1
	payloadAt = expiresAt + 8
)

// These errors are faults of the store, and do not refuse a token.
var (
	errNewer   = errors.New("onetime: a record is of a newer version")
	errCorrupt = errors.New("onetime: a record is corrupt")
)

// encode returns different bytes for each call, so equal bytes mean the same write.
func (r ticket) encode(d record.Digest) []byte {
	b := record.Append(make([]byte, 0, payloadAt+len(r.payload)), formats.Current)
	var used byte
	if r.used {
		used = 1
	}
	b = binary.BigEndian.AppendUint64(append(b, used), uint64(r.expires.UnixMilli()))
	return record.Seal(append(b, r.payload...), d[:])
}

func decode(raw []byte, d record.Digest) (ticket, error) {
	switch state := formats.Check(raw, d[:]); {
	case state == record.Newer:
		return ticket{}, errNewer
	case state != record.Intact, len(raw) < payloadAt, raw[usedAt] > 1:
		return ticket{}, errCorrupt
	}
	return ticket{
		used:    raw[usedAt] == 1,
		expires: time.UnixMilli(int64(binary.BigEndian.Uint64(raw[expiresAt:]))),
		payload: string(raw[payloadAt:]),
	}, nil
}

// read decodes the response of a store. It returns the record if the token can be
// redeemed.
func read(raw []byte, ok bool, d record.Digest) (ticket, error) {
	if !ok {
		return ticket{}, ErrUnknown
	}
	r, err := decode(raw, d)
	switch {
	case err != nil:
		return ticket{}, err
	case r.used:
		return ticket{}, ErrUsed
	case !time.Now().Before(r.expires):
		return ticket{}, ErrUnknown
	}
	return r, nil
}
