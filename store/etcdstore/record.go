package etcdstore

import (
	"encoding/binary"
	"errors"
	"time"
)

// A record is stored as
//
//	format (1) | length of the value minus 1 (2) | value | end (8)
//
// with big-endian numbers. The end is the expiry, in nanoseconds since 1970. Because
// the length comes first and the end last, the records of a value are exactly those
// between two byte strings. So one transaction can compare a known value together with
// an unknown end; see [holds].
const (
	format  = 1
	head    = 3
	tail    = 8
	forever = ^uint64(0) // later than any end, because a time to live has 63 bits
)

var errForeign = errors.New("the stored value is not a record of this store")

// instant returns the current time, with which ends are compared.
func instant() uint64 { return uint64(time.Now().UnixNano()) }

// encode returns the record of a value that ends at end.
func encode(value []byte, end uint64) []byte {
	record := make([]byte, 0, head+len(value)+tail)
	record = append(record, format)
	record = binary.BigEndian.AppendUint16(record, uint16(len(value)-1))
	record = append(record, value...)
	return binary.BigEndian.AppendUint64(record, end)
}

// decode returns the arguments of encode.
func decode(record []byte) (value []byte, end uint64, err error) {
	if len(record) <= head+tail || record[0] != format ||
		len(record) != head+tail+1+int(binary.BigEndian.Uint16(record[1:])) {
		return nil, 0, errForeign
	}
	last := len(record) - tail
	return record[head:last:last], binary.BigEndian.Uint64(record[last:]), nil
}
