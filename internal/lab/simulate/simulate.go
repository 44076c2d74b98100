// Package simulate runs refreshes of one login through the real handler, over any
// store, on several hosts, in a simulated environment. Requests and responses are
// delayed, reordered, duplicated and lost. The store fails before and after it has
// done its work, and loses acknowledged writes. Pages are closed, tabs share a cookie
// jar, and thieves copy it. Call [Run] for many short schedules, or [PlayDay] for one
// login from start to end. The package is for tests of this module.
//
// A world is created from a seed and runs the same each time. Time is that of a
// synctest bubble, and everything happens in one goroutine: a host that serves a
// request is a coroutine that stops at each store call.
package simulate

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// Run plays a number of schedules over stores from open, which is called once for
// each, outside of any bubble. It fails the test with the seed and the trace of a
// schedule that breaks an invariant. It returns what happened, for the test to log.
func Run(t *testing.T, open func() store.Store, seed uint64, schedules int) Totals {
	t.Helper()
	totals := make(Totals)
	for n := range uint64(schedules) {
		played, trace, err := Try(t, open(), seed, n)
		if totals.add(played); err != nil {
			t.Fatalf("seed %d, schedule %d: %v\nafter\n\t%s", seed, n, err, strings.Join(trace, "\n\t"))
		}
	}
	return totals
}

// Try plays one schedule over a store. It returns what happened, and an error if the store
// returned a wrong result or an invariant was broken. It deletes what it wrote.
func Try(t *testing.T, s store.Store, seed, n uint64) (totals Totals, trace []string, failed error) {
	t.Helper()
	backend := newOutside(s)
	defer backend.close()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(backend, rand.New(rand.NewPCG(seed, n)))
		failed = w.play()
		totals, trace = w.totals, w.trace
	})
	if wrong := backend.store.failed; wrong != nil {
		failed = wrong
	}
	return totals, trace, failed
}

// Totals counts what happened in schedules, so that a test can show that its
// schedules were not trivial.
type Totals map[string]int

func (t Totals) add(other Totals) {
	for what, n := range other {
		t[what] += n
	}
}

// gracePeriod is the default grace period of token.IssuerConfig.
const gracePeriod = 10 * time.Second

// inFlight is the maximum time in transit of a request and its response together. No
// message is in transit when a grace period ends. A late request or response that
// meets the rotation after the next one is a documented and accepted risk: it ends an
// honest login.
const inFlight = gracePeriod/2 - time.Second

// flavour is the kind of faults in a schedule. Schedules do not combine all of them,
// because some combinations are documented and accepted risks.
type flavour int

const (
	chaos    flavour = iota // an honest browser, a bad network, a failing store
	failover                // the store forgets acknowledged writes
	theft                   // a thief has copied the cookie
	leaving                 // the browser logs out at some point
	flavours
)

// play runs the schedule to its end.
func (w *world) play() error {
	defer func() {
		for _, p := range w.serving {
			p.stop()
		}
	}()
	if err := w.logIn(); err != nil {
		return err
	}
	for range 30 + w.rng.IntN(50) {
		if err := w.act(); err != nil {
			return err
		}
		if wrong := w.backend.store.failed; wrong != nil {
			return wrong
		}
	}
	return w.settle()
}

// act does one thing, chosen at random among the possible ones.
func (w *world) act() error {
	type action struct {
		weight int
		do     func() error
	}
	var actions []action
	add := func(possible bool, weight int, do func() error) {
		if possible {
			actions = append(actions, action{weight, do})
		}
	}
	tab := w.idleTab()
	add(tab != nil && !w.leftFor, 4, func() error { w.send(tab); return nil })
	add(len(w.requests) > 0, 6, w.arrive)
	add(len(w.serving) > 0, 20, w.serve)
	add(len(w.answers) > 0, 6, w.answer)
	add(true, 2, w.tick)
	add(true, 1, w.pause)
	add(w.rng.IntN(4) == 0, 1, w.rotateKeys)
	add(w.flavour == failover && w.quiet(), 2, w.forget)
	add(w.flavour == theft && w.thief.token == "" && w.rng.IntN(4) == 0, 2, w.steal)
	add(w.flavour == theft && w.thief.token != "", 2, w.useStolen)
	add(w.quiet() && w.jar != "" && w.rng.IntN(6) == 0, 1, w.forge)
	add(w.flavour == leaving && !w.leftFor && w.rng.IntN(6) == 0, 1, w.leave)
	total := 0
	for _, a := range actions {
		total += a.weight
	}
	for pick := w.rng.IntN(total); ; {
		if pick -= actions[0].weight; pick < 0 {
			return actions[0].do()
		}
		actions = actions[1:]
	}
}

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%7.1fs ", time.Since(w.began).Seconds())+fmt.Sprintf(format, args...))
}
