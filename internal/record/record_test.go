package record_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/record"
)

var formats = record.Formats{Oldest: 0x21, Current: 0x22, Last: 0x2f}

func sealed(format byte, key, body string) []byte {
	return record.Seal(append(record.Append(nil, format), body...), []byte(key))
}

func TestOnlyIntactRecordsOfKnownFormatsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		raw  []byte
		want record.State
	}{
		"current":          {sealed(0x22, "key", "body"), record.Intact},
		"oldest":           {sealed(0x21, "key", "body"), record.Intact},
		"no body":          {sealed(0x22, "key", ""), record.Intact},
		"older":            {sealed(0x20, "key", "body"), record.Corrupt},
		"newer":            {sealed(0x23, "key", "body"), record.Newer},
		"newer, one byte":  {[]byte{0x2f}, record.Newer},
		"of another kind":  {sealed(0x30, "key", "body"), record.Corrupt},
		"of another key":   {sealed(0x22, "other", "body"), record.Corrupt},
		"cut":              {sealed(0x22, "key", "body")[:record.Header+3], record.Corrupt},
		"a header, cut":    {sealed(0x22, "key", "")[:record.Header-1], record.Corrupt},
		"nothing":          {nil, record.Corrupt},
		"a byte more":      {append(sealed(0x22, "key", "body"), 0), record.Corrupt},
		"only the format":  {[]byte{0x22}, record.Corrupt},
		"checksum of none": {append([]byte{0x22}, make([]byte, 12)...), record.Corrupt},
	} {
		if got := formats.Check(c.raw, []byte("key")); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestTheLastByteOfAKindCanBeItsCurrentFormat(t *testing.T) {
	full := record.Formats{Oldest: 0x21, Current: 0x2f, Last: 0x2f}
	if got := full.Check(sealed(0x2f, "key", "body"), []byte("key")); got != record.Intact {
		t.Errorf("%v, want %v", got, record.Intact)
	}
}

func TestEveryDamagedBitIsSeen(t *testing.T) {
	raw := sealed(0x22, "key", "body")
	for bit := range 8 * len(raw) {
		damaged := bytes.Clone(raw)
		damaged[bit/8] ^= 1 << (bit % 8)
		if formats.Check(damaged, []byte("key")) == record.Intact {
			t.Errorf("bit %d", bit)
		}
	}
}

func TestTheBodyFollowsTheHeader(t *testing.T) {
	if raw := sealed(0x22, "key", "body"); string(raw[record.Header:]) != "body" {
		t.Errorf("%x", raw)
	}
}

func TestEveryRecordIsUnique(t *testing.T) {
	if bytes.Equal(sealed(0x22, "key", "body"), sealed(0x22, "key", "body")) {
		t.Error("two writes have the same bytes")
	}
}

func TestReaderReadsWhatWasWritten(t *testing.T) {
	b := binary.AppendUvarint([]byte{7, 8}, 1<<52)
	b = record.AppendText(record.AppendText(b, "text"), "")
	r := record.NewReader(string(append(b, "rest"...)))
	if got := r.Take(2); got != "\x07\x08" {
		t.Errorf("bytes: %q", got)
	}
	if got := r.Number(); got != 1<<52 {
		t.Errorf("number: %d", got)
	}
	if got := r.Text(); got != "text" {
		t.Errorf("text: %q", got)
	}
	if got := r.Text(); got != "" {
		t.Errorf("empty text: %q", got)
	}
	if r.Failed() || r.Rest() != "rest" {
		t.Errorf("failed: %v, %q is left", r.Failed(), r.Rest())
	}
}

func TestReaderReadsToTheEnd(t *testing.T) {
	text, bytes := record.NewReader("\x04text"), record.NewReader("text")
	if got := text.Text(); got != "text" || text.Failed() || text.Rest() != "" {
		t.Errorf("text: %q, %v", got, text.Failed())
	}
	if got := bytes.Take(4); got != "text" || bytes.Failed() || bytes.Rest() != "" {
		t.Errorf("bytes: %q, %v", got, bytes.Failed())
	}
}

func TestAfterAFailureEverythingIsZero(t *testing.T) {
	good := record.AppendText([]byte{5}, "text")
	for name, c := range map[string]struct {
		raw  []byte
		read func(*record.Reader)
	}{
		"too few bytes":           {good, func(r *record.Reader) { r.Take(len(good) + 1) }},
		"a negative length":       {good, func(r *record.Reader) { r.Take(-1) }},
		"a number cut":            {append([]byte{0x80}, make([]byte, 0)...), func(r *record.Reader) { r.Number() }},
		"no number":               {nil, func(r *record.Reader) { r.Number() }},
		"a number of 53 bits":     {binary.AppendUvarint(nil, 1<<52+1), func(r *record.Reader) { r.Number() }},
		"a number of 65 bits":     {append(bytes.Repeat([]byte{0xff}, 9), 2), func(r *record.Reader) { r.Number() }},
		"a text longer than that": {append([]byte{5}, "text"...), func(r *record.Reader) { r.Text() }},
		"a text of a huge length": {binary.AppendUvarint(nil, 1<<52), func(r *record.Reader) { r.Text() }},
	} {
		r := record.NewReader(string(c.raw))
		c.read(&r)
		if !r.Failed() || r.Number() != 0 || r.Text() != "" || r.Take(1) != "" || r.Rest() != "" || !r.Failed() {
			t.Errorf("%s: read on", name)
		}
	}
}

func TestReadingAllocatesNothing(t *testing.T) {
	text := string(record.AppendText(binary.AppendUvarint(nil, 1<<52), "text"))
	if n := testing.AllocsPerRun(100, func() {
		r := record.NewReader(text)
		r.Number()
		r.Text()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// The reader stays within its bytes and always comes to an end.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{0, 1, 2})
	f.Fuzz(func(t *testing.T, raw, calls []byte) {
		r := record.NewReader(string(raw))
		for _, call := range calls {
			before := r.Rest()
			switch call % 3 {
			case 0:
				r.Number()
			case 1:
				r.Text()
			case 2:
				r.Take(int(int8(call)))
			}
			if !strings.HasSuffix(before, r.Rest()) {
				t.Fatal("the reader went back")
			}
		}
	})
}
