package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/rueidis"
)

var errBroken = os.ErrDeadlineExceeded // what the client says of a connection that it gives up

// calmGate returns a calm gate that settles after a minute.
func calmGate() *gate {
	g := &gate{settle: time.Minute}
	g.opened()
	return g
}

// wait is a call to a server that never responds.
func wait(ctx context.Context) (string, error) {
	<-ctx.Done()
	return "", errBroken
}

func answer(context.Context) (string, error) { return "value", nil }

func TestAnErrorAfterTheContextHasEndedIsTheContexts(t *testing.T) {
	for name, g := range map[string]*gate{"directly": calmGate(), "aside": {}} {
		for end, start := range map[error]func(context.Context) (context.Context, context.CancelFunc){
			context.Canceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
				ctx, cancel := context.WithCancel(ctx)
				time.AfterFunc(300*time.Millisecond, cancel)
				return ctx, cancel
			},
			context.DeadlineExceeded: func(ctx context.Context) (context.Context, context.CancelFunc) {
				return context.WithTimeout(ctx, 300*time.Millisecond)
			},
		} {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := start(t.Context())
				defer cancel()
				began := time.Now()
				_, err := within(ctx, g, wait)
				if took := time.Since(began); !errors.Is(err, end) || took != 300*time.Millisecond {
					t.Errorf("%s: %v after %v, want %v", name, err, took, end)
				}
				if _, err := within(ctx, g, answer); !errors.Is(err, end) {
					t.Errorf("%s: a call with a context that has ended: %v", name, err)
				}
			})
		}
	}
}

// The deadline has passed, but the timer of the context has not fired.
func TestAnErrorAtTheDeadlineIsTheContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := lateContext{t.Context(), time.Now().Add(time.Second)}
		_, err := within(ctx, &gate{}, func(context.Context) (string, error) {
			time.Sleep(time.Second)
			return "", errBroken
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// A lateContext has a deadline at which it does not end.
type lateContext struct {
	context.Context
	end time.Time
}

func (c lateContext) Deadline() (time.Time, bool) { return c.end, true }

func TestACallEndsAfterTwoSecondsWithoutADeadline(t *testing.T) {
	for name, g := range map[string]*gate{"directly": calmGate(), "aside": {}} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			_, err := within(context.Background(), g, wait)
			if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took != timeout {
				t.Errorf("%s: %v after %v", name, err, took)
			}
		})
	}
}

func TestABrokenConnectionIsReportedAsItself(t *testing.T) {
	for given, want := range map[error]error{
		errBroken:                errBroken,
		context.DeadlineExceeded: nil, // of the call that was connecting for this one
		context.Canceled:         nil,
	} {
		_, err := within(t.Context(), calmGate(), func(context.Context) (string, error) { return "", given })
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || want != nil && !errors.Is(err, want) {
			t.Errorf("%v is reported as %v", given, err)
		}
	}
}

// After a call without a response, the next call may wait for a connection or
// for its queue, where it does not observe its context.
func TestACallIsLeftAloneWhereItIgnoresItsContext(t *testing.T) {
	for name, g := range map[string]*gate{
		"the client is not ours":  {},
		"a connection has broken": func() *gate { g := calmGate(); g.disturb(); return g }(),
		"the queue may be full":   func() *gate { g := calmGate(); g.calls.Store(maxDirect); return g }(),
	} {
		synctest.Test(t, func(t *testing.T) {
			free := make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := within(ctx, g, func(context.Context) (string, error) { <-free; return "", errBroken })
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			before := g.calls.Load()
			close(free)
			synctest.Wait()
			if g.calls.Load() != before-1 {
				t.Errorf("%s: a call that has returned is still counted", name)
			}
		})
	}
}

func TestACallOfACalmGateRunsOnTheCallersGoroutine(t *testing.T) {
	self := func() string {
		line, _, _ := strings.Cut(string(debug.Stack()), "\n") // goroutine 7 [running]:
		return line
	}
	for _, g := range []*gate{calmGate(), {}} {
		other, err := within(t.Context(), g, func(context.Context) (string, error) { return self(), nil })
		if direct := other == self(); err != nil || direct != g.calm.Load() {
			t.Errorf("calm is %v: on the caller's goroutine is %v, %v", g.calm.Load(), direct, err)
		}
	}
}

func TestAGateIsCalmAgainWhenItHasSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := calmGate()
		is := func(want bool, when string) {
			t.Helper()
			if g.calm.Load() != want {
				t.Errorf("%s: calm is %v", when, !want)
			}
		}
		within(t.Context(), g, answer)
		is(true, "after an answer")
		within(t.Context(), g, func(context.Context) (string, error) { return "", errForeign })
		is(true, "after an answer of another program")
		within(t.Context(), g, func(context.Context) (string, error) { return "", errBroken })
		is(false, "after a call without an answer")
		time.Sleep(time.Minute)
		within(t.Context(), g, answer)
		is(false, "when it has not settled")
		time.Sleep(time.Nanosecond)
		is(false, "without an answer")
		within(t.Context(), g, answer)
		is(true, "with an answer, when it has settled")
	})
}

// The client does not observe the context while it waits for the greeting.
func TestAConnectionEndsWithItsCallUntilTheServerGreets(t *testing.T) {
	for _, greets := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer theirs.Close()
			option := rueidis.ClientOption{DialFn: func(string, *net.Dialer, *tls.Config) (net.Conn, error) { return ours, nil }}
			g := newGate(&option)
			g.opened()
			ctx, cancel := context.WithCancel(t.Context())
			conn, err := option.DialCtxFn(ctx, "", nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if g.calm.Load() {
				t.Error("the gate is calm while the client connects")
			}
			if greets {
				go theirs.Write([]byte("+"))
				conn.Read(make([]byte, 1))
			}
			g.opened()
			cancel()
			synctest.Wait()
			conn.SetReadDeadline(time.Now().Add(time.Second))
			_, err = conn.Read(make([]byte, 1))
			if open := errors.Is(err, os.ErrDeadlineExceeded); open != greets {
				t.Errorf("greeted is %v: %v", greets, err)
			}
			if g.calm.Load() {
				t.Error("the gate is calm when a connection has broken")
			}
		})
	}
}

// A deadline that has ended must not end another call.
func TestADeadlineThatHasEndedIsNotUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := calmGate()
		for range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			within(ctx, g, func(context.Context) (string, error) { cancel(); return "", nil })
			if _, err := within(ctx, g, answer); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			within(t.Context(), g, func(context.Context) (string, error) { time.Sleep(timeout); return "", nil })
			value, err := within(t.Context(), g, func(ctx context.Context) (string, error) {
				synctest.Wait()
				return "value", ctx.Err()
			})
			if value != "value" || err != nil {
				t.Fatal(value, err)
			}
		}
	})
}
