package session

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// Clocks differ between hosts and jump. What a record says of times that cannot
// be ends nothing early by much, and lets nothing live beyond its lifetime.
func TestClocksThatJump(t *testing.T) {
	for _, c := range []struct {
		rule                             string
		created, used, authTime, expires time.Duration // from now
		alive                            bool
		until                            time.Duration // without use, if alive
	}{
		{"as it should be", -time.Hour, -time.Minute, -time.Hour, time.Hour, true, 59 * time.Minute},
		{"created in the future", time.Minute, time.Minute, time.Minute, 10 * time.Hour, true, time.Hour},
		{"used in the future", -time.Hour, 2 * time.Hour, -time.Hour, 10 * time.Hour, true, time.Hour},
		{"used beyond its own end", -time.Hour, 20 * time.Hour, -time.Hour, 10 * time.Hour, true, time.Hour},
		{"used at the end of time", -time.Hour, 100 * 365 * 24 * time.Hour, -time.Hour, time.Hour, true, time.Hour},
		{"ended by a clock that has jumped", -30 * time.Hour, -time.Minute, -30 * time.Hour, -time.Hour, false, 0},
		{"not used for long", -10 * time.Hour, -2 * time.Hour, -10 * time.Hour, 10 * time.Hour, false, 0},
		{"from 1970", -1 << 62, -1 << 62, -1 << 62, time.Hour, false, 0},
		{"ended when it was created", time.Hour, time.Hour, time.Hour, time.Hour, false, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := plant(t, nil)
				ms := func(d time.Duration) int64 { return max(time.Now().Add(d).UnixMilli(), 0) }
				s := live(p.digest)
				s.record.Flags = flagAnonymous // its touch asks no list
				s.record.Created, s.record.Used, s.record.AuthTime, s.record.Expires = ms(c.created), ms(c.used), ms(c.authTime), ms(c.expires)
				p.put(t, s.encode())
				got, err := p.Get(p.r)
				if (err == nil) != c.alive || err != nil && !errors.Is(err, auth.ErrNoCredential) {
					t.Fatalf("%v, want alive: %t", err, c.alive)
				}
				if !c.alive {
					return
				}
				if ends := time.Until(p.ends(got)).Round(time.Millisecond); ends != c.until {
					t.Errorf("lasts %v, want %v", ends, c.until)
				}
				if got.record.Used > time.Now().UnixMilli() {
					t.Error("used in the future")
				}
				time.Sleep(c.until)
				if _, err := p.Get(p.r); !errors.Is(err, auth.ErrNoCredential) {
					t.Errorf("at its end: %v", err)
				}
			})
		})
	}
}

// A time to live is never zero, and never for ever.
func TestTimeToLiveIsAlwaysPositive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plant(t, nil)
		now := time.Now().UnixMilli()
		for _, ms := range []int64{0, 1, now - 1<<40, now - 1, now, now + 1, now + 1000, now + 1<<30, 1 << 52, 1 << 53} {
			for _, flags := range []byte{0, flagRemembered} {
				rec := &sessionrecord.Record{Flags: flags, Used: ms, Expires: ms}
				if ttl := p.ttl(rec); ttl < margin || ms < now+1<<31 && ttl > 400*24*time.Hour {
					t.Errorf("at %d: %v", ms, ttl)
				}
			}
		}
	})
}
