package watch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/watch"
)

var (
	errEnded   = fmt.Errorf("logged out: %w", auth.ErrUnauthenticated)
	errExpired = fmt.Errorf("expired: %w", auth.ErrUnauthenticated)
	errDown    = errors.New("the store is down")
)

// world is a store of logins, which counts looks.
type world struct {
	*watch.Watcher
	mu     sync.Mutex
	lives  map[string]watch.Life
	errs   map[string]error
	delay  time.Duration
	looks  []time.Time
	now    int // looks under way
	most   int // looks under way at once
	faults []string
}

func newWorld() *world {
	w := &world{lives: make(map[string]watch.Life), errs: make(map[string]error)}
	w.Watcher = watch.New(func(loginID string, err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.faults = append(w.faults, loginID+": "+err.Error())
	})
	return w
}

// fail makes looks at a login fail, or at all with "".
func (w *world) fail(id string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.errs[id] = err
}

func (w *world) look(ctx context.Context, id string) (watch.Life, error) {
	w.mu.Lock()
	w.looks = append(w.looks, time.Now())
	w.now++
	w.most = max(w.most, w.now)
	delay := w.delay
	w.mu.Unlock()
	// Not time.After: under -race, a bubble with thousands of timers that have a channel
	// crashes Go 1.26 in runtime.(*timer).maybeRunChan.
	responds, stop := context.WithTimeout(ctx, delay)
	<-responds.Done()
	stop()
	late := ctx.Err()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now--
	return w.lives[id], errors.Join(late, w.errs[id], w.errs[""])
}

// atOnce returns the most looks that were under way at once.
func (w *world) atOnce() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

// watch watches a login for the duration of the test.
func (w *world) watch(t *testing.T, id string, l watch.Life) (context.Context, context.CancelFunc) {
	w.mu.Lock()
	w.lives[id] = l
	w.mu.Unlock()
	ctx, cancel := w.Watch(t.Context(), watch.Login{
		ID: id, Life: l, Expired: errExpired,
		Look: func(ctx context.Context) (watch.Life, error) { return w.look(ctx, id) },
	})
	t.Cleanup(cancel)
	return ctx, cancel
}

// count returns the looks since it was last called.
func (w *world) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer func() { w.looks = nil }()
	return len(w.looks)
}

// endsAfter waits for the end of ctx, and checks when it comes and why.
func endsAfter(t *testing.T, ctx context.Context, least, most time.Duration, cause error) {
	t.Helper()
	begin := time.Now()
	<-ctx.Done()
	if took := time.Since(begin); took < least || took > most {
		t.Errorf("ended after %v, want %v to %v", took, least, most)
	}
	if got := context.Cause(ctx); !errors.Is(got, cause) {
		t.Errorf("cause %v, want %v", got, cause)
	}
}

func alive(t *testing.T, ctx context.Context) {
	t.Helper()
	synctest.Wait()
	if ctx.Err() != nil {
		t.Fatal(context.Cause(ctx))
	}
}

func in(d time.Duration) time.Time { return time.Now().Add(d).Round(0) }

const longest = watch.Interval + watch.Interval/10

func TestAnEndInTheStoreIsSeenWithinAnInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, _ := w.watch(t, "a", watch.Life{})
		time.Sleep(time.Hour)
		alive(t, ctx)
		w.fail("a", errEnded)
		endsAfter(t, ctx, 0, longest, errEnded)
	})
}

func TestAnEndInThisProcessNeedsNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		one, _ := w.watch(t, "a", watch.Life{})
		two, _ := w.watch(t, "a", watch.Life{})
		other, _ := w.watch(t, "b", watch.Life{})
		w.End("a", errEnded)
		w.End("c", errEnded)
		endsAfter(t, one, 0, 0, errEnded)
		endsAfter(t, two, 0, 0, errEnded)
		alive(t, other)
		if n := w.count(); n != 0 {
			t.Errorf("%d looks", n)
		}
	})
}

// A near cache has heard of a change. A session that keeps changing is not looked at all
// the time.
func TestAChangeIsLookedAtAtOnceAndOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, _ := w.watch(t, "a", watch.Life{})
		w.Changed("b")
		w.Changed("a")
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n := w.count(); n != 1 {
			t.Fatalf("%d looks", n)
		}
		for range 60_000 {
			w.Changed("a")
			time.Sleep(time.Millisecond)
		}
		if n := w.count(); n < 59 || n > 61 {
			t.Errorf("%d looks in a minute of changes", n)
		}
		time.Sleep(2 * time.Second)
		w.fail("a", errEnded)
		w.Changed("a")
		endsAfter(t, ctx, 0, time.Nanosecond, errEnded)
	})
}

func TestTheFirstLookMayComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		look := func(ctx context.Context) (watch.Life, error) { return w.look(ctx, "a") }
		_, cancel := w.Watch(t.Context(), watch.Login{ID: "a", Look: look, AtOnce: true})
		defer cancel()
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if n := w.count(); n != 1 {
			t.Errorf("%d looks", n)
		}
	})
}

// The look may have read the record before it changed.
func TestAChangeDuringALookIsLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.delay = 100 * time.Millisecond
		ctx, _ := w.watch(t, "a", watch.Life{})
		w.Changed("a")
		time.Sleep(50 * time.Millisecond)
		w.Changed("a")
		time.Sleep(51 * time.Millisecond)
		w.fail("a", errEnded)
		endsAfter(t, ctx, 0, time.Second+w.delay, errEnded)
	})
}

func TestExpiryNeedsNoLook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.fail("", errDown)
		w.delay = time.Hour // looks hang until their context ends
		for n := range 100 {
			w.watch(t, strconv.Itoa(n), watch.Life{})
		}
		ctx, _ := w.watch(t, "a", watch.Life{Expires: in(90 * time.Second)})
		endsAfter(t, ctx, 90*time.Second, 90*time.Second, errExpired)
	})
}

func TestIdleTimeoutIsLookedAtWhenItIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, _ := w.watch(t, "a", watch.Life{Idle: in(time.Minute)})
		time.Sleep(59 * time.Second)
		w.mu.Lock()
		w.lives["a"] = watch.Life{Idle: in(time.Minute)} // it was used elsewhere
		w.mu.Unlock()
		time.Sleep(time.Minute - time.Nanosecond)
		alive(t, ctx)
		w.fail("a", errExpired)
		endsAfter(t, ctx, time.Nanosecond, time.Nanosecond, errExpired)
	})
}

// A login that is idle cannot be told from one that is used elsewhere while the store is
// down, and is looked at no more often for it.
func TestAnIdleTimeoutInAnOutageIsNoEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		ctx, _ := w.watch(t, "a", watch.Life{Idle: in(time.Minute)})
		w.fail("a", errDown)
		time.Sleep(2 * time.Minute)
		w.count()
		time.Sleep(time.Minute)
		alive(t, ctx)
		if n := w.count(); n < 10 || n > 12 {
			t.Errorf("%d looks in a minute", n)
		}
		w.fail("a", errExpired)
		endsAfter(t, ctx, 0, longest, errExpired)
	})
}

func TestALoginThatIsWatchedOftenIsLookedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var all []context.Context
		for range 1000 {
			ctx, _ := w.watch(t, "a", watch.Life{})
			all = append(all, ctx)
		}
		time.Sleep(time.Minute)
		if n := w.count(); n < 10 || n > 12 {
			t.Errorf("%d looks in a minute", n)
		}
		w.fail("a", errEnded)
		for _, ctx := range all {
			endsAfter(t, ctx, 0, longest, errEnded)
		}
		if n := w.count(); n != 1 {
			t.Errorf("%d looks found the end", n)
		}
	})
}

func TestLooksAreSpreadOverTheInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		const logins = 10_000
		for n := range logins {
			w.watch(t, strconv.Itoa(n), watch.Life{})
		}
		if n := runtime.NumGoroutine(); n > 100 {
			t.Errorf("%d goroutines for %d logins", n, logins)
		}
		const perTenth = logins / 10
		check := func() {
			for part := range 10 {
				time.Sleep(watch.Interval / 10)
				synctest.Wait() // for the looks of this moment
				if n := w.count(); n < perTenth*7/10 || n > perTenth*13/10 {
					t.Errorf("%d looks in tenth %d of an interval, want about %d", n, part, perTenth)
				}
			}
		}
		check()
		w.fail("", errDown) // after which all try again
		time.Sleep(time.Minute)
		w.fail("", nil)
		w.count()
		check()
		time.Sleep(time.Minute - watch.Interval)
		if n, limit := w.count(), logins*int((time.Minute-watch.Interval)/watch.Interval); n > limit {
			t.Errorf("%d looks, want at most %d", n, limit)
		}
	})
}

func TestAnOutageIsReportedOnceAndEndsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		var all []context.Context
		for n := range 100 {
			ctx, _ := w.watch(t, strconv.Itoa(n), watch.Life{Expires: in(24 * time.Hour)})
			all = append(all, ctx)
		}
		for outage := range 2 {
			w.fail("", errDown)
			time.Sleep(10 * time.Minute)
			w.fail("", nil)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if len(w.faults) != outage+1 {
				t.Fatalf("%q after outage %d", w.faults, outage)
			}
		}
		for _, ctx := range all {
			alive(t, ctx)
		}
		w.fail("", errEnded)
		for _, ctx := range all {
			endsAfter(t, ctx, 0, longest, errEnded)
		}
	})
}

func TestASlowStoreIsLookedAtByFewAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.delay = time.Second
		var all []context.Context
		for n := range 1000 {
			ctx, _ := w.watch(t, strconv.Itoa(n), watch.Life{})
			all = append(all, ctx)
		}
		time.Sleep(10 * time.Minute)
		if n := w.atOnce(); n != 16 {
			t.Errorf("%d looks at once, want 16", n)
		}
		if n := runtime.NumGoroutine(); n > 100 {
			t.Errorf("%d goroutines", n)
		}
		w.fail("", errEnded)
		for _, ctx := range all { // each in its turn
			endsAfter(t, ctx, 0, 70*time.Second, errEnded)
		}
	})
}

// Neither the function that Watch returns, nor the end of its parent, nor that of the
// login leaves a timer, a look or a goroutine behind.
func TestNothingRemainsWhereNothingIsWatched(t *testing.T) {
	for name, end := range map[string]func(w *world, cancel, parent context.CancelFunc){
		"cancel":           func(_ *world, cancel, _ context.CancelFunc) { cancel(); cancel() },
		"the parent":       func(_ *world, _, parent context.CancelFunc) { parent() },
		"cancel, parent":   func(_ *world, cancel, parent context.CancelFunc) { cancel(); parent() },
		"logout":           func(w *world, _, _ context.CancelFunc) { w.End("a", errEnded) },
		"logout elsewhere": func(w *world, _, _ context.CancelFunc) { w.fail("a", errEnded); time.Sleep(longest) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				parent, stop := context.WithCancel(t.Context())
				ctx, cancel := w.Watch(parent, watch.Login{ID: "a", Look: func(ctx context.Context) (watch.Life, error) { return w.look(ctx, "a") }})
				time.Sleep(time.Minute)
				end(w, cancel, stop)
				<-ctx.Done()
				synctest.Wait()
				stacks := make([]byte, 1<<20)
				if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("watch.(*Watcher)")) {
					t.Errorf("a goroutine is left:\n%s", stacks)
				}
				if n := w.Watched(); n != 0 {
					t.Errorf("%d logins are watched", n)
				}
				w.count()
				if time.Sleep(time.Hour); w.count() != 0 {
					t.Error("it is still looked at")
				}
				cancel()
				stop()
			})
		})
	}
}

func TestOneOfTwoWatchesMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		one, cancel := w.watch(t, "a", watch.Life{})
		two, _ := w.watch(t, "a", watch.Life{})
		cancel()
		if context.Cause(one) != context.Canceled {
			t.Errorf("the cause of a cancellation is %v", context.Cause(one))
		}
		alive(t, two)
		w.fail("a", errEnded)
		endsAfter(t, two, 0, longest, errEnded)
	})
}

// A watch that leaves while a look at its login is under way, or waits, and one that comes
// at that time, do not disturb each other.
func TestWatchesComeAndGoDuringLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.delay = 3 * time.Second
		for range 50 {
			var cancels []context.CancelFunc
			for n := range 100 {
				_, cancel := w.watch(t, strconv.Itoa(n), watch.Life{})
				cancels = append(cancels, cancel)
			}
			time.Sleep(4 * time.Second)
			for _, cancel := range cancels {
				cancel()
			}
		}
		ctx, _ := w.watch(t, "a", watch.Life{})
		w.fail("a", errEnded)
		endsAfter(t, ctx, 0, longest+2*w.delay, errEnded)
		if n := w.atOnce(); n > 16 {
			t.Errorf("%d looks at once", n)
		}
		if n := w.Watched(); n != 0 {
			t.Errorf("%d logins are watched", n)
		}
	})
}

// A client that connects again and again costs no more looks than one that stays.
func TestReconnectingCostsNoMoreLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		for range 1000 {
			_, cancel := w.watch(t, "a", watch.Life{})
			time.Sleep(watch.Interval / 10)
			cancel()
		}
		if n := w.count(); n > 200 {
			t.Errorf("%d looks in %d intervals", n, 100)
		}
	})
}

func TestTheContextHasTheValuesOfItsParent(t *testing.T) {
	w := newWorld()
	type key struct{}
	ctx, cancel := w.Watch(context.WithValue(t.Context(), key{}, 1), watch.Login{ID: "a"})
	defer cancel()
	if ctx.Value(key{}) != 1 {
		t.Error("a value is lost")
	}
	refused, cancel := watch.Refuse(ctx, errDown)
	defer cancel()
	if !slices.Equal([]any{refused.Err(), context.Cause(refused)}, []any{context.Canceled, errDown}) {
		t.Error(refused.Err(), context.Cause(refused))
	}
}
