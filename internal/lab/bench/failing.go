package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/authlatch/auth/password"
)

// ofBcrypt is a hash of cost 10. A subject with one can be distinguished by time, as
// the documentation of package password says, until it is renewed.
const ofBcrypt = "$2a$10$JJpYqrCrw/ezS6zd1/7DBO2zNq6/69YfUyEu6vzYuo4khzEDvkr5G"

// A login is one that fails, as an attacker would time it.
type login struct{ name, hash, password string }

// A sample is the times of one kind of login, in milliseconds.
type sample struct {
	name  string
	times []float64
}

// runFailing prints the table of logins that fail.
func runFailing(ctx context.Context, w io.Writer, rounds int) error {
	samples, err := logins(ctx, rounds)
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	printSamples(t, samples)
	return t.Flush()
}

// logins measures logins of existing and of unknown subjects, with
// what New sets. They take turns, in another order each time.
func logins(ctx context.Context, rounds int) ([]sample, error) {
	passwords, err := password.New(password.Config{})
	if err != nil {
		return nil, err
	}
	known, err := passwords.Hash(ctx, "the right one")
	if err != nil {
		return nil, err
	}
	long := strings.Repeat("x", 10<<20)
	all := []login{
		{"known", known, "the wrong one"},
		{"known, once more", known, "the wrong one"},
		{"unknown", "", "the wrong one"},
		{"known, 10 MB", known, long},
		{"unknown, 10 MB", "", long},
		{"known, bcrypt of cost 10", ofBcrypt, "the wrong one"},
	}
	samples := make([]sample, len(all))
	for range rounds {
		for _, i := range rand.Perm(len(all)) {
			start := time.Now()
			err := passwords.Verify(ctx, all[i].hash, all[i].password)
			took := time.Since(start)
			if !errors.Is(err, password.ErrWrong) {
				return nil, fmt.Errorf("%s: %w", all[i].name, err)
			}
			samples[i].name = all[i].name
			samples[i].times = append(samples[i].times, float64(took)/float64(time.Millisecond))
		}
	}
	for _, s := range samples {
		slices.Sort(s.times)
	}
	return samples, nil
}

// printSamples prints the distributions, each beside that of the first.
func printSamples(t io.Writer, samples []sample) {
	fmt.Fprintf(t, "\nlogins that fail, with the defaults\n")
	fmt.Fprintf(t, "p10 ms\tp50 ms\tp90 ms\t× first\tWelch's t\tdistinguished\t  \n")
	first := samples[0]
	for _, s := range samples {
		fmt.Fprintf(t, "%.1f\t%.1f\t%.1f\t%.2f\t%.1f\t%.0f %%\t  %s\n", s.quantile(10), s.quantile(50), s.quantile(90),
			s.quantile(50)/first.quantile(50), welch(first, s), 100*distinguished(first, s), s.name)
	}
	fmt.Fprint(t, "\ndistinguished: how often two times, one of each, are distinguished by which is the longer. 50 % is a coin.\n"+
		"t is of the times without the slowest tenth; beyond 4.5 either way it means something.\n")
}

func (s sample) quantile(percent int) float64 { return quantile(s.times, float64(percent)/100) }

// welch returns Welch's t of two samples without the slowest tenth of both
// together, which is what the machine did meanwhile.
func welch(a, b sample) float64 {
	both := sample{times: slices.Sorted(slices.Values(slices.Concat(a.times, b.times)))}
	most := both.times[len(both.times)-1-len(both.times)/10]
	meanA, varA := moments(a.times, most)
	meanB, varB := moments(b.times, most)
	if d := math.Sqrt(varA + varB); d > 0 {
		return (meanB - meanA) / d
	}
	return 0
}

// moments returns the mean of the values up to most, and its variance.
func moments(values []float64, most float64) (mean, variance float64) {
	n := 0.0
	for _, v := range values {
		if v <= most {
			n++
			mean += v
		}
	}
	if n < 2 {
		return most, 0 // all are slower than the others
	}
	mean /= n
	for _, v := range values {
		if v <= most {
			variance += (v - mean) * (v - mean)
		}
	}
	return mean, variance / (n - 1) / n
}

// distinguished returns the share of pairs that the better of two rules gets right: that
// a is the faster, or that b is.
func distinguished(a, b sample) float64 {
	right := 0.0
	for _, x := range a.times {
		for _, y := range b.times {
			switch {
			case x < y:
				right++
			case x == y:
				right += 0.5
			}
		}
	}
	share := right / float64(len(a.times)*len(b.times))
	return max(share, 1-share)
}
