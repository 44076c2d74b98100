package stored

import (
	"encoding/binary"
	"testing"
)

func TestAReaderReadsWhatWasAppended(t *testing.T) {
	raw := append(AppendText(binary.AppendUvarint([]byte{0xff}, 1<<52), "text"), "rest"...)
	r := NewReader(raw, string(raw), 1)
	if n, text, rest := r.Number(), r.Text(), r.Rest(); n != 1<<52 || text != "text" || rest != "rest" || r.Failed() {
		t.Errorf("%d, %q, %q, %v", n, text, rest, r.Failed())
	}
}

// After a failure, a reader returns zeros.
func TestAReaderFailsForGood(t *testing.T) {
	for rule, raw := range map[string][]byte{
		"nothing": {}, "half a number": {0x80}, "a number too large": binary.AppendUvarint(nil, 1<<52+1),
		"a text longer than the record": {2, 'a'},
	} {
		r := NewReader(append(raw, 1, 1)[:len(raw)], string(raw), 0)
		if text := r.Text(); text != "" || !r.Failed() || r.Number() != 0 || r.Text() != "" {
			t.Errorf("%s: %q, %v", rule, text, r.Failed())
		}
	}
}
