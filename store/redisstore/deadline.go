package redisstore

import (
	"context"
	"sync"
	"time"
)

// A deadline is a context that ends with its parent, and after timeout at the
// latest. It is reused after a call that got a response in time, because
// context.WithTimeout would make a channel and allocate five times per call.
type deadline struct {
	parent context.Context
	end    time.Time
	timer  *time.Timer
	follow func()      // cancels with the error of parent
	stop   func() bool // stops follow; nil if parent never ends
	done   chan struct{}

	mu  sync.Mutex
	err error
}

// begin returns a deadline for a call.
func (g *gate) begin(parent context.Context) *deadline {
	d, ok := g.deadlines.Get().(*deadline)
	if ok {
		d.timer.Reset(timeout)
	} else {
		d = &deadline{done: make(chan struct{})}
		d.follow = func() { d.cancel(d.parent.Err()) }
		d.timer = time.AfterFunc(timeout, func() { d.cancel(context.DeadlineExceeded) })
	}
	d.parent, d.end, d.stop = parent, time.Now().Add(timeout), nil
	if parent.Done() != nil {
		d.stop = context.AfterFunc(parent, d.follow)
	}
	return d
}

// release stops the timer and the following of the parent, and reports whether
// the deadline had not ended.
func (d *deadline) release() bool {
	pending := d.timer.Stop()
	if d.stop != nil && !d.stop() {
		pending = false
	}
	return pending
}

// reuse keeps a deadline for another call, unless it has ended.
func (g *gate) reuse(d *deadline) {
	if d.release() {
		d.parent, d.stop = nil, nil
		g.deadlines.Put(d)
	}
}

func (d *deadline) cancel(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err == nil {
		d.err = err
		close(d.done)
	}
}

func (d *deadline) Done() <-chan struct{} { return d.done }

func (d *deadline) Value(key any) any { return d.parent.Value(key) }

func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *deadline) Deadline() (time.Time, bool) {
	if end, ok := d.parent.Deadline(); ok && end.Before(d.end) {
		return end, true
	}
	return d.end, true
}
