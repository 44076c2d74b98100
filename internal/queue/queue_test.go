package queue

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestTurnsOfOneKeyComeOneAfterTheOther(t *testing.T) {
	var q Queue[string]
	var wg sync.WaitGroup
	turns := map[string]*int{"a": new(int), "b": new(int)}
	for key, n := range turns {
		for range 100 {
			wg.Go(func() {
				leave, err := q.Enter(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				*n++ // the race detector would see two at once
			})
		}
	}
	wg.Wait()
	for key, n := range turns {
		if *n != 100 {
			t.Errorf("%s: %d turns", key, *n)
		}
	}
	if len(q.lines) != 0 {
		t.Errorf("%d lines are left", len(q.lines))
	}
}

func TestNoKeyWaitsForAnother(t *testing.T) {
	var q Queue[int]
	for key := range 3 {
		if _, err := q.Enter(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	if len(q.lines) != 3 {
		t.Errorf("%d lines", len(q.lines))
	}
}

func TestWhoWaitsMayGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var q Queue[string]
		leave, err := q.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := q.Enter(ctx, "a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		leave()
		if len(q.lines) != 0 {
			t.Error("a line is left")
		}
		leave, err = q.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		leave()
	})
}
