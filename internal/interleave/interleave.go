// Package interleave runs pieces of code over one model store in every order in
// which their store calls can happen, with a number of faults at every place
// where they can happen, and checks an invariant after each step. It is for
// tests of this module.
//
// Each piece of code, an actor, is the real code. It runs as a coroutine that
// stops at each of its store calls, so a run is a sequence of choices: which
// actor goes on, and whether its call succeeds, fails before or after it was
// applied, or is the last thing that the actor ever does. The explorer goes
// through all sequences, depth first, and does not go on from a state in which
// it has been before.
package interleave

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// Scenario is what is explored. A fresh one is made for each run.
type Scenario struct {
	// Actors run at the same time. Each is given a store of its own over the
	// model.
	Actors []func(store.Store)

	// Faults is how many faults there are at most in a run: calls that fail,
	// before or after they have been applied, and crashes.
	Faults int

	// Check is called once in each state; done is true in a last one.
	Check func(done bool) error

	// Facts is what Check knows beyond the contents of the store and what the
	// actors have been told by it: states with other facts are different. It
	// may be nil.
	Facts func() string
}

// ErrFault is what a store call returns that was chosen to fail.
var ErrFault = errors.New("interleave: the store failed")

// Explore makes scenarios and runs them in every order. It returns the number
// of states that it has seen, and fails the test with the steps that led there
// when a check fails.
func Explore(t testing.TB, scenario func(*Model) Scenario) int {
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

// follow takes the choices of path and then the first ones, which it appends,
// until all actors are through or the state is known.
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
			continue // another run has been here
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

// outcome is how a step ends.
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
	outcome outcome
}

func (r *run) options() (list []option) {
	for _, a := range r.actors {
		if a.done {
			continue
		}
		list = append(list, option{a, succeeds})
		if a.call == nil || r.faults == r.scenario.Faults {
			continue
		}
		list = append(list, option{a, failsBefore}, option{a, crashesBefore})
		if a.call.writes {
			list = append(list, option{a, failsAfter}, option{a, crashesAfter})
		}
	}
	return list
}

func (r *run) take(o option) {
	a := o.actor
	what := "starts"
	if a.call != nil {
		what = a.call.name
	}
	r.trace = append(r.trace, fmt.Sprintf("%d %s%s", a.number, what, outcomes[o.outcome]))
	if o.outcome != succeeds {
		r.faults++
	}
	if a.call != nil && o.outcome != failsBefore && o.outcome != crashesBefore {
		a.call.apply()
	}
	switch o.outcome {
	case failsBefore, failsAfter:
		a.call.err = ErrFault
	case crashesBefore, crashesAfter:
		a.heard("crash")
		a.stop()
		return
	}
	if a.call != nil {
		a.heard(a.call.answer())
	}
	a.resume()
}

// state tells states apart by what is in the store, what each actor has heard
// so far, which with its code decides what it does next, and the facts.
func (r *run) state() [sha256.Size]byte {
	var b bytes.Buffer
	r.model.describe(&b)
	for _, a := range r.actors {
		fmt.Fprintf(&b, "|%d %v %v %s", a.number, a.call != nil, a.done, a.history.String())
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

// actor is a coroutine that stops at each store call.
type actor struct {
	number  int
	model   *Model
	call    *call // that it waits for, nil before it starts
	done    bool
	history strings.Builder
	keys    int // that it was the first to use
	writes  int

	yield func(*call) bool
	next  func() (*call, bool)
	end   func()
}

// crash unwinds an actor that does not go on.
type crash struct{}

func newActor(number int, model *Model, body func(store.Store)) *actor {
	a := &actor{number: number, model: model}
	a.next, a.end = iter.Pull(func(yield func(*call) bool) {
		defer func() {
			if p := recover(); p != nil && p != (crash{}) {
				panic(p)
			}
		}()
		a.yield = yield
		body(a)
	})
	return a
}

func (a *actor) heard(what string) { fmt.Fprintf(&a.history, " %s", what) }

func (a *actor) resume() {
	call, ok := a.next()
	a.call, a.done = call, !ok
}

func (a *actor) stop() {
	a.done = true
	a.end()
}

// call is a store call that waits to be carried out.
type call struct {
	name   string
	writes bool
	apply  func()
	answer func() string
	err    error
}

// keyName names a key by who was the first to use it.
func (a *actor) keyName(key string) string {
	if _, ok := a.model.keys[key]; !ok {
		a.keys++
		a.model.keys[key] = fmt.Sprintf("k%d.%d", a.number, a.keys)
	}
	return a.model.keys[key]
}

func (a *actor) await(c *call) {
	if a.done || !a.yield(c) {
		panic(crash{})
	}
}

func (a *actor) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	c := &call{name: "get " + a.keyName(key)}
	c.apply = func() { value, ok, _ = a.model.Get(ctx, key) }
	c.answer = func() string { return fmt.Sprint(c.name, a.model.valueName(value), c.err != nil) }
	a.await(c)
	if c.err != nil {
		return nil, false, c.err
	}
	return value, ok, nil
}

func (a *actor) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	a.writes++
	a.model.nameValue(new, fmt.Sprintf("%d.%d", a.number, a.writes))
	c := &call{writes: true}
	c.name = fmt.Sprintf("swap %s %s→%s", a.keyName(key), a.model.valueName(old), a.model.valueName(new))
	c.apply = func() { swapped, _ = a.model.CompareAndSwap(ctx, key, old, new, ttl) }
	c.answer = func() string { return fmt.Sprint(c.name, swapped && c.err == nil, c.err != nil) }
	a.await(c)
	if c.err != nil {
		return false, c.err
	}
	return swapped, nil
}

func (a *actor) Delete(ctx context.Context, key string) error {
	c := &call{name: "delete " + a.keyName(key), writes: true}
	c.apply = func() { a.model.Delete(ctx, key) }
	c.answer = func() string { return fmt.Sprint(c.name, c.err != nil) }
	a.await(c)
	return c.err
}
