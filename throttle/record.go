package throttle

import (
	"encoding/binary"
	"errors"
	"slices"

	"github.com/authlatch/auth/internal/record"
)

// count is the attempts that count against a limit, oldest first. Each attempt has a
// random name. It shows whether the attempt was counted, makes counting idempotent,
// and identifies the attempt when it is taken back.
//
// Format 0x40, times in milliseconds since 1970:
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | returned (8 bytes)
//	for each attempt: time (8 bytes) | device (4 bytes) | name (8 bytes)
//
// A later format gets the next byte up to 0x4f, and this one stays readable. The
// checksum covers the record and its digest, so that neither a damaged byte nor a
// store that mixes up two records erases what was counted.
type count struct {
	returned int64 // when an attempt last came back
	attempts []counted
}

type counted struct {
	at     int64
	device [4]byte // the first bytes of a browser's ID, or zero
	name   attemptName
}

// attemptName is random.
type attemptName [8]byte

var countFormats = record.Formats{Oldest: 0x40, Current: 0x40, Last: 0x4f}

const (
	countReturnedAt = record.Header
	countAttemptsAt = countReturnedAt + 8
	attemptSize     = 8 + 4 + 8
	maxAttempts     = 1000 // of an address; 20 KB
)

var (
	errNewerCount   = errors.New("throttle: a record is of a newer version")
	errCorruptCount = errors.New("throttle: a record is corrupt")
)

// encode returns different bytes for each call, so equal bytes mean the same write.
func (c *count) encode(d record.Digest) []byte {
	b := record.Append(make([]byte, 0, countAttemptsAt+len(c.attempts)*attemptSize), countFormats.Current)
	b = binary.BigEndian.AppendUint64(b, uint64(c.returned))
	for _, a := range c.attempts {
		b = binary.BigEndian.AppendUint64(b, uint64(a.at))
		b = append(append(b, a.device[:]...), a.name[:]...)
	}
	return record.Seal(b, d[:])
}

func decodeCount(raw []byte, d record.Digest) (count, error) {
	switch state := countFormats.Check(raw, d[:]); {
	case state == record.Newer:
		return count{}, errNewerCount
	case state != record.Intact, len(raw) < countAttemptsAt,
		(len(raw)-countAttemptsAt)%attemptSize != 0,
		len(raw) > countAttemptsAt+maxAttempts*attemptSize:
		return count{}, errCorruptCount
	}
	c := count{returned: int64(binary.BigEndian.Uint64(raw[countReturnedAt:]))}
	for each := range slices.Chunk(raw[countAttemptsAt:], attemptSize) {
		c.attempts = append(c.attempts, counted{int64(binary.BigEndian.Uint64(each)), [4]byte(each[8:]), attemptName(each[12:])})
	}
	return c, nil
}

// find returns the index of an attempt, or -1.
func (c *count) find(name attemptName) int {
	return slices.IndexFunc(c.attempts, func(a counted) bool { return a.name == name })
}
