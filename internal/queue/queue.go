// Package queue makes goroutines of this process take turns when they change the same
// record. Callers enter a [Queue] after their first failed swap. Without it, of a
// thousand concurrent swaps all but one would fail each time, and overload the store.
package queue

import (
	"context"
	"sync"
)

// Queue has a line of waiting goroutines for each key in use. The zero value is ready
// to use. It is safe for concurrent use and must not be copied after first use.
type Queue[K comparable] struct {
	mu    sync.Mutex
	lines map[K]*line
}

// line is the goroutines that want to change one record. It is removed with the last
// of them.
type line struct {
	turn    chan struct{} // full while a goroutine has its turn
	members int
}

// Enter waits for a turn at key, which lasts until leave is called. The error is that
// of ctx.
func (q *Queue[K]) Enter(ctx context.Context, key K) (leave func(), err error) {
	q.mu.Lock()
	l := q.lines[key]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[K]*line)
		}
		l = &line{turn: make(chan struct{}, 1)}
		q.lines[key] = l
	}
	l.members++
	q.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; q.part(key, l) }, nil
	case <-ctx.Done():
		q.part(key, l)
		return nil, ctx.Err()
	}
}

func (q *Queue[K]) part(key K, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.members--; l.members == 0 {
		delete(q.lines, key)
	}
}
