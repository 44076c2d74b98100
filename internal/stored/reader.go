package stored

import "encoding/binary"

// Reader reads the numbers and texts of a record. After a failure it returns
// zeros. Its texts are parts of one string, so they cost one allocation together.
type Reader struct {
	raw    []byte
	text   string // the same content
	at     int
	failed bool
}

// NewReader returns a Reader of raw from an offset on. text has the same content;
// a caller that needs a longer string anyway passes a part of it.
func NewReader(raw []byte, text string, offset int) Reader {
	return Reader{raw: raw, text: text, at: offset}
}

// Number reads an unsigned varint. It fails above 1<<52: the sum of a few numbers
// must not overflow.
func (r *Reader) Number() int64 {
	n, size := binary.Uvarint(r.raw[r.at:])
	if size <= 0 || n > 1<<52 {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	r.at += size
	return int64(n)
}

// Text reads a text as [AppendText] writes it.
func (r *Reader) Text() string {
	n := r.Number()
	if r.failed || n > int64(len(r.text)-r.at) {
		r.failed = true
		return ""
	}
	start := r.at
	r.at += int(n)
	return r.text[start:r.at]
}

// Rest returns what has not been read.
func (r *Reader) Rest() string { return r.text[r.at:] }

// Failed reports whether a number or text could not be read.
func (r *Reader) Failed() bool { return r.failed }
