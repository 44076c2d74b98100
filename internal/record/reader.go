package record

import "encoding/binary"

// Reader reads the fields of a record. It never reads beyond the end: after the first
// field that is malformed or too long, all others are zero and Failed returns true.
type Reader struct {
	rest   []byte
	failed bool
}

// NewReader returns a reader of b. What it returns are parts of b.
func NewReader(b []byte) Reader { return Reader{rest: b} }

// Failed reports whether a field could not be read.
func (r *Reader) Failed() bool { return r.failed }

// Len returns the number of bytes that have not been read.
func (r *Reader) Len() int { return len(r.rest) }

// Bytes reads n bytes, or nil.
func (r *Reader) Bytes(n int) []byte {
	if r.failed || n < 0 || n > len(r.rest) {
		r.failed = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// Number reads an unsigned varint of at most 1<<52, so that no sum of two such
// numbers, as milliseconds or as seconds, comes near to an overflow.
func (r *Reader) Number() int64 {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > 1<<52 {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// Text reads a text as [AppendText] writes it.
func (r *Reader) Text() []byte {
	n := r.Number()
	if r.failed || n > int64(len(r.rest)) {
		r.failed = true
		return nil
	}
	return r.Bytes(int(n))
}
