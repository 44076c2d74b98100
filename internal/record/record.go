// Package record has the frame that stored records share, and a reader for what
// is in it. A record is
//
//	format (1 byte) | writeID (8 bytes) | checksum (4 bytes) | body
//
// The format says what kind of record it is, and in which version. The write ID
// makes every stored value unique: equal bytes mean the same write. The checksum
// covers the record and the key that it is stored under, so that a damaged byte, or
// a store that returns the value of another key, does not go unnoticed. Where one kind of record
// leaves the key out, it passes nil. The checksum is not a MAC: an attacker who can
// write to the store can compute it.
package record

import (
	"crypto/rand"
	"encoding/binary"
	"hash/crc32"
)

// Header is the length of what stands before the body, in bytes.
const Header = checkAt + 4

const checkAt = 1 + 8

// Formats are the versions of one kind of record. Each kind has a range of bytes, so
// that a program which meets a version of the future knows what it is.
type Formats struct {
	Oldest  byte // that is still readable
	Current byte // that is written
	Last    byte // the end of the range
}

// State says what can be done with a stored value.
type State int

// The states of a stored value.
const (
	Corrupt State = iota // damaged, stored under another key, or no such record
	Newer                // written by a newer version of the program
	Intact
)

// Check reports the state of a value that was stored under key.
func (f Formats) Check(raw, key []byte) State {
	switch {
	case len(raw) > 0 && raw[0] > f.Current && raw[0] <= f.Last:
		return Newer
	case len(raw) < Header, raw[0] < f.Oldest, raw[0] > f.Last,
		binary.BigEndian.Uint32(raw[checkAt:]) != checksum(raw, key):
		return Corrupt
	}
	return Intact
}

// Append appends the header of a record to b, which is empty. The caller appends the
// body and then calls [Seal].
func Append(b []byte, format byte) []byte {
	return append(AppendWriteID(append(b, format)), make([]byte, Header-checkAt)...)
}

// Seal sets the checksum of a finished record that will be stored under key, and
// returns the record.
func Seal(raw, key []byte) []byte {
	binary.BigEndian.PutUint32(raw[checkAt:], checksum(raw, key))
	return raw
}

func checksum(raw, key []byte) uint32 {
	sum := crc32.Update(crc32.ChecksumIEEE(key), crc32.IEEETable, raw[:checkAt])
	return crc32.Update(sum, crc32.IEEETable, raw[Header:])
}

// AppendWriteID appends 8 random bytes.
func AppendWriteID(b []byte) []byte {
	var id [8]byte
	rand.Read(id[:])
	return append(b, id[:]...)
}

// AppendText appends a text as [Reader.Text] reads it: its length as an unsigned
// varint, and its bytes.
func AppendText(b []byte, text string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}
