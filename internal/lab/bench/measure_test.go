package main

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGroupsCompareTheirContenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sleeping := func(d time.Duration) func() error { return func() error { time.Sleep(d); return nil } }
		prepared := 0
		g := group{"sleep", "here", 1, []contender{
			{name: "floor", call: sleeping(time.Millisecond)},
			{name: "ours", call: sleeping(2 * time.Millisecond)},
			{name: "prepared", call: sleeping(5 * time.Millisecond), before: func() error { prepared++; return sleeping(time.Hour)() }},
		}}
		m, err := g.measure(t.Context(), effort{3, time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		want := []row{
			{name: "floor", time: time.Millisecond, toFirst: 1, toOurs: 0.5},
			{name: "ours", time: 2 * time.Millisecond, toFirst: 2, toOurs: 1},
			{name: "prepared", time: 5 * time.Millisecond, toFirst: 5, toOurs: 2.5},
		}
		for i, r := range m.rows {
			r.allocs, r.bytes = 0, 0
			if r != want[i] {
				t.Errorf("%+v, want %+v", r, want[i])
			}
		}
		if prepared != 5 { // to find out how many calls, in each round, and for the memory
			t.Errorf("prepared %d times, want 5", prepared)
		}
	})
}

func TestErrorsEndAMeasurement(t *testing.T) {
	failing := errors.New("the server is gone")
	for _, atOnce := range []int{1, 8} {
		calls := int32(0)
		g := group{"read", "here", atOnce, []contender{
			{name: "floor", call: func() error { return nil }},
			{name: "ours", call: func() error {
				if atomic.AddInt32(&calls, 1) > 20 {
					return failing
				}
				return nil
			}},
		}}
		if _, err := g.measure(t.Context(), effort{1000, time.Millisecond}); !errors.Is(err, failing) {
			t.Errorf("%d at once: %v", atOnce, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	g := group{"read", "here", 1, []contender{bareHandler(), bareHandler()}}
	if _, err := g.measure(ctx, effort{1000, time.Microsecond}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

func TestManyCallsRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := contender{call: func() error { time.Sleep(time.Millisecond); return nil }}
		if took, err := c.time(64, 32); took != 2*time.Millisecond || err != nil {
			t.Errorf("64 calls of a millisecond, 32 at once, took %v, %v", took, err)
		}
	})
}
