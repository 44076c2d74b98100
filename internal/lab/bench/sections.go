package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// command is what writes the page.
const command = "go -C internal/lab/bench run . -o ../../../docs/numbers"

// writeTo writes the whole page, as far as there are results.
func (r *results) writeTo(p *page) {
	p.WriteString("# Numbers\n")
	p.text("What a login costs with this toolkit, and beside other libraries: measured in one run on one\n" +
		"machine. Times of another machine differ; the ratios between two rows of a table differ little.")
	p.text("```sh\n%s%s\n```", command, r.flags)
	p.text("%s, %s.", r.about.date, r.about.machine)
	p.text("## In short")
	r.writeRequests(p)
	r.writeLogins(p)
	r.writeMillion(p)
	r.writeEnds(p)
	p.text("## Beside other libraries")
	p.text("`× ours` is the time of a row divided by the time of ours: 2.00 × takes twice as long. Where another\n" +
		"library is faster by more than 5 %%, the row says so and why. A library without a row was not measured with that store.\n" +
		"Fiber serves requests of fasthttp and not of net/http.")
	r.writeSessionPeers(p)
	r.writeTokenPeers(p)
	r.writeServers(p)
	r.writeGrowth(p)
	r.writeArrivals(p)
	r.writeUnits(p)
	r.writeCapacity(p)
	writeMethod(p)
	r.writeVersions(p)
}

// writeVersions writes what was measured, and what was not.
func (r *results) writeVersions(p *page) {
	p.text("## Versions")
	p.WriteByte('\n')
	for _, of := range slices.Concat([]string{r.about.goVersion}, r.about.libraries, r.versions) {
		fmt.Fprintf(p, "- %s\n", of)
	}
	for _, m := range r.missing {
		p.text("Left out: %s.", strings.TrimSuffix(m, "."))
	}
}

// writeRequests writes what ours costs for each request.
func (r *results) writeRequests(p *page) {
	var rows [][]string
	plot := dots{unit: "µs per request, one at a time, logarithmic"}
	add := func(name string, one row, together []row, reads string) {
		share, _ := find(together, one.name)
		rows = append(rows, []string{name, brief(one.time), brief(share.time), fmt.Sprintf("%.0f", one.allocs), reads})
		plot.add(name, one.time.Seconds()*1e6, true)
	}
	for _, place := range r.places("read") {
		for _, one := range r.group("read", place, 1)[1:] {
			if !isOurs(one.name) {
				continue
			}
			name, reads := "session in "+place, "1"
			if suffix, ok := strings.CutPrefix(one.name, "ours, "); ok {
				name, reads = name+", "+suffix, "0"
			}
			add(name, one, r.group("read", place, many), reads)
		}
	}
	for _, one := range r.group("request with a token", "ES256", 1) {
		if kind, ok := strings.CutPrefix(one.name, "ours, "); ok {
			reads := "0"
			if strings.Contains(kind, "RevocationCheck") {
				reads = "1"
			}
			add("token (ES256), "+kind, one, r.group("request with a token", "ES256", many), reads)
		}
	}
	if len(rows) == 0 {
		return
	}
	p.text("### What one request costs")
	p.text("The time from the request to the end of the handler, through the whole middleware. With %d requests at\n"+
		"once, it is the elapsed time divided by the number of requests.", many)
	p.table([]string{"login kept as", " one at a time", fmt.Sprintf(" %d at once", many), " allocations", " reads of the store"}, rows)
	p.plot("requests", "Time of one request by store, from a few microseconds in memory to the round trip of a server", plot.svg())
}

// writeLogins writes what logins cost.
func (r *results) writeLogins(p *page) {
	p.text("### What a login costs")
	var rows [][]string
	for _, place := range r.places("login") {
		in, _ := find(r.group("login", place, 1), "ours")
		out, _ := find(r.group("logout", place, 1), "ours")
		rows = append(rows, []string{"session in " + place, brief(in.time), brief(out.time), "–"})
	}
	for _, alg := range r.places("token login") {
		group := r.group("token login", alg, 1)
		in, _ := find(group, "ours, login")
		out, _ := find(group, "ours, logout")
		refresh, _ := find(group, "ours, refresh")
		rows = append(rows, []string{"tokens (" + alg + "), in memory", brief(in.time), brief(out.time), brief(refresh.time)})
	}
	if len(rows) > 0 {
		p.table([]string{"kept in", " login", " logout", " refresh"}, rows)
		p.text("SQLite, PostgreSQL and etcd have a write on disk before they acknowledge it, which takes most of the time.")
	}
	if r.hash > 0 {
		p.text("The verification of the password comes before that: %s with the defaults of package password (argon2id).", brief(r.hash))
	}
	if len(r.costs) == 0 {
		return
	}
	p.text("Calls of the store, for a user who is logged in on one more device:")
	rows = nil
	for _, c := range r.costs {
		rows = append(rows, []string{c.how, c.what, fmt.Sprint(c.gets), fmt.Sprint(c.swaps), fmt.Sprint(c.deletions)})
	}
	p.table([]string{"mode", "operation", " reads", " writes (compare-and-swap)", " deletions"}, rows)
}

// writeMillion writes what a million logins cost, or as many as there are.
func (r *results) writeMillion(p *page) {
	most := 0
	for _, g := range r.growth {
		if g.Logins <= 1_000_000 {
			most = max(most, g.Logins)
		}
	}
	if most == 0 {
		return
	}
	p.text("### What a million users cost in memory")
	if most < 1_000_000 {
		p.text("This run has measured %s logins.", count(most))
	}
	var rows [][]string
	for _, g := range r.growth {
		if g.Logins == most {
			rows = append(rows, []string{g.Name, fmt.Sprintf("%.0f", g.Bytes), fmt.Sprintf("%.0f MB", g.Bytes*float64(most)/1e6), brief(g.GC), brief(g.Read)})
		}
	}
	p.table([]string{"store.Memory, and scs memstore", " bytes per login", " together", " one garbage collection, beside the program", " one request"}, rows)
	p.text("Ours includes the list of a user's logins, which scs does not keep.")
}

// writeEnds writes how fast logouts take effect.
func (r *results) writeEnds(p *page) {
	if len(r.ends) == 0 {
		return
	}
	p.text("### How fast a logout takes effect")
	p.text("One host logs the user out while the same browser sends requests to another host. The last columns say\n" +
		"how long after the logout had returned a request began that was still served: 0 means that every\n" +
		"request after it was refused.")
	var rows [][]string
	for _, e := range r.ends {
		rows = append(rows, []string{e.how, e.where, brief(e.logout), zero(e.late), zero(e.latest)})
	}
	rows = append(rows, []string{"tokens without RevocationCheck", "any", "–", "until the token expires", "10 min by default"})
	p.table([]string{"mode", "kept in", " the logout takes", " still served, median", " at most"}, rows)
}

func zero(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	return brief(d)
}

func writeMethod(p *page) {
	p.text("## How it is measured")
	p.text("Contenders take turns, round after round, for some milliseconds each, and a different one begins each\n" +
		"round. A ratio is the median of the ratios within a round. A time is the median time of ours, multiplied\n" +
		"by the ratio. So other work on the machine affects all rows of a table alike. The first row of most tables\n" +
		"is what each contender has to do at least, such as one round trip; the other rows include it. Allocations\n" +
		"include those of the handler and of the client.")
	p.text("The servers and the load share the machine. So numbers with many requests at once understate what a\n" +
		"server with a machine of its own can do.")
}
