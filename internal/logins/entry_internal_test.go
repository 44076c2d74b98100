package logins

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// A session's record has 13 bytes before its times, a family's 28 and its
// generation. Records of other sizes would give an eviction the wrong order.
func TestTheLastUseOfBothKindsOfRecords(t *testing.T) {
	created, used := time.UnixMilli(1_800_000_000_000), time.UnixMilli(1_800_000_777_000)
	filler := func(n int) []byte { return bytes.Repeat([]byte{1}, n) }
	times := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(created.UnixMilli())), uint64(used.Sub(created).Milliseconds()))
	generation := binary.AppendUvarint(nil, 300)
	for name, raw := range map[string][]byte{
		"session": append(append([]byte{0x10}, filler(8+4+1)...), times...),
		"family":  append(append(append([]byte{0x20}, filler(8+4+16)...), generation...), times...),
		"bound":   append(append(append([]byte{0x21}, filler(8+4+16)...), generation...), times...),
	} {
		if got, ok := lastUse(raw); !ok || !got.Equal(used) {
			t.Errorf("%s: %v, %v", name, got, ok)
		}
		if got, ok := lastUse(raw[:len(raw)-1]); ok {
			t.Errorf("%s without its last byte: %v", name, got)
		}
		raw[0] += 2
		if got, ok := lastUse(raw); ok {
			t.Errorf("format %#x: %v", raw[0], got)
		}
	}
}

// The formats hold no time before 1970.
func TestATimeBefore1970IsWrittenAs1970(t *testing.T) {
	for name, e := range map[string]Entry{
		"no time":        {Kind: Session},
		"used before":    {Kind: Session, Expires: time.Unix(600, 0), Used: time.Unix(-1000, 0)},
		"expired before": {Kind: Session, Expires: time.Unix(-600, 0), Used: time.Unix(-1000, 0)},
	} {
		l, err := parseList("k", (&list{entries: []Entry{e}}).encode("k"))
		if err != nil || l.corrupt || len(l.entries) != 1 {
			t.Fatalf("%s: %+v, %v", name, l, err)
		}
		if got := l.entries[0]; got.Used.Unix() != 0 || got.Expires.Unix() != max(e.Expires.Unix(), 0) {
			t.Errorf("%s: used %v, expires %v", name, got.Used.Unix(), got.Expires.Unix())
		}
	}
}

// A damaged list may say that it has lost logins for thousands of years: after
// all logins have ended it would still make every logout an error.
func TestADamagedTimeOfLossIsReplaced(t *testing.T) {
	now := time.Now()
	until := now.Add(leastIdle)
	for _, test := range []struct{ lost, want time.Time }{
		{time.Time{}, until},
		{now.Add(time.Hour), until},
		{until.Add(time.Hour), until.Add(time.Hour)},
		{now.Add(longestLife), now.Add(longestLife)},
		{now.Add(longestLife + time.Hour), until},
	} {
		l := &list{lost: test.lost}
		if l.mend(now, until); !l.lost.Equal(test.want) {
			t.Errorf("lost until %v: mended to %v", test.lost, l.lost)
		}
	}
}
