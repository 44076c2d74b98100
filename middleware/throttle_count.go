package middleware

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"
)

// tally is one count in the store, and what was last read of it.
type tally struct {
	throttle *Throttle
	reason   string // in events
	limit    limit
	device   [4]byte // to count with an attempt
	resets   bool    // a success forgives what was counted before it
	digest   digest

	raw   []byte // nil: there is no record
	count count
}

// tooMany is why an attempt is not let through.
type tooMany struct {
	reason string
	wait   time.Duration // zero: for good
}

func (*tooMany) Error() string { return "middleware: throttle: too many attempts" }

func (t *tally) read(ctx context.Context) error {
	raw, ok, err := t.throttle.config.Store.Get(ctx, t.digest.key())
	if err != nil {
		return fmt.Errorf("middleware: throttle: read: %w", err)
	}
	t.raw, t.count = nil, count{}
	if ok {
		t.raw = raw
		t.count, err = decodeCount(raw, t.digest)
	}
	return err
}

// admits returns a *tooMany if the limit does not let one more attempt through.
func (t *tally) admits(now time.Time) error {
	if wait, refused := t.limit.refuses(&t.count, now); refused {
		return &tooMany{t.reason, wait}
	}
	return nil
}

// take counts an attempt, or returns a *tooMany. After any other error it may be
// counted or not.
func (t *tally) take(ctx context.Context, name attemptName) error {
	return t.swap(ctx, func(now time.Time) (bool, error) {
		if t.count.find(name) >= 0 {
			return false, nil // a swap of unknown outcome was applied
		}
		if err := t.admits(now); err != nil {
			return false, err
		}
		t.count.attempts = append(t.count.attempts, counted{now.UnixMilli(), t.device, name})
		return true, nil
	})
}

// takeBack uncounts an attempt and nothing else.
func (t *tally) takeBack(ctx context.Context, name attemptName) error {
	return t.swap(ctx, func(time.Time) (bool, error) {
		i := t.count.find(name)
		if i < 0 {
			return false, nil
		}
		t.count.attempts = append(t.count.attempts[:i], t.count.attempts[i+1:]...)
		return true, nil
	})
}

// succeed uncounts an attempt that was right. Where a success resets the count,
// those before it go with it, and those after it stay: they are under way.
func (t *tally) succeed(ctx context.Context, name attemptName) error {
	if !t.resets {
		return t.takeBack(ctx, name)
	}
	return t.swap(ctx, func(time.Time) (bool, error) {
		i := t.count.find(name)
		t.count.attempts = t.count.attempts[i+1:]
		return i >= 0, nil
	})
}

// swap changes the count by one swap. It calls edit with what was read, and again
// with what it finds whenever a swap has failed, so edit must know its own work
// when it sees it.
func (t *tally) swap(ctx context.Context, edit func(now time.Time) (changed bool, err error)) error {
	var fault error
	for tries, faults := 0, 0; ; tries++ {
		changed, err := edit(time.Now())
		if err != nil || !changed {
			return err
		}
		if faults > 1 {
			return fmt.Errorf("middleware: throttle: write: %w", fault)
		}
		before, next := t.raw, t.count.encode(t.digest)
		swapped, failed := t.throttle.config.Store.CompareAndSwap(ctx, t.digest.key(), before, next, t.limit.ttl(&t.count))
		if failed == nil && swapped {
			t.raw = next
			return nil
		}
		if tries == 0 { // somebody is in the way, and may not be the only one
			leave, err := t.throttle.queue.Enter(ctx, t.digest)
			if err != nil {
				return fmt.Errorf("middleware: throttle: write: %w", err)
			}
			defer leave()
		}
		if err := t.read(ctx); err != nil {
			return err
		}
		if failed == nil && bytes.Equal(before, t.raw) {
			failed = errContradiction
		}
		if failed != nil {
			fault = failed
			faults++
		}
	}
}

var errContradiction = errors.New("the store contradicts itself")
