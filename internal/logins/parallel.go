package logins

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// parallel is how many records end at once. Many logins then end in time on a
	// slow store, and one call leaves capacity of the store to others.
	parallel = 16

	// minShare is the minimum time for each of the records that end together.
	minShare = time.Second
)

// result is whether a record has ended.
type result struct {
	ended  bool
	byThis bool // call, and not before
	err    error
}

// endRecords ends the records of entries. Records that cannot be reached do not keep
// the others alive: each record has a share of the time, and each call starts with
// another record, so that repeated calls reach all of them. A fifth of the time is
// left for the list.
func (l *Lists) endRecords(ctx context.Context, entries []Entry) []result {
	left := timeLeft(ctx) / 5 * 4
	share := shareOf(left, len(entries))
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	results := make([]result, len(entries))
	inParallel(len(entries), func(i int) {
		ctx, cancel := context.WithTimeout(ctx, share)
		defer cancel()
		if entries[i].Kind.acting() {
			l.nameActor(ctx, &entries[i])
		}
		byThis, err := l.EndRecordByThis(ctx, entries[i].Kind, entries[i].Digest, entries[i].Ending)
		results[i] = result{err == nil, byThis, err}
	})
	return results
}

// shareOf returns how long each of n calls may take, of which [parallel] run at once.
func shareOf(left time.Duration, n int) time.Duration {
	if rounds := (n + parallel - 1) / parallel; rounds > 1 {
		return max(left/time.Duration(rounds), minShare)
	}
	return left
}

// timeLeft returns how long a call with ctx may take.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour // the store limits each of its calls
}

// inParallel calls do for each number below n, starting at a random one, and returns
// when all calls have returned. A panic of do becomes a panic of its caller.
func inParallel(n int, do func(int)) {
	if n == 1 {
		do(0)
		return
	}
	numbers := make(chan int, n)
	for i, start := 0, rand.IntN(n); i < n; i++ {
		numbers <- (start + i) % n
	}
	close(numbers)
	var wg sync.WaitGroup
	panics := make(chan any, n)
	for range min(parallel, n) {
		wg.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					panics <- p
				}
			}()
			for i := range numbers {
				do(i)
			}
		})
	}
	wg.Wait()
	select {
	case p := <-panics:
		panic(p)
	default:
	}
}

// Each calls do for each login of a subject that is not being ended and that pick chooses,
// goes on past errors, and returns them. do reports whether the login has ended, so that its
// entry leaves the list. Up to 16 calls run at once, and each has a share of the time. A list
// that has lost logins which may be alive is an error.
func (l *Lists) Each(ctx context.Context, subject string, pick func(Entry) bool, do func(context.Context, Entry) (ended bool, err error)) error {
	list, err := l.read(ctx, subject)
	if err != nil {
		return err
	}
	list.remove(func(e Entry) bool { return e.Ending != 0 || !pick(e) })
	n := len(list.entries)
	if n == 0 {
		return list.incomplete()
	}
	share := shareOf(timeLeft(ctx)/5*4, n)
	ended, failures := make([]bool, n), make([]error, n)
	inParallel(n, func(i int) {
		ctx, cancel := context.WithTimeout(ctx, share)
		defer cancel()
		ended[i], failures[i] = do(ctx, list.entries[i])
	})
	gone := make(map[Digest]bool)
	for i := range ended {
		if ended[i] {
			gone[list.entries[i].Digest] = true
		}
	}
	if len(gone) > 0 {
		if err := l.remove(ctx, subject, func(e Entry) bool { return gone[e.Digest] }); err != nil {
			l.Fault(ctx, subject, err)
		}
	}
	failures = slices.DeleteFunc(failures, func(err error) bool { return err == nil })
	if failed := len(failures); failed > 0 {
		err = fmt.Errorf("logins: %d of %d failed: %w", failed, n, errors.Join(failures[:min(failed, maxErrors)]...))
	}
	return errors.Join(err, list.incomplete())
}
