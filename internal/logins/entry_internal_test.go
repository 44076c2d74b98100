package logins

import (
	"testing"
	"time"
)

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
	until := now.Add(7 * 24 * time.Hour)
	for _, test := range []struct{ lost, want time.Time }{
		{time.Time{}, until},
		{now.Add(time.Hour), until},
		{until.Add(time.Hour), until.Add(time.Hour)},
		{now.Add(maxLifetime), now.Add(maxLifetime)},
		{now.Add(maxLifetime + time.Hour), until},
	} {
		l := &list{lost: test.lost}
		if l.repair(now, until); !l.lost.Equal(test.want) {
			t.Errorf("lost until %v: repaired to %v", test.lost, l.lost)
		}
	}
}
