// Mutate measures what the tests of a package notice. It makes one small
// mistake at a time in the code of the package, a mutant, and runs the tests of
// that package alone. A mutant that passes them is a survivor: a missing test,
// code that does nothing, or a change that nothing can observe.
//
//	go -C internal/lab/mutate run . [-sample 100] [-seed 1] [package…]
//
// The work tree is never written to: go build reads the changed file through an
// overlay. Survivors that are accepted are listed in accepted.txt, each with its
// reason. The exit status is 1 if a package's tests kill less than -goal
// percent of the mutants that are not accepted, or if accepted.txt names a
// mutant that does not exist.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// packages are measured when the command line names none, fast ones first.
var packages = []string{"cookie", "internal/claims", "internal/keyring", "internal/logins", "internal/rotation", "internal/sessionrecord", "store", "internal/jose", "middleware", "session", "throttle", "token"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

type options struct {
	root     string
	accepted string
	sample   int
	seed     uint64
	goal     float64
	verbose  bool
}

// run reports whether every package reaches the goal.
func run(ctx context.Context, args []string, out io.Writer) (ok bool, err error) {
	var o options
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.StringVar(&o.root, "root", "../../..", "`folder` of the module whose packages are measured")
	flags.StringVar(&o.accepted, "accepted", "accepted.txt", "`file` of accepted survivors")
	flags.IntVar(&o.sample, "sample", 0, "`number` of mutants for each package; 0 means all")
	flags.Uint64Var(&o.seed, "seed", 1, "`number` that selects the sample")
	flags.Float64Var(&o.goal, "goal", 95, "`percent` of mutants that the tests must kill")
	flags.BoolVar(&o.verbose, "v", false, "print every mutant")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	names := flags.Args()
	if len(names) == 0 {
		names = packages
	}
	accepted, err := readAccepted(o.accepted)
	if err != nil {
		return false, err
	}
	ok = true
	for _, name := range names {
		reached, err := o.measure(ctx, filepath.ToSlash(filepath.Clean(name)), accepted, out)
		if err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		ok = ok && reached
	}
	return ok, nil
}

// measure runs the mutants of one package and prints its survivors.
func (o options) measure(ctx context.Context, name string, accepted map[string]string, out io.Writer) (reached bool, err error) {
	all, err := mutantsOf(o.root, name)
	if err != nil {
		return false, err
	}
	stale := staleEntries(accepted, name, all)
	for _, key := range stale {
		fmt.Fprintf(out, "%s names a mutant that does not exist: %s\n", o.accepted, key)
	}
	b, err := newBench(ctx, o.root, name)
	if err != nil {
		return false, err
	}
	defer b.close()
	count := make(map[verdict]int)
	start := time.Now()
	for _, m := range sample(all, o.sample, o.seed) {
		v, err := b.try(ctx, m)
		if err != nil {
			return false, err
		}
		reason, known := accepted[m.key()]
		switch {
		case v == survived && known:
			v = acceptable
		case v == survived:
			fmt.Fprintf(out, "survived: %s (%s:%d)\n", m.key(), m.file, m.line)
		case known && v != uncompiled:
			fmt.Fprintf(out, "accepted, and now killed: %s\n", m.key())
		}
		if o.verbose {
			fmt.Fprintf(out, "%s: %s %s\n", v, m.key(), reason)
		}
		count[v]++
	}
	killed, tried := count[killed]+count[timedOut], count[killed]+count[timedOut]+count[survived]
	share := 100.0
	if tried > 0 {
		share = 100 * float64(killed) / float64(tried)
	}
	fmt.Fprintf(out, "%-16s %d of %d mutants killed (%.1f %%), %d of them by the time limit; %d survivors accepted; %d did not compile; %d in all; %v\n",
		name, killed, tried, share, count[timedOut], count[acceptable], count[uncompiled], len(all), time.Since(start).Round(time.Second))
	return share >= o.goal && len(stale) == 0, nil
}
