//go:build !race

package main

import (
	"math"
	"strings"
	"testing"
)

func TestStatisticsOfLogins(t *testing.T) {
	of := func(times ...float64) sample { return sample{times: times} }
	for _, test := range []struct {
		name             string
		a, b             sample
		t, distinguished float64
	}{
		{"the same", of(1, 2, 3, 4), of(1, 2, 3, 4), 0, 0.5},
		{"later", of(1, 2, 3), of(2, 3, 4), 1.22, 7.0 / 9},
		{"earlier", of(2, 3, 4), of(1, 2, 3), -1.22, 7.0 / 9},
		{"far apart", of(1, 2, 3), of(11, 12, 13), 12.25, 1},
		{"one slow one", of(1, 2, 3, 2, 2), of(1, 2, 3, 2, 1000), 0, 0.6},
	} {
		if got := welch(test.a, test.b); math.Abs(got-test.t) > 0.01 {
			t.Errorf("%s: t is %.2f", test.name, got)
		}
		if got := distinguished(test.a, test.b); math.Abs(got-test.distinguished) > 0.001 {
			t.Errorf("%s: %.3f are distinguished", test.name, got)
		}
	}
}

// A subject with bcrypt can be distinguished, which shows that the measure is good for
// something.
func TestLoginsAreMeasured(t *testing.T) {
	samples, err := logins(t.Context(), 9)
	if err != nil {
		t.Fatal(err)
	}
	first, last := samples[0], samples[len(samples)-1]
	if ratio := last.quantile(50) / first.quantile(50); ratio < 1.3 {
		t.Errorf("bcrypt takes %.2f as long", ratio)
	}
	var out strings.Builder
	if err := runFailing(t.Context(), &out, 2); err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		if !strings.Contains(out.String(), "  "+s.name+"\n") || len(s.times) != 9 {
			t.Errorf("%s: %d times", s.name, len(s.times))
		}
	}
}
