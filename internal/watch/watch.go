// Package watch ends contexts when logins end. Both modes use it: a mode knows how to
// look at a login in the store, and a [Watcher] decides when.
//
// A Watcher has one timer while logins are watched, and no goroutine that waits. Looks run
// on at most 16 goroutines, which end when no look is due.
package watch

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/authlatch/auth"
)

// Login is a login to watch.
type Login struct {
	ID   string // the LoginID; all watches of one ID share its looks
	Life Life   // as far as it is known without a look

	// Look reads the login in the store, without recording a use. An error that wraps
	// [auth.ErrUnauthenticated] means that the login has ended. Any other error means
	// that the store could not answer.
	Look func(context.Context) (Life, error)

	// AtOnce makes the first look at once, for a near cache that reports only changes of
	// what it has read.
	AtOnce bool

	// Expired is the cause of a context that ends at Life.Expires.
	Expired error
}

// Life is how long a login lives. A zero time is unknown.
type Life struct {
	Idle    time.Time // when it ends unless it is used; only a look can tell
	Expires time.Time // when it ends at the latest
}

// Watcher watches the logins of one mode. Create it with [New]. It is safe for
// concurrent use.
type Watcher struct {
	fault func(loginID string, err error)

	mu       sync.Mutex
	logins   map[string]*login // that are watched, by LoginID
	schedule schedule
	looking  int       // looks under way
	failed   time.Time // when a look last failed
}

// login is a watched login. It is in Watcher.logins until it ends or its last watch does.
type login struct {
	Login
	watches map[*watch]struct{}
	ctx     context.Context // of looks; canceled when the login is forgotten
	cancel  context.CancelFunc

	at      time.Time     // when it is due
	index   int           // in the queue of the schedule, or -1
	asked   bool          // a look is under way, or waits
	changed bool          // while a look was under way
	looked  time.Time     // when it was last looked at
	waits   *list.Element // in schedule.overdue, or nil
}

// watch is one call of Watch.
type watch struct{ cancel context.CancelCauseFunc }

const (
	// Interval is the time between two looks at a login.
	Interval = 5 * time.Second

	parallel = 16              // looks under way at once
	rest     = time.Second     // between two looks at a login that changes
	patience = 5 * time.Second // for a look
	quiet    = time.Minute     // without a failure, until one is reported again
)

// New returns a Watcher. It reports the first failed look of an outage to fault.
func New(fault func(loginID string, err error)) *Watcher {
	w := &Watcher{fault: fault, logins: make(map[string]*login)}
	w.schedule.run = w.run
	return w
}

// Watch returns a copy of ctx that is canceled when l ends, with the reason as its cause.
func (w *Watcher) Watch(ctx context.Context, l Login) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	x := &watch{cancel}
	e := w.join(l, x)
	stop := context.AfterFunc(ctx, func() { w.leave(e, x) })
	return ctx, func() {
		stop()
		cancel(nil)
		w.leave(e, x)
	}
}

// Refuse returns a copy of ctx that is canceled with err.
func Refuse(ctx context.Context, err error) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(err)
	return ctx, func() {}
}

// End ends the contexts of a login that this process has ended.
func (w *Watcher) End(loginID string, cause error) {
	w.mu.Lock()
	defer w.unlock()
	if e := w.logins[loginID]; e != nil {
		w.end(e, cause)
	}
}

// Changed looks at a login whose record has changed in the store.
func (w *Watcher) Changed(loginID string) {
	w.mu.Lock()
	defer w.unlock()
	e := w.logins[loginID]
	switch {
	case e == nil:
	case e.asked:
		e.changed = true
	default:
		w.schedule.add(e, time.Until(e.looked.Add(rest)))
	}
}

