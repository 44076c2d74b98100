package middleware

import (
	"context"
	"sync"
)

// queue lets attempts of this process that want to change one count do so one
// after the other, once they have been in each other's way. A thousand that swap
// at once would otherwise fail a thousand times for each one that succeeds, and
// keep the store from everybody: TestAFloodCostsTheStoreFewCalls measures it. The
// zero queue is ready for use.
type queue struct {
	mu    sync.Mutex
	lines map[digest]*line
}

// line is those who want to change one count. It goes with the last of them.
type line struct {
	turn    chan struct{} // full while it is somebody's turn
	members int
}

// enter waits for the turn, which lasts until leave is called.
func (q *queue) enter(ctx context.Context, d digest) (leave func(), err error) {
	q.mu.Lock()
	l := q.lines[d]
	if l == nil {
		if q.lines == nil {
			q.lines = make(map[digest]*line)
		}
		l = &line{turn: make(chan struct{}, 1)}
		q.lines[d] = l
	}
	l.members++
	q.mu.Unlock()
	select {
	case l.turn <- struct{}{}:
		return func() { <-l.turn; q.part(d, l) }, nil
	case <-ctx.Done():
		q.part(d, l)
		return nil, ctx.Err()
	}
}

func (q *queue) part(d digest, l *line) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l.members--; l.members == 0 {
		delete(q.lines, d)
	}
}
