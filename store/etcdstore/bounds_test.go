package etcdstore

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBoundsAreCheckedBeforeTheClusterIsAsked(t *testing.T) {
	s := &Store{} // any call of its client panics
	some, long := []byte("x"), make([]byte, maxValue+1)
	for rule, test := range map[string]struct{ got, want error }{
		"get of an empty key":              {second(s.Get(t.Context(), "")), errKey},
		"get of a long key":                {second(s.Get(t.Context(), strings.Repeat("k", maxKey+1))), errKey},
		"get of a key with a space":        {second(s.Get(t.Context(), "a b")), errKey},
		"get of a key beyond ASCII":        {second(s.Get(t.Context(), "é")), errKey},
		"delete of an empty key":           {s.Delete(t.Context(), ""), errKey},
		"swap of a key with a newline":     {last(s.CompareAndSwap(t.Context(), "a\n", nil, some, time.Second)), errKey},
		"swap of an old that is empty":     {last(s.CompareAndSwap(t.Context(), "k", []byte{}, some, time.Second)), errOld},
		"swap to nothing":                  {last(s.CompareAndSwap(t.Context(), "k", nil, nil, time.Second)), errNew},
		"swap to a value that is too long": {last(s.CompareAndSwap(t.Context(), "k", nil, long, time.Second)), errNew},
		"swap with no time to live":        {last(s.CompareAndSwap(t.Context(), "k", nil, some, 0)), errTTL},
		"swap with a negative ttl":         {last(s.CompareAndSwap(t.Context(), "k", nil, some, -1)), errTTL},
	} {
		if !errors.Is(test.got, test.want) {
			t.Errorf("%s: %v", rule, test.got)
		}
	}
}

func second(_ []byte, _ bool, err error) error { return err }
func last(_ bool, err error) error             { return err }

// An old value that is too long is the value of no record.
func TestASwapOfAValueTooLongAsksNothing(t *testing.T) {
	s := &Store{} // any call of its client panics
	swapped, err := s.CompareAndSwap(t.Context(), "k", make([]byte, maxValue+1), []byte("x"), time.Second)
	if swapped || err != nil {
		t.Error(swapped, err)
	}
}

func TestRecordsAreReadAsWritten(t *testing.T) {
	for _, n := range []int{1, 2, 255, 256, 257, maxValue - 1, maxValue} {
		want := bytes.Repeat([]byte{0xab}, n)
		value, end, err := decode(encode(want, 12345))
		if !bytes.Equal(value, want) || end != 12345 || err != nil || cap(value) != n {
			t.Errorf("%d bytes: %d bytes, %d, %v", n, len(value), end, err)
		}
	}
	if got, want := encode([]byte("hi"), 0x0102030405060708), []byte("\x01\x00\x01hi\x01\x02\x03\x04\x05\x06\x07\x08"); !bytes.Equal(got, want) {
		t.Errorf("the stored form has changed: %x, want %x", got, want)
	}
}

func TestWhatIsNoRecordIsAnError(t *testing.T) {
	good := encode([]byte("hello"), 1)
	other := slices.Clone(good)
	other[0]++
	for rule, record := range map[string][]byte{
		"nothing": nil, "another format": other, "too short": good[:len(good)-1], "too long": append(slices.Clone(good), 0),
		"a text": []byte("hello, world"), "no value": {format, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8},
	} {
		if _, _, err := decode(record); !errors.Is(err, errForeign) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// The transaction compares a value, and that it has not ended, by two strings
// between which its records are.
func TestRecordsOfAValueAreBetweenTwoStrings(t *testing.T) {
	values := []string{"a", "b", "aa", "ab", "a\x00", "a\xff", "\x00", "\xff", "\xff\xff", "ffffffff", "a\xff\xff\xff\xff\xff\xff\xff\xff", strings.Repeat("a", 256)}
	ends := []uint64{1, 999, 1000, 1001, 1 << 62, math.MaxInt64, uint64(math.MaxInt64) + uint64(math.MaxInt64)}
	for _, old := range values {
		low, high := encode([]byte(old), 1000), encode([]byte(old), forever)
		for _, stored := range values {
			for _, end := range ends {
				record := encode([]byte(stored), end)
				between := bytes.Compare(record, low) > 0 && bytes.Compare(record, high) < 0
				if want := stored == old && end > 1000; between != want {
					t.Errorf("%q until %d is between those of %q: %v", stored, end, old, between)
				}
			}
		}
	}
}
