package logins

import (
	"context"
	"math/rand/v2"
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
	share := left
	if rounds := (len(entries) + parallel - 1) / parallel; rounds > 1 {
		share = max(left/time.Duration(rounds), minShare)
	}
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
