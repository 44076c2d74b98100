package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth/store"
)

// waiting is how many requests may be in progress. Those that arrive beyond it
// are not sent, and are counted.
const waiting = 10_000

// An arrival is what requests took that came at their own times, whether the
// server kept up or not (an open loop). The times count from when a request was
// to be sent, not from when it was.
type arrival struct {
	Logins         int
	Rate           float64 // requests a second, on average
	Sent, Dropped  int
	P50, P99, P999 time.Duration
	Most           time.Duration
}

// arrivals measures growing numbers of logins in memory, each in a process of
// its own, at some rates.
func arrivals(ctx context.Context, b *bench) error {
	for _, power := range slices.Compact([]int{min(5, b.powers), b.powers}) {
		n := int(math.Pow10(power))
		b.say("arrivals, %d logins", n)
		var all []arrival
		end, err := startChild(&all, "arrive", b.arrival.String(), fmt.Sprint(n))
		if err != nil {
			return err
		}
		if err := end(); err != nil {
			return err
		}
		b.results.arrivals = append(b.results.arrivals, all...)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// rates are requests a second.
var rates = []float64{1_000, 5_000, 20_000}

// arrive logs in n subjects, and lets requests, logins and logouts arrive.
func arrive(duration string, n int, out io.Writer) error {
	d, err := time.ParseDuration(duration)
	if err != nil {
		return err
	}
	s, err := ourSessions("", &store.Memory{MaxBytes: math.MaxInt64})
	if err != nil {
		return err
	}
	some, err := logIn(s, n)
	if err != nil {
		return err
	}
	runtime.GC()
	var all []arrival
	for _, rate := range rates {
		a, err := openLoop(s, some, rate, d)
		if err != nil {
			return err
		}
		a.Logins = n
		all = append(all, a)
	}
	return json.NewEncoder(out).Encode(all)
}

// openLoop sends requests at random times. One in a hundred logs a subject in,
// and out again.
func openLoop(s site, some []loggedIn, rate float64, d time.Duration) (arrival, error) {
	a := arrival{Rate: rate}
	var mu sync.Mutex
	var times []time.Duration
	var failed error
	var group sync.WaitGroup
	var inProgress atomic.Int64
	start := time.Now()
	for at := time.Duration(0); at < d; at += time.Duration(rand.ExpFloat64() / rate * float64(time.Second)) {
		sleepUntil(start.Add(at))
		if inProgress.Load() >= waiting {
			a.Dropped++
			continue
		}
		a.Sent++
		inProgress.Add(1)
		login, writes := some[rand.IntN(len(some))], a.Sent%100 == 0
		group.Go(func() {
			defer inProgress.Add(-1)
			err := once(s, login, writes)
			took := time.Since(start.Add(at))
			mu.Lock()
			defer mu.Unlock()
			times = append(times, took)
			if err != nil {
				failed = err
			}
		})
	}
	group.Wait()
	slices.Sort(times)
	a.P50, a.P99, a.P999, a.Most = quantile(times, .5), quantile(times, .99), quantile(times, .999), times[len(times)-1]
	return a, failed
}

func once(s site, login loggedIn, writes bool) error {
	if !writes {
		return s.reading(login.credential, login.subject)()
	}
	credential, err := s.login("visitor-" + login.subject)
	if err != nil {
		return err
	}
	return s.logout(credential)
}

// sleepUntil is exact to some microseconds, which time.Sleep is not.
func sleepUntil(t time.Time) {
	for left := time.Until(t); left > 0; left = time.Until(t) {
		if left > 2*time.Millisecond {
			time.Sleep(left - time.Millisecond)
		} else {
			runtime.Gosched()
		}
	}
}

// writeArrivals writes what the load has shown.
func (r *results) writeArrivals(p *page) {
	if len(r.arrivals) == 0 {
		return
	}
	p.text("### Requests that do not wait for each other\n\n" +
		"Requests of random users arrive at random times, whether the previous ones have been served or not\n" +
		"(an open loop); one in a hundred is a login with a logout. Sessions in memory; the load runs in the same\n" +
		"process. The times count from when a request was due, so they include the pauses of the garbage collection.")
	var rows [][]string
	for _, a := range r.arrivals {
		dropped := ""
		if a.Dropped > 0 {
			dropped = fmt.Sprintf(" (%d not sent)", a.Dropped)
		}
		rows = append(rows, []string{count(a.Logins), count(int(a.Rate)) + dropped, brief(a.P50), brief(a.P99), brief(a.P999), brief(a.Most)})
	}
	p.table([]string{" logins", " requests a second", " median", " 99 %", " 99.9 %", " slowest"}, rows)
}
