package interleave

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/store"
)

// actor runs code, on any number of goroutines, that stops at each store call.
type actor struct {
	number  int
	model   *Model
	body    func(store.Store)
	started bool
	crashed bool // and is never resumed
	waiting []*call
	results map[string]string // results of its calls, by the name of the key
	writes  map[string]int    // by the name of a key
	keys    int               // number of keys that it was the first to use

	mu      sync.Mutex
	arrived []*call // since the last settle
	over    bool    // the run has ended: no call returns
}

func newActor(number int, model *Model, body func(store.Store)) *actor {
	return &actor{number: number, model: model, body: body, results: make(map[string]string), writes: make(map[string]int)}
}

// call is a pending store call.
type call struct {
	where, verb string // where is the key
	old, new    []byte
	writes      bool
	apply       func()
	answer      func() string

	name string
	err  error
	done chan struct{}
	end  bool // its goroutine must exit
}

func (a *actor) start() {
	a.started = true
	go a.body(a)
	a.settle()
}

func (a *actor) resume(c *call) {
	a.waiting = slices.DeleteFunc(a.waiting, func(other *call) bool { return other == c })
	a.results[a.model.keys[c.where]] += " " + c.answer()
	close(c.done)
	a.settle()
}

// settle waits until all goroutines of the actor stand at a store call, wait for each
// other, or have ended. It sorts the calls by the names of their keys, so that equal
// runs have equal traces. Goroutines of one actor must not access the same key
// concurrently, nor two unused keys.
func (a *actor) settle() {
	synctest.Wait()
	a.mu.Lock()
	arrived := a.arrived
	a.arrived = nil
	a.mu.Unlock()
	unnamed := 0
	for _, c := range arrived {
		if _, ok := a.model.keys[c.where]; !ok {
			unnamed++
			a.keys++
			a.model.keys[c.where] = fmt.Sprintf("k%d.%d", a.number, a.keys)
		}
		key := a.model.keys[c.where]
		if unnamed > 1 || slices.ContainsFunc(a.waiting, func(other *call) bool { return other.where == c.where }) {
			panic("interleave: goroutines of one actor access the same key, or two new keys, concurrently")
		}
		c.name = c.verb + " " + key
		if c.new != nil {
			a.writes[key]++
			a.model.nameValue(c.new, fmt.Sprintf("%d.%s.%d", a.number, key, a.writes[key]))
			c.name += " " + a.model.valueName(c.old) + "→" + a.model.valueName(c.new)
		}
		a.waiting = append(a.waiting, c)
	}
	slices.SortFunc(a.waiting, func(x, y *call) int { return strings.Compare(a.model.keys[x.where], a.model.keys[y.where]) })
}

func (a *actor) describe(b *bytes.Buffer) {
	fmt.Fprintf(b, "|%d %v %v", a.number, a.started, a.crashed)
	for _, key := range slices.Sorted(maps.Keys(a.results)) {
		fmt.Fprintf(b, "; %s:%s", key, a.results[key])
	}
	for _, c := range a.waiting {
		fmt.Fprintf(b, "; %s", c.name)
	}
}

// stop ends the goroutines of the actor at any point.
func (a *actor) stop() {
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
	for _, c := range a.waiting {
		c.end = true
		close(c.done)
	}
	synctest.Wait()
}

// await returns when the call has been carried out.
func (a *actor) await(c *call) {
	c.done = make(chan struct{})
	a.mu.Lock()
	over := a.over
	if !over {
		a.arrived = append(a.arrived, c)
	}
	a.mu.Unlock()
	if !over {
		<-c.done
	}
	if over || c.end {
		runtime.Goexit()
	}
}

func (a *actor) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	c := &call{where: key, verb: "get"}
	c.apply = func() { value, ok, _ = a.model.Get(ctx, key) }
	c.answer = func() string { return fmt.Sprint(c.verb, a.model.valueName(value), c.err != nil) }
	a.await(c)
	if c.err != nil {
		return nil, false, c.err
	}
	return value, ok, nil
}

func (a *actor) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	c := &call{where: key, verb: "swap", old: old, new: new, writes: true}
	c.apply = func() { swapped, _ = a.model.CompareAndSwap(ctx, key, old, new, ttl) }
	c.answer = func() string { return fmt.Sprint(c.name, swapped && c.err == nil, c.err != nil) }
	a.await(c)
	if c.err != nil {
		return false, c.err
	}
	return swapped, nil
}

func (a *actor) Delete(ctx context.Context, key string) error {
	c := &call{where: key, verb: "delete", writes: true}
	c.apply = func() { a.model.Delete(ctx, key) }
	c.answer = func() string { return fmt.Sprint(c.verb, c.err != nil) }
	a.await(c)
	return c.err
}
