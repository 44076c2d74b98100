package throttle_test

import (
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/throttle"
)

// rack-attack#192: a school or a company logs in at once from one address, with right
// passwords, of which two are verified at a time in 50 ms each. An attempt that turns out
// right gives its place back at once, so AddressFailures bounds those under way, and not
// those of a period.
func TestASchoolLogsInFromOneAddress(t *testing.T) {
	for _, c := range []struct {
		rule              string
		limit, pupils     int
		every             time.Duration // between two arrivals
		refused, refusals int           // now, and among those that try again after 3 s
	}{
		{"100 at once", 0, 100, 0, 0, 0},
		{"150 at once", 0, 150, 0, 50, 0},
		{"150 at once, with room", 150, 150, 0, 0, 0},
		{"1,000 within 25 seconds", 0, 1000, 25 * time.Millisecond, 0, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDoor(t, throttle.Config{AddressFailures: c.limit})
				cores := make(chan struct{}, 2)
				login := func(pupil int) error {
					return d.Try(httptest.NewRecorder(), from(0).request(), fmt.Sprint("pupil", pupil), func() error {
						cores <- struct{}{}
						time.Sleep(50 * time.Millisecond)
						<-cores
						return nil
					})
				}
				var refused []int
				var mu sync.Mutex
				all := func(pupils []int) {
					var wg sync.WaitGroup
					for _, pupil := range pupils {
						wg.Go(func() {
							if login(pupil) != nil {
								mu.Lock()
								refused = append(refused, pupil)
								mu.Unlock()
							}
						})
						time.Sleep(c.every)
					}
					wg.Wait()
				}
				pupils := make([]int, c.pupils)
				for i := range pupils {
					pupils[i] = i
				}
				all(pupils)
				if len(refused) != c.refused {
					t.Errorf("%d are refused, want %d", len(refused), c.refused)
				}
				time.Sleep(3 * time.Second)
				again := refused
				refused = nil
				all(again)
				if len(refused) != c.refusals {
					t.Errorf("%d of %d are refused again, want %d", len(refused), len(again), c.refusals)
				}
			})
		})
	}
}
