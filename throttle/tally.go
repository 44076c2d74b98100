package throttle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/record"
)

// tally is one count in the store, as last read.
type tally struct {
	limiter *Limiter
	reason  string // in events
	limit   limit
	device  [4]byte // recorded with each attempt
	resets  bool    // a success also removes earlier attempts
	digest  record.Digest

	raw   []byte // nil if there is no record
	count count
}

// tooMany reports why an attempt is refused.
type tooMany struct {
	reason string
	wait   time.Duration // zero if locked
}

func (*tooMany) Error() string { return "throttle: too many attempts" }

func (t *tally) read(ctx context.Context) error {
	raw, ok, err := t.limiter.config.Store.Get(ctx, t.digest.Key())
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

// admits returns a *tooMany if the limit does not admit one more attempt.
func (t *tally) admits(now time.Time) error {
	if wait, refused := t.limit.refuses(&t.count, now); refused {
		return &tooMany{t.reason, wait}
	}
	return nil
}

// take counts an attempt, or returns a *tooMany. After any other error the attempt
// may or may not be counted.
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

// takeBack removes an attempt from the count, and no other.
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

// succeed removes a successful attempt from the count. If a success resets the count,
// earlier attempts are removed as well; later ones stay, because they are in
// progress.
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

// swap changes the count by one compare-and-swap. It calls edit with the count that
// was read, and again with the current count whenever the swap has failed, so edit
// must recognize its own earlier change.
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
		// Other attempts change the same count; take turns with them.
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

// write swaps the count for the one that was last read. fault is an error after which
// the outcome is unknown.
func (t *tally) write(ctx context.Context) (swapped bool, fault error) {
	next := t.count.encode(t.digest)
	swapped, fault = t.limiter.config.Store.CompareAndSwap(ctx, t.digest.Key(), t.raw, next, t.limit.ttl(&t.count))
	if swapped = swapped && fault == nil; swapped {
		t.raw = next
	}
	return swapped, fault
}

var errContradiction = errors.New("the store contradicts itself")

// turn is the turn of one attempt, which enters the queue when it first has to wait
// for others. Without a queue, of a thousand concurrent swaps all but one would fail
// each time, and overload the store: TestAFloodCostsTheStoreFewCalls.
type turn struct {
	queue  *queue.Queue[record.Digest]
	digest record.Digest
	leave  func() // nil if it has not entered
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
