// Mutate measures what the tests of a package notice. It makes one small
// mistake at a time in the code of the package, a mutant, and runs the tests of
// that package alone. A mutant that passes them is a survivor: a missing test,
// code that does nothing, or a change that nothing can observe.
//
//	go -C internal/lab/mutate run . [-sample 100] [-seed 1] [-only pattern] [package…]
//
// The work tree is never written to: go build reads the changed file through an
// overlay. Survivors that are accepted are listed in accepted.txt, each with its
// reason. The exit status is 1 if a package's tests kill less than -goal
// percent of the mutants that are not accepted, or if accepted.txt names a
// mutant that does not exist.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

// packages are measured when the command line names none, fast ones first.
var packages = []string{"cookie", "internal/claims", "internal/keyring", "internal/logins", "internal/record", "internal/rotation", "internal/sessionrecord", "internal/strictjson", "store", "internal/jose", "middleware", "session", "throttle", "token"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := withParent(ctx)
	defer cancel(nil)
	ok, err := run(ctx, os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// withParent returns a context that ends with the process which has started this
// one: a signal to go run ends go, and not what it runs.
func withParent(ctx context.Context) (context.Context, context.CancelCauseFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	parent := os.Getppid()
	go func() {
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Second):
			}
		}
		cancel(errors.New("the parent process has ended"))
	}()
	return ctx, cancel
}

type options struct {
	root     string
	accepted string
	sample   int
	seed     uint64
	goal     float64
	only     *regexp.Regexp
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
	only := flags.String("only", "", "try only mutants whose names match the `pattern`")
	if err := flags.Parse(args); err != nil {
		return false, err
	}
	if o.only, err = regexp.Compile(*only); err != nil {
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
		name = filepath.ToSlash(filepath.Clean(name))
		reached, failed := o.measure(ctx, name, accepted, out)
		if ctx.Err() != nil {
			return false, fmt.Errorf("%s: interrupted: %w", name, context.Cause(ctx))
		}
		if failed != nil {
			fmt.Fprintf(out, "%-16s not measured: %v\n", name, failed)
			err = errors.Join(err, fmt.Errorf("%s: %w", name, failed))
		}
		ok = ok && reached
	}
	return ok && err == nil, err
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
	for _, m := range sample(o.matching(all), o.sample, o.seed) {
		v, failed := b.try(ctx, m)
		if failed != nil {
			err = failed
			break
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
	share := killedShare(count)
	fmt.Fprintf(out, "%-16s %.1f %% killed: %d by the tests, %d by the time limit; %d survived, %d more are accepted; %d did not compile; %d mutants in all; %v\n",
		name, share, count[killed], count[timedOut], count[survived], count[acceptable], count[uncompiled], len(all), time.Since(start).Round(time.Second))
	return share >= o.goal && len(stale) == 0, err
}

// killedShare returns the percentage of the mutants that the tests kill. Those
// that are accepted or did not compile do not count.
func killedShare(count map[verdict]int) float64 {
	dead := count[killed] + count[timedOut]
	if dead+count[survived] == 0 {
		return 100
	}
	return 100 * float64(dead) / float64(dead+count[survived])
}

// matching returns the mutants whose names match the -only pattern.
func (o options) matching(all []mutant) (some []mutant) {
	for _, m := range all {
		if o.only.MatchString(m.key()) {
			some = append(some, m)
		}
	}
	return some
}
