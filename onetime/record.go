package onetime

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// record is a token as it is stored. Format 0x30:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | used (1 byte)
//	expires (8 bytes, milliseconds since 1970) | payload
//
// The payload is the rest, to its end; a used token has none. A later format
// gets the next byte up to 0x3f, and this one stays readable.
//
// The checksum covers the record and its digest: a damaged byte, or a store
// that mixes up two answers, must not reset somebody else's password.
type record struct {
	used    bool
	expires time.Time
	payload string
}

const (
	recordFormat     = 0x30
	lastRecordFormat = 0x3f
	writeIDSize      = 8
	checkAt          = 1 + writeIDSize
	usedAt           = checkAt + 4
	expiresAt        = usedAt + 1
	payloadAt        = expiresAt + 8
)

// These are nobody's fault who presents a token, and no answer.
var (
	errNewer   = errors.New("onetime: a record is of a newer version")
	errCorrupt = errors.New("onetime: a record is corrupt")
)

// encode returns other bytes each time, so equal bytes mean the same write.
func (r record) encode(d digest) []byte {
	b := make([]byte, payloadAt, payloadAt+len(r.payload))
	b[0] = recordFormat
	rand.Read(b[1:checkAt])
	if r.used {
		b[usedAt] = 1
	}
	binary.BigEndian.PutUint64(b[expiresAt:], uint64(r.expires.UnixMilli()))
	b = append(b, r.payload...)
	binary.BigEndian.PutUint32(b[checkAt:], checksum(b, d))
	return b
}

func checksum(raw []byte, d digest) uint32 {
	sum := crc32.Update(crc32.ChecksumIEEE(d[:]), crc32.IEEETable, raw[:checkAt])
	return crc32.Update(sum, crc32.IEEETable, raw[usedAt:])
}

func decode(raw []byte, d digest) (record, error) {
	switch {
	case len(raw) > 0 && raw[0] > recordFormat && raw[0] <= lastRecordFormat:
		return record{}, errNewer
	case len(raw) < payloadAt || raw[0] != recordFormat || raw[usedAt] > 1,
		binary.BigEndian.Uint32(raw[checkAt:]) != checksum(raw, d):
		return record{}, errCorrupt
	}
	return record{
		used:    raw[usedAt] == 1,
		expires: time.UnixMilli(int64(binary.BigEndian.Uint64(raw[expiresAt:]))),
		payload: string(raw[payloadAt:]),
	}, nil
}

// read returns the record of a token that can be redeemed, from what a store
// has answered.
func read(raw []byte, ok bool, d digest) (record, error) {
	if !ok {
		return record{}, ErrUnknown
	}
	r, err := decode(raw, d)
	switch {
	case err != nil:
		return record{}, err
	case r.used:
		return record{}, ErrUsed
	case !time.Now().Before(r.expires):
		return record{}, ErrUnknown
	}
	return r, nil
}
