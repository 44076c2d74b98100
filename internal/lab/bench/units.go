package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
)

// unitWorkers is how many operations run at once while their cost is measured.
const unitWorkers = 8

// A unit is what one operation costs, in the time of processors and not of
// clocks: it does not depend on what else the machine does.
type unit struct {
	where, what string
	server      time.Duration // processors of the servers of the place
	own         time.Duration // processors of this process
}

// A keep is what a login takes in a place.
type keep struct {
	where string
	bytes float64
}

// units measures what operations cost in each place that has a server.
func units(ctx context.Context, b *bench) error {
	for _, o := range places {
		if o.name == "PostgreSQL behind PgBouncer" {
			continue
		}
		if err := b.unitsOf(ctx, o); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

func (b *bench) unitsOf(ctx context.Context, o opener) error {
	h := new(host)
	defer h.close()
	p, err := o.open(ctx, h)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		b.leaveOut("units in "+o.name, err)
		return nil
	}
	b.say("units in %s", o.name)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	sessions, err := ourSessions("", p.stores[0].one)
	if err != nil {
		return err
	}
	tokens, err := ourTokens("", p.stores[0].one, key, false, 0)
	if err != nil {
		return err
	}
	n := b.operations
	before, err := p.size(ctx)
	if err != nil {
		return err
	}
	credentials, refresh := make([]string, n), make([]string, n)
	for _, op := range []struct {
		what string
		call func(i int) error
	}{
		{"login, session", func(i int) (err error) {
			credentials[i], err = sessions.login(fmt.Sprintf("subject-%06d", i))
			return err
		}},
		{"request, session", func(i int) error {
			return sessions.reading(credentials[i], fmt.Sprintf("subject-%06d", i))()
		}},
		{"logout, session", func(i int) error { return sessions.logout(credentials[i]) }},
		{"login, tokens", func(i int) error {
			t, err := tokens.issuer.Issue(ctx, identity(fmt.Sprintf("other-%06d", i)))
			refresh[i] = t.RefreshToken
			return err
		}},
		{"refresh, tokens", func(i int) error {
			_, err := tokens.issuer.Refresh(ctx, refresh[i], rand.Text())
			return err
		}},
	} {
		u, err := unitCost(n, op.call)
		if err != nil {
			return fmt.Errorf("%s: %w", op.what, err)
		}
		u.where, u.what = o.name, op.what
		b.units = append(b.units, u)
		if op.what == "login, session" {
			after, err := p.size(ctx)
			if err != nil {
				return err
			}
			b.keeps = append(b.keeps, keep{o.name, float64(after-before) / float64(n)})
		}
	}
	return nil
}

// unitCost returns what one of n calls costs.
func unitCost(n int, call func(i int) error) (unit, error) {
	own, servers, err := processorTimes()
	if err != nil {
		return unit{}, err
	}
	var group errgroup.Group
	for w := range unitWorkers {
		group.Go(func() error {
			for i := w; i < n; i += unitWorkers {
				if err := call(i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return unit{}, err
	}
	ownAfter, serversAfter, err := processorTimes()
	return unit{own: (ownAfter - own) / time.Duration(n), server: (serversAfter - servers) / time.Duration(n)}, err
}

// processorTimes returns the processor time of this process, and that of its
// descendants, which are servers. Of those that have ended it counts what their
// parents have waited for.
func processorTimes() (own, servers time.Duration, err error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, 0, err
	}
	own = time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, 0, err
	}
	parents, ticks := make(map[int]int), make(map[int]int64)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		_, rest, _ := strings.Cut(string(text), ") ") // after the name of the command
		fields := strings.Fields(rest)
		parents[pid], _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] { // its own, and of children that it waited for
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks[pid] += n
		}
	}
	const tick = time.Second / 100 // on Linux
	for pid, n := range ticks {
		for up := parents[pid]; up > 1; up = parents[up] {
			if up == os.Getpid() {
				servers += time.Duration(n) * tick
				break
			}
		}
	}
	return own, servers, nil
}

// writeUnits writes what operations cost by place.
func (r *results) writeUnits(p *page) {
	if len(r.units) == 0 {
		return
	}
	p.text("## Unit costs for capacity\n\n"+
		"Processor time of one operation, with %d at once: of the servers of the store together, and of the\n"+
		"application with its client of the store. [operating](operating.md#capacity) calculates with them.", unitWorkers)
	var rows [][]string
	for _, u := range r.units {
		server := brief(u.server)
		if u.server == 0 {
			server = "–"
		}
		rows = append(rows, []string{u.where, u.what, server, brief(u.own)})
	}
	p.table([]string{"store", "operation", " servers of the store", " application"}, rows)
	rows = nil
	for _, k := range r.keeps {
		rows = append(rows, []string{k.where, fmt.Sprintf("%.0f", k.bytes)})
	}
	p.table([]string{"store", " bytes per session login, indexes and lists of logins included"}, rows)
}
