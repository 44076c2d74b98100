// Command bench measures this toolkit side by side with its peers, in one run
// on one machine, and writes docs/numbers.md with its plots:
//
//	go -C internal/lab/bench run . -o ../../../docs/numbers
//
// Without -o it prints the page. With names of topics it measures these alone,
// and with -quick it ends after a minute, with numbers that are good for nothing
// else. It starts private servers (Redis, PostgreSQL, PgBouncer, etcd) on
// loopback, and leaves out what is not installed. The module is for development
// only, and never tagged.
//
// With -failing it prints another table instead: how long logins take that fail,
// of users who exist and of users who do not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

// A topic is what can be measured by itself.
type topic struct {
	name    string
	measure func(context.Context, *bench) error
}

var topics = []topic{
	{"tokens", tokens},
	{"sessions", sessions},
	{"logins", loginCosts},
	{"server", server},
	{"growth", growth},
	{"units", units},
	{"arrivals", arrivals},
}

// A bench is one run.
type bench struct {
	effort
	logouts int           // how many are timed
	load    time.Duration // of one server in one round
	loads   int           // rounds
	powers  int           // of ten: to how many logins it grows

	operations int           // of each kind, whose cost is counted
	arrival    time.Duration // of each rate of requests

	results
	log io.Writer
}

// newBench returns a bench of ordinary effort, or of little.
func newBench(quick bool) *bench {
	b := &bench{effort: effort{151, time.Millisecond}, logouts: 101, load: 400 * time.Millisecond, loads: 15, powers: 6, log: os.Stderr,
		operations: 10_000, arrival: 5 * time.Second}
	if quick {
		b.effort, b.logouts, b.load, b.loads, b.powers = effort{5, time.Millisecond / 4}, 5, 50*time.Millisecond, 2, 4
		b.operations, b.arrival = 200, 100*time.Millisecond
	}
	return b
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == childCommand {
		exitOn(child(os.Args[2:], os.Stdin, os.Stdout))
		return
	}
	out := flag.String("o", "", "write the page to `name`.md, and its plots into the folder of that name")
	quick := flag.Bool("quick", false, "measure little")
	rounds := flag.Int("rounds", 0, "how `often` each contender is measured")
	powers := flag.Int("growth", 0, "grow to ten to this `power` logins; 7 takes about 8 GB")
	failing := flag.Bool("failing", false, "print the times of logins that fail, and nothing else")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := newBench(*quick)
	if *rounds > 0 {
		b.rounds = *rounds
	}
	if *powers > 0 {
		b.powers = *powers
	}
	flag.Visit(func(f *flag.Flag) {
		if f.Name != "o" {
			b.flags += fmt.Sprintf(" -%s=%s", f.Name, f.Value)
		}
	})
	if *failing {
		exitOn(runFailing(ctx, os.Stdout, 4*b.rounds))
		return
	}
	exitOn(b.run(ctx, flag.Args(), *out))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the topics of these names, or all, and writes the page. It writes
// what it has if some topics fail.
func (b *bench) run(ctx context.Context, names []string, out string) error {
	b.about = describe()
	var errs []error
	found := 0
	for _, t := range topics {
		if len(names) > 0 && !slices.Contains(names, t.name) {
			continue
		}
		found++
		if err := t.measure(ctx, b); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", t.name, err))
			b.leaveOut(t.name, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if found < len(names) {
		errs = append(errs, fmt.Errorf("some of the topics %s are unknown", strings.Join(names, ", ")))
	}
	return errors.Join(append(errs, b.write(out, os.Stdout))...)
}

// measure measures a group, and keeps its rows.
func (b *bench) measure(ctx context.Context, e effort, g group) error {
	m, err := g.measure(ctx, e)
	if err == nil {
		b.groups = append(b.groups, m)
	}
	return err
}

func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.log, format+"\n", args...) }

// leaveOut notes what could not be measured.
func (b *bench) leaveOut(what string, err error) {
	text, _, _ := strings.Cut(err.Error(), "\n")
	b.say("left out: %s: %v", what, err)
	b.missing = append(b.missing, what+": "+text)
}
