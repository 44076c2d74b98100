package rotation

import (
	"testing"
	"time"

	"github.com/authlatch/auth/internal/clocks"
)

// A family whose times were moved, by whatever clock, can be stored and read again, with
// the lifetime that it was given.
func TestASettledFamilyComesBack(t *testing.T) {
	created := time.UnixMilli(sample().Created)
	for _, from := range []time.Duration{-10 * 365 * 24 * time.Hour, -9 * time.Hour, -time.Second, 0, time.Second, 9 * time.Hour} {
		f := sample()
		f.Requested, f.Remembered = f.Expires+1, true
		f.Settle(created.Add(from), time.Hour)
		behind := *f.After(Rotates, f.Generation, "attempt", created.Add(from), time.Hour, Device{})
		for _, then := range []time.Duration{0, time.Minute, -from, 20 * 365 * 24 * time.Hour} {
			f := behind
			f.Settle(created.Add(from+then), time.Hour)
			got, err := Parse(f.Encode())
			if err != nil {
				t.Fatalf("%v, then %v: %v", from, then, err)
			}
			if got.Expires-got.Created != 9000 || got.Requested-got.Created != 9001 || got.AuthTime-got.Created != -1000 {
				t.Errorf("%v, then %v: %+v", from, then, got)
			}
		}
	}
}

// The time by which a family was moved is stored, in one form.
func TestMovedTimesComeBack(t *testing.T) {
	f := sample()
	f.Moved = clocks.Moved{Created: 1, Used: 2}
	if got, err := Parse(f.Encode()); err != nil || got.Moved != f.Moved {
		t.Errorf("%+v, %v", got, err)
	}
	f.Moved.Created = 3
	if _, err := Parse(f.Encode()); err != ErrCorrupt {
		t.Errorf("creation moved further than use: %v", err)
	}
}
