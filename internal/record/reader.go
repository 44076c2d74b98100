package record

import "encoding/binary"

// Reader reads the fields of a record. It never reads beyond the end: after the first
// field that is malformed or too long, all others are zero and Failed returns true.
//
// It reads a string so that the texts of a record, which are parts of it, cost one
// allocation together.
type Reader struct {
	rest   string
	failed bool
}

// NewReader returns a reader of the bytes in text.
func NewReader(text string) Reader { return Reader{rest: text} }

// Failed reports whether a field could not be read.
func (r *Reader) Failed() bool { return r.failed }

// Rest returns what has not been read. After a failure it is empty.
func (r *Reader) Rest() string { return r.rest }

// Take reads n bytes.
func (r *Reader) Take(n int) string {
	if n < 0 || n > len(r.rest) {
		r.fail()
		return ""
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// Number reads an unsigned varint of at most 1<<52, so that no sum of two such
// numbers, as milliseconds or as seconds, comes near to an overflow.
func (r *Reader) Number() int64 {
	// A conversion of so few bytes is on the stack.
	n, size := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if size <= 0 || n > 1<<52 {
		r.fail()
		return 0
	}
	r.rest = r.rest[size:]
	return int64(n)
}

// Text reads a text as [AppendText] writes it.
func (r *Reader) Text() string {
	n := r.Number()
	if n > int64(len(r.rest)) {
		r.fail()
		return ""
	}
	return r.Take(int(n))
}

// fail leaves nothing to be read, so that every later number and text fails, too.
func (r *Reader) fail() { r.rest, r.failed = "", true }
