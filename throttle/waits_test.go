package throttle_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/throttle"
)

// The waits with the default configuration.
func TestWaitsDoubleUpToAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{})
		d.wrongs(from(0), "alice", 5)
		for i, want := range []time.Duration{
			30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 16 * time.Minute,
			32 * time.Minute, time.Hour, time.Hour, time.Hour,
		} {
			got, wait := d.attempt(from(0), "alice", false)
			if got != "throttled" || wait != want {
				t.Errorf("wait %d: %s for %v, want %v", i, got, wait, want)
			}
			time.Sleep(wait)
			d.wrongs(from(0), "alice", 1)
		}
	})
}

// An attempt is admitted exactly after the reported wait, and not earlier. There are as
// many free attempts as configured, no wait is shorter than the one before, and the
// last attempt locks the account.
func TestAnAttemptAfterTheWaitIsAdmitted(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		c := throttle.Config{
			MaxFailures:     1 + random.IntN(100),
			FirstWait:       time.Second + time.Duration(random.Int64N(int64(time.Hour))),
			AddressFailures: 1000,
		}
		c.Failures = 1 + random.IntN(c.MaxFailures)
		c.LongestWait = c.FirstWait + time.Duration(random.Int64N(int64(24*time.Hour)))
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t, c)
				d.wrongs(from(0), "alice", c.Failures)
				var last time.Duration
				for n := c.Failures; n < c.MaxFailures; n++ {
					got, wait := d.attempt(from(0), "alice", true)
					if got != "throttled" || wait < max(last, c.FirstWait)-time.Millisecond || wait > c.LongestWait {
						t.Fatalf("after %d of %+v it is %s for %v, before that %v", n, c, got, wait, last)
					}
					last = wait
					time.Sleep(wait - time.Nanosecond)
					d.expect("throttled", from(1), "alice", true)
					time.Sleep(time.Nanosecond)
					d.wrongs(from(0), "alice", 1)
				}
				if got, wait := d.attempt(from(0), "alice", true); got != "throttled" || wait != 0 {
					t.Fatalf("after all of %+v it is %s for %v", c, got, wait)
				}
			})
		})
	}
}

// With any sequence of right and wrong attempts, no period has more failures than the
// allowance and the attempts that came back in it.
func TestNoStretchOfTimeHasMoreThanAnAddressIsAllowed(t *testing.T) {
	seeds := uint64(100)
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		random := rand.New(rand.NewPCG(seed, 1))
		c := throttle.Config{
			Failures:        1,
			AddressFailures: 1 + random.IntN(20),
			AddressRecovery: time.Second + time.Duration(random.IntN(60_000))*time.Millisecond, // as times are stored
		}
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(t, c)
			var failed []time.Time
			for i := range 300 {
				got, wait := d.attempt(from(0), fmt.Sprint("account ", i), random.IntN(4) == 0)
				switch got {
				case "wrong":
					failed = append(failed, time.Now())
				case "throttled":
					if wait <= 0 || wait > c.AddressRecovery {
						t.Fatalf("wait for %v", wait)
					}
					if random.IntN(2) == 0 {
						time.Sleep(wait)
						if got := d.try(from(0), fmt.Sprint("waited ", i), true); got != "right" {
							t.Fatalf("seed %d: after the wait the outcome is %s", seed, got)
						}
					}
				}
				time.Sleep(time.Duration(random.Int64N(int64(c.AddressRecovery))))
			}
			for i := range failed {
				for j := i; j < len(failed); j++ {
					most := c.AddressFailures + int((failed[j].Sub(failed[i])+time.Millisecond)/c.AddressRecovery)
					if j-i+1 > most {
						t.Fatalf("seed %d: %d failures in %v", seed, j-i+1, failed[j].Sub(failed[i]))
					}
				}
			}
			if len(failed) < c.AddressFailures {
				t.Errorf("seed %d: %d failures are too few for this test", seed, len(failed))
			}
		})
	}
}
