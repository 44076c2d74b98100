package throttle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/queue"
)

// tally is one count in the store, and what was last read of it.
type tally struct {
	limiter *Limiter
	reason  string // in events
	limit   limit
	device  [4]byte // to count with an attempt
	resets  bool    // a success takes away what was counted before it
	digest  digest

	raw   []byte // nil: there is no record
	count count
}

// tooMany is why an attempt is not let through.
type tooMany struct {
	reason string
	wait   time.Duration // zero: locked
}

func (*tooMany) Error() string { return "throttle: too many attempts" }

func (t *tally) read(ctx context.Context) error {
	raw, ok, err := t.limiter.config.Store.Get(ctx, t.digest.key())
	if err != nil {
		return fmt.Errorf("throttle: read: %w", err)
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
// with what it finds whenever a swap has failed, so edit must recognize its own work
// when it reads it.
func (t *tally) swap(ctx context.Context, edit func(now time.Time) (changed bool, err error)) error {
	turn := turn{queue: &t.limiter.queue, digest: t.digest}
	defer turn.end()
	var faults []error
	for {
		changed, err := edit(time.Now())
		if err != nil || !changed {
			return err
		}
		if len(faults) > 1 {
			return fmt.Errorf("throttle: write: %w", faults[1])
		}
		before := t.raw
		swapped, fault := t.write(ctx)
		if swapped {
			return nil
		}
		// Another attempt is in the way, and may not be the only one.
		if err := turn.wait(ctx); err != nil {
			return fmt.Errorf("throttle: write: %w", err)
		}
		if err := t.read(ctx); err != nil {
			return err
		}
		if fault == nil && bytes.Equal(before, t.raw) {
			fault = errContradiction
		}
		if fault != nil {
			faults = append(faults, fault)
		}
	}
}

// write swaps what was last read for the count. fault is an outcome that is unknown.
func (t *tally) write(ctx context.Context) (swapped bool, fault error) {
	next := t.count.encode(t.digest)
	swapped, fault = t.limiter.config.Store.CompareAndSwap(ctx, t.digest.key(), t.raw, next, t.limit.ttl(&t.count))
	if swapped = swapped && fault == nil; swapped {
		t.raw = next
	}
	return swapped, fault
}

var errContradiction = errors.New("the store contradicts itself")

// turn is that of one attempt, which takes it when it first has to wait for others.
// Without it a thousand that swap at once would fail a thousand times for each one that
// succeeds, and keep the store from all others: TestAFloodCostsTheStoreFewCalls.
type turn struct {
	queue  *queue.Queue[digest]
	digest digest
	leave  func() // nil: it has none yet
}

// wait returns when it is the attempt's turn.
func (t *turn) wait(ctx context.Context) (err error) {
	if t.leave == nil {
		t.leave, err = t.queue.Enter(ctx, t.digest)
	}
	return err
}

func (t *turn) end() {
	if t.leave != nil {
		t.leave()
	}
}
