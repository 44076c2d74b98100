package postgresstore

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestMicrosecondsAreRoundedUp(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		1: 1, 999: 1, 1000: 1, 1001: 2, time.Second: 1e6, math.MaxInt64: math.MaxInt64/1000 + 1,
	} {
		if got := microseconds(ttl); got != want {
			t.Errorf("%d ns: %d µs, want %d", ttl, got, want)
		}
	}
}

func TestBoundsOfKeys(t *testing.T) {
	for key, good := range map[string]bool{
		"k": true, strings.Repeat("k", 128): true, "!~": true,
		"": false, strings.Repeat("k", 129): false, "a b": false, "a\x00": false, "a\x7f": false, "é": false,
	} {
		if err := checkKey(key); (err == nil) != good {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestBoundsOfSwaps(t *testing.T) {
	v, long := []byte("v"), make([]byte, 64*1024+1)
	for rule, test := range map[string]struct {
		old, new []byte
		ttl      time.Duration
		good     bool
	}{
		"creates":            {nil, v, 1, true},
		"swaps":              {v, v, 1, true},
		"longest":            {v, long[1:], 1, true},
		"old empty":          {[]byte{}, v, 1, false},
		"new nil":            {v, nil, 1, false},
		"new empty":          {nil, []byte{}, 1, false},
		"new too long":       {v, long, 1, false},
		"ttl zero":           {v, v, 0, false},
		"ttl negative":       {nil, v, -time.Hour, false},
		"ttl most negative":  {nil, v, math.MinInt64, false},
		"ttl as long as can": {nil, v, math.MaxInt64, true},
	} {
		if err := checkSwap("k", test.old, test.new, test.ttl); (err == nil) != test.good {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestAnErrorAfterTheContextHasEndedIsTheContexts(t *testing.T) {
	alive, broken := t.Context(), errors.New("interrupted (9)")
	canceled, cancel := context.WithCancelCause(alive)
	cancel(errors.New("a cause of the application"))
	late, cancelLate := context.WithDeadline(alive, time.Now())
	defer cancelLate()
	for _, test := range []struct {
		ctx       context.Context
		err, want error
	}{
		{alive, nil, nil},
		{alive, broken, broken},
		{canceled, nil, nil},
		{canceled, broken, context.Canceled},
		{canceled, broken, broken},
		{late, broken, context.DeadlineExceeded},
	} {
		if err := withContextError(test.ctx, test.err); !errors.Is(err, test.want) {
			t.Errorf("%v is reported as %v, want %v", test.err, err, test.want)
		}
	}
}
