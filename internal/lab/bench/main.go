// Command bench measures this toolkit side by side with its peers, in one run
// on one machine, and prints one table:
//
//	go -C internal/lab/bench run . -redis redis://127.0.0.1:6379 -postgres postgres://user@127.0.0.1/db
//
// The servers are optional, and what needs one is left out without it. On
// Redis a few keys stay until they expire, within two days; on PostgreSQL all
// happens in a schema that is dropped at the end. The module is for
// development only, and never tagged.
//
// With -logins it prints another table instead: how long logins take of those
// who exist and of those who do not.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"
)

func main() {
	redis := flag.String("redis", "", "`URL` of a Redis server for the sessions on Redis")
	postgres := flag.String("postgres", "", "`URL` of a PostgreSQL server for the sessions on it")
	times := flag.Bool("logins", false, "print the times of logins that fail, and nothing else")
	rounds := flag.Int("rounds", 401, "how often each contender is measured")
	flag.Parse()
	e := effort{rounds: *rounds, slice: time.Millisecond}
	err := error(nil)
	if *times {
		err = runLogins(context.Background(), os.Stdout, *rounds)
	} else {
		err = run(context.Background(), os.Stdout, e, *redis, *postgres)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run prints the table, as far as there are servers.
func run(ctx context.Context, w io.Writer, e effort, redis, postgres string) error {
	t := newTable(w)
	if err := t.measure(e, memorySessions); err != nil {
		return err
	}
	onServers := []struct {
		name, url string
		measure   func(context.Context, string, func(group) error) error
	}{
		{"Redis", redis, redisSessions},
		{"PostgreSQL", postgres, postgresSessions},
	}
	for _, s := range onServers {
		if s.url == "" {
			t.note("session read on " + s.name + ": left out, no URL is given")
			continue
		}
		if err := s.measure(ctx, s.url, t.adder(e)); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	if err := t.measure(e, tokens); err != nil {
		return err
	}
	return t.Flush()
}

// A table is what bench prints.
type table struct{ *tabwriter.Writer }

func newTable(w io.Writer) table {
	t := table{tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)}
	fmt.Fprintf(w, "Times are ratios: to the first line of each group, and to ours.\n")
	return t
}

func (t table) note(text string) { fmt.Fprintf(t, "\n%s\n", text) }

func (t table) measure(e effort, groups func() ([]group, error)) error {
	all, err := groups()
	if err != nil {
		return err
	}
	for _, g := range all {
		if err := t.adder(e)(g); err != nil {
			return err
		}
	}
	return nil
}

// adder returns a function that measures a group and adds it to the table.
func (t table) adder(e effort) func(group) error {
	return func(g group) error {
		rows, err := g.measure(e)
		if err != nil {
			return err
		}
		fmt.Fprintf(t, "\n%s\n", g.title)
		fmt.Fprintf(t, "× first\t× ours\tallocs\tbytes\t  \n")
		for _, r := range rows {
			fmt.Fprintf(t, "%.2f\t%.2f\t%.0f\t%.0f\t  %s\n", r.toFirst, r.toOurs, r.allocs, r.bytes, r.name)
		}
		return nil
	}
}