func (w *Watcher) join(l Login, x *watch) *login {
	w.mu.Lock()
	defer w.unlock()
	e := w.logins[l.ID]
	if e == nil {
		e = &login{Login: l, watches: make(map[*watch]struct{}), index: -1}
		e.ctx, e.cancel = context.WithCancel(context.Background())
		w.logins[l.ID] = e
		wait := first()
		if l.AtOnce {
			wait = 0
		}
		w.schedule.add(e, e.wait(wait))
	}
	e.watches[x] = struct{}{}
	return e
}

// leave ends one watch. It does nothing if the watch has ended.
func (w *Watcher) leave(e *login, x *watch) {
	w.mu.Lock()
	defer w.unlock()
	if delete(e.watches, x); len(e.watches) == 0 {
		w.forget(e)
	}
}

// end ends all watches of a login.
func (w *Watcher) end(e *login, cause error) {
	w.forget(e)
	for x := range e.watches {
		x.cancel(cause)
	}
}

// forget stops watching a login. Afterwards another login struct may have its ID.
func (w *Watcher) forget(e *login) {
	if !e.watched() {
		return
	}
	e.cancel()
	delete(w.logins, e.ID)
	w.schedule.remove(e)
}

// unlock sets the timer for what the caller has changed, and unlocks w.mu.
func (w *Watcher) unlock() {
	w.schedule.arm()
	w.mu.Unlock()
}

func (e *login) watched() bool { return e.ctx.Err() == nil }

// run runs when the first login is due. It ends what has expired, and looks at the others
// that are due. An expiry so never waits for a look.
func (w *Watcher) run() {
	w.mu.Lock()
	defer w.unlock()
	w.schedule.fired()
	now := time.Now()
	for e := w.schedule.due(now); e != nil; e = w.schedule.due(now) {
		if e.expired(now) {
			w.end(e, e.Expired)
			continue
		}
		if !e.asked {
			e.asked, e.waits = true, w.schedule.overdue.PushBack(e)
		}
		w.schedule.add(e, e.wait(Interval))
	}
	for n := w.schedule.overdue.Len(); n > 0 && w.looking < parallel; n-- {
		w.looking++
		go w.look()
	}
}

// look looks at the logins that are overdue, one after the other.
func (w *Watcher) look() {
	w.mu.Lock()
	defer w.unlock()
	for e := w.schedule.next(); e != nil; e = w.schedule.next() {
		w.unlock()
		ctx, cancel := context.WithTimeout(e.ctx, patience)
		life, err := e.Look(ctx)
		cancel()
		w.mu.Lock()
		if w.looked(e, life, err) {
			w.unlock()
			w.fault(e.ID, err)
			w.mu.Lock()
		}
	}
	w.looking--
}

// looked takes the result of a look. It reports whether the look is the first failure of
// an outage.
func (w *Watcher) looked(e *login, life Life, err error) (outage bool) {
	e.asked = false
	switch {
	case !e.watched():
		return false
	case err == nil:
		e.Life = life
	case errors.Is(err, auth.ErrUnauthenticated):
		w.end(e, err)
		return false
	default:
		now := time.Now()
		outage = now.Sub(w.failed) > quiet
		w.failed = now
	}
	wait := pace()
	if e.changed {
		wait = rest
	}
	e.changed, e.looked = false, time.Now()
	w.schedule.add(e, e.wait(wait))
	return outage
}

// expired reports whether the login has ended, used or not. Like every request it asks the
// wall clock: a timer does not notice that a clock was set.
func (e *login) expired(now time.Time) bool {
	return !e.Life.Expires.IsZero() && !now.Before(e.Life.Expires)
}

// wait returns how long the login can be left alone: until the next look at most. A time
// of the idle timeout that has passed counts no more: the store has failed to answer then.
func (e *login) wait(look time.Duration) time.Duration {
	if left := time.Until(e.Life.Idle); left > 0 {
		look = min(look, left)
	}
	if !e.Life.Expires.IsZero() {
		look = min(look, time.Until(e.Life.Expires))
	}
	return max(look, time.Millisecond)
}
