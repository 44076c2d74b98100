package watch

import (
	"container/heap"
	"container/list"
	"time"
)

// schedule knows which login is due next. It has one timer, however many logins there are,
// and none if there is no login. After changes, arm sets the timer.
type schedule struct {
	queue   queue
	timer   *time.Timer
	set     time.Time // for which the timer is set, or zero once it has fired
	run     func()    // runs when the first login is due
	overdue list.List // of *login: they wait for a look, the first for longest
}

// add puts e into the schedule, due after wait, or moves it there. It is never due at once:
// in a bubble of testing/synctest a timer that fires while it is set crashes Go 1.26 under
// -race, if another fires at the same time.
func (s *schedule) add(e *login, wait time.Duration) {
	e.at = time.Now().Add(max(wait, time.Nanosecond))
	if e.index >= 0 {
		heap.Fix(&s.queue, e.index)
	} else {
		heap.Push(&s.queue, e)
	}
}

// remove takes e out of the schedule.
func (s *schedule) remove(e *login) {
	heap.Remove(&s.queue, e.index)
	if e.waits != nil {
		s.overdue.Remove(e.waits)
	}
}

// arm sets the timer to the first login, unless it is set to that time.
func (s *schedule) arm() {
	if len(s.queue) == 0 {
		if s.timer != nil {
			s.timer.Stop()
			s.timer = nil
		}
		return
	}
	switch first := s.queue[0].at; {
	case s.timer == nil:
		s.timer = time.AfterFunc(time.Until(first), s.run)
		s.set = first
	case !first.Equal(s.set):
		s.timer.Reset(time.Until(first))
		s.set = first
	}
}

// fired notes that the timer has to be set again.
func (s *schedule) fired() { s.set = time.Time{} }

// due returns the first login if it is due, or nil.
func (s *schedule) due(now time.Time) *login {
	if len(s.queue) == 0 || s.queue[0].at.After(now) {
		return nil
	}
	return s.queue[0]
}

// next takes the login that has waited longest for a look, or nil.
func (s *schedule) next() *login {
	first := s.overdue.Front()
	if first == nil {
		return nil
	}
	e := s.overdue.Remove(first).(*login)
	e.waits = nil
	return e
}

// queue is a heap of logins by the time at which they are due.
type queue []*login

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }

func (q queue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

// Push implements [heap.Interface].
func (q *queue) Push(e any) {
	e.(*login).index = len(*q)
	*q = append(*q, e.(*login))
}

// Pop implements [heap.Interface].
func (q *queue) Pop() any {
	last := len(*q) - 1
	e := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	e.index = -1
	return e
}
