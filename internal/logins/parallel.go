package logins

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

const (
	// parallel is how many records end at once: many logins end in time on a slow
	// store, and one call leaves the store to others.
	parallel = 16

	// leastShare is the least time that a record gets of those that end together.
	leastShare = time.Second
)

// result is what became of a record.
type result struct {
	over bool // it has ended
	here bool // by this call
	err  error
}

// endRecords ends the records of entries. Those that cannot be reached do not keep
// the others alive: each has a share of the time, and the first is another one each
// time, so that repeating the call gets to all of them. A fifth of the time is left
// for the list.
func (l *Lists) endRecords(ctx context.Context, entries []Entry) []result {
	left := timeLeft(ctx) / 5 * 4
	share := left
	if rounds := (len(entries) + parallel - 1) / parallel; rounds > 1 {
		share = max(left/time.Duration(rounds), leastShare)
	}
	ctx, cancel := context.WithTimeout(ctx, left)
	defer cancel()
	results := make([]result, len(entries))
	inParallel(len(entries), func(i int) {
		ctx, cancel := context.WithTimeout(ctx, share)
		defer cancel()
		here, err := l.endRecord(ctx, entries[i].Kind, entries[i].Digest, entries[i].Ending)
		results[i] = result{err == nil, here, err}
	})
	return results
}

// timeLeft returns how long a call with ctx may take.
func timeLeft(ctx context.Context) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return time.Until(deadline)
	}
	return time.Hour // the store has a bound of its own for each call
}

// inParallel calls do for each number below n, beginning anywhere, and returns when
// all calls have. A panic becomes one of its caller's.
func inParallel(n int, do func(int)) {
	if n == 1 {
		do(0)
		return
	}
	numbers := make(chan int, n)
	for i, start := 0, anyBelow(n); i < n; i++ {
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

// anyBelow returns a number below n, more or less evenly.
func anyBelow(n int) int {
	var b [8]byte
	rand.Read(b[:])
	return int(binary.BigEndian.Uint64(b[:]) % uint64(n))
}
