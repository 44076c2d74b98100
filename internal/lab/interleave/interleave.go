// Package interleave explores all interleavings of store calls that concurrent code
// can make, with a bounded number of faults at every possible place, and checks an
// invariant after each step. Call [Explore] with a [Scenario]. The package is for
// tests of this module.
//
// Each actor runs real code, including its goroutines. All of them stop at their
// store calls, so a run is a sequence of choices: which call is carried out next, and
// whether it succeeds, fails before or after it is applied, or crashes its actor. The
// explorer visits all sequences depth first and stops at a state that it has seen
// before. It runs in a [synctest] bubble, where no time passes.
package interleave

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/authlatch/auth/store"
)

// Scenario describes one exploration. A new one is created for each run.
type Scenario struct {
	// Actors run concurrently. Each gets a store of its own over the model.
	Actors []func(store.Store)

	// Faults is the maximum number of faults in a run: calls that fail before or
	// after they are applied, and crashes.
	Faults int

	// Check is called once in each state. done is true in a final state.
	Check func(done bool) error

	// Facts returns the state of Check beyond the contents of the store and the
	// results of the actors' calls: states with different facts are different. It may
	// be nil.
	Facts func() string
}

// ErrFault is the error of a store call that was chosen to fail.
var ErrFault = errors.New("interleave: the store failed")

// Explore creates scenarios and runs them in every order. It returns the number of
// states, and fails the test with the steps that led to a failing check.
func Explore(t *testing.T, scenario func(*Model) Scenario) (states int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { states = explore(t, scenario) })
	return states
}

func explore(t *testing.T, scenario func(*Model) Scenario) int {
	t.Helper()
	seen := make(map[[sha256.Size]byte]bool)
	for path := []choice{}; ; {
		r := newRun(scenario)
		err := r.follow(&path, seen)
		r.stop()
		if err != nil {
			t.Fatalf("%v\nafter\n\t%s", err, strings.Join(r.trace, "\n\t"))
		}
		// The next path differs in the last choice that has another option.
		for len(path) > 0 && path[len(path)-1].taken == path[len(path)-1].options-1 {
			path = path[:len(path)-1]
		}
		if len(path) == 0 {
			return len(seen)
		}
		path[len(path)-1].taken++
	}
}

type choice struct{ taken, options int }

// run is one sequence of steps.
type run struct {
	model    *Model
	scenario Scenario
	actors   []*actor
	faults   int
	trace    []string
}

func newRun(scenario func(*Model) Scenario) *run {
	r := &run{model: NewModel()}
	r.scenario = scenario(r.model)
	for i, body := range r.scenario.Actors {
		r.actors = append(r.actors, newActor(i, r.model, body))
	}
	return r
}

// follow takes the choices of path and then the first option of each further choice,
// which it appends, until all actors are done or the state is known.
func (r *run) follow(path *[]choice, seen map[[sha256.Size]byte]bool) error {
	for step := 0; ; step++ {
		options := r.options()
		if len(options) == 0 {
			return nil
		}
		if step == len(*path) {
			*path = append(*path, choice{options: len(options)})
		}
		r.take(options[(*path)[step].taken])
		if step < len(*path)-1 {
			continue // an earlier run has checked this state
		}
		state := r.state()
		if seen[state] {
			return nil
		}
		seen[state] = true
		if err := r.scenario.Check(len(r.options()) == 0); err != nil {
			return err
		}
	}
}

// outcome is the outcome of a step.
type outcome int

const (
	succeeds outcome = iota
	failsBefore
	failsAfter
	crashesBefore
	crashesAfter
)

var outcomes = [...]string{"", " FAILS before", " FAILS after", " CRASHES before", " CRASHES after"}

type option struct {
	actor   *actor
	call    *call // nil to start the actor
	outcome outcome
}

func (r *run) options() (list []option) {
	for _, a := range r.actors {
		if !a.started {
			list = append(list, option{actor: a})
			continue
		}
		if a.crashed {
			continue
		}
		for _, c := range a.waiting {
			list = append(list, option{a, c, succeeds})
			if r.faults == r.scenario.Faults {
				continue
			}
			list = append(list, option{a, c, failsBefore}, option{a, c, crashesBefore})
			if c.writes {
				list = append(list, option{a, c, failsAfter}, option{a, c, crashesAfter})
			}
		}
	}
	return list
}

func (r *run) take(o option) {
	a, c := o.actor, o.call
	if c == nil {
		r.trace = append(r.trace, fmt.Sprintf("%d starts", a.number))
		a.start()
		return
	}
	r.trace = append(r.trace, fmt.Sprintf("%d %s%s", a.number, c.name, outcomes[o.outcome]))
	if o.outcome != succeeds {
		r.faults++
	}
	if o.outcome != failsBefore && o.outcome != crashesBefore {
		c.apply()
	}
	switch o.outcome {
	case failsBefore, failsAfter:
		c.err = ErrFault
	case crashesBefore, crashesAfter:
		a.crashed = true
		return
	}
	a.resume(c)
}

// state identifies a state by the content of the store, the results that each actor
// has received, which determine what its code does next, and the facts.
func (r *run) state() [sha256.Size]byte {
	var b bytes.Buffer
	r.model.describe(&b)
	for _, a := range r.actors {
		a.describe(&b)
	}
	fmt.Fprintf(&b, "|%d", r.faults)
	if r.scenario.Facts != nil {
		b.WriteString(r.scenario.Facts())
	}
	return sha256.Sum256(b.Bytes())
}

func (r *run) stop() {
	for _, a := range r.actors {
		a.stop()
	}
}
