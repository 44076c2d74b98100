package main

import (
	"fmt"
	"math"
	"strings"
)

// writeSessionPeers writes a table of reads for each place, and one of logins.
func (r *results) writeSessionPeers(p *page) {
	plot := dots{unit: "µs per request, one at a time, logarithmic"}
	for _, place := range r.places("read") {
		p.text("### Session in %s", place)
		together := r.group("read", place, many)
		var rows [][]string
		for i, one := range r.group("read", place, 1) {
			at, _ := find(together, one.name)
			rows = append(rows, []string{one.name, brief(one.time), times(one.toOurs), brief(at.time), times(at.toOurs),
				fmt.Sprintf("%.0f", one.allocs), notes(place, i, one, at)})
			if i > 0 {
				plot.add(place+": "+one.name, one.time.Seconds()*1e6, isOurs(one.name))
			}
		}
		p.table([]string{"request", " one at a time", " × ours", fmt.Sprintf(" %d at once", many), " × ours", " allocations", "note"}, rows)
		r.writeWrites(p, place)
	}
	if len(plot.rows) > 0 {
		p.plot("sessions", "Time of one request with a session, ours beside scs, gorilla and Fiber, by store", plot.svg())
	}
}

// notes says where a peer is faster than ours.
func notes(place string, i int, one, together row) string {
	a, b := reason("read", place, i, one), reason("read", place, i, together)
	switch {
	case a != "" && b != "":
		return a
	case a != "":
		return strings.Replace(a, "faster", "faster one at a time", 1)
	case b != "":
		return strings.Replace(b, "faster", fmt.Sprintf("faster with %d at once", many), 1)
	}
	return ""
}

// writeWrites writes the logins and logouts in a place.
func (r *results) writeWrites(p *page, place string) {
	logouts := r.group("logout", place, 1)
	var rows [][]string
	for i, in := range r.group("login", place, 1) {
		if i == 0 {
			continue
		}
		out, _ := find(logouts, in.name)
		note := reason("login", place, i, in)
		if note == "" {
			note = reason("logout", place, i, out)
		}
		rows = append(rows, []string{in.name, brief(in.time), times(in.toOurs), brief(out.time), times(out.toOurs), note})
	}
	if len(rows) > 1 {
		p.table([]string{"login and logout", " login", " × ours", " logout", " × ours", "note"}, rows)
	}
}

// writeTokenPeers writes the tables of tokens.
func (r *results) writeTokenPeers(p *page) {
	for _, what := range []struct{ name, title, text string }{
		{"sign", "Signing an access token", ""},
		{"verify", "Verifying an access token for the first time", ""},
		{"request with a token", "Request with an access token, through the whole middleware",
			"A verifier of ours remembers the tokens that it has verified. The others verify the signature each time."},
	} {
		algorithms := r.places(what.name)
		if len(algorithms) == 0 {
			continue
		}
		p.text("### %s", what.title)
		if what.text != "" {
			p.text("%s", what.text)
		}
		for _, alg := range algorithms {
			var rows [][]string
			plot := dots{unit: "µs per request, " + alg + ", logarithmic"}
			for i, one := range r.group(what.name, alg, 1) {
				rows = append(rows, []string{one.name, brief(one.time), times(one.toFirst), times(one.toOurs),
					fmt.Sprintf("%.0f", one.allocs), reason(what.name, alg, i, one)})
				plot.add(one.name, one.time.Seconds()*1e6, isOurs(one.name))
			}
			p.table([]string{alg, " time", " × first row", " × ours", " allocations", "note"}, rows)
			if what.name == "request with a token" && alg == "ES256" {
				p.plot("tokens", "Time of one request with an access token, ours beside other middleware", plot.svg())
			}
		}
	}
}

// writeServers writes the table of whole servers.
func (r *results) writeServers(p *page) {
	if len(r.servers) == 0 {
		return
	}
	p.text("## A whole server")
	p.text("A server of net/http in a process of its own, and %d connections of another process that each wait for a\n"+
		"response before the next request (a closed loop), for %d users. Both share the machine. ES256 tokens.", connections, users)
	plot := dots{unit: "requests per second", linear: true}
	var rows [][]string
	for i, s := range r.servers {
		note := reason("server", "", i, row{name: s.name, toOurs: 1 / s.toOurs})
		rows = append(rows, []string{s.name, count(int(math.Round(s.perSecond))), times(s.toFirst), brief(s.p50), brief(s.p99), brief(s.p999), note})
		plot.add(s.name, s.perSecond, isOurs(s.name))
	}
	p.table([]string{"server", " requests per second", " × the bare handler", " p50", " p99", " p99.9", "note"}, rows)
	p.plot("server", "Requests per second of a whole server", plot.svg())
}

// writeGrowth writes what grows with the number of logins.
func (r *results) writeGrowth(p *page) {
	if len(r.growth) == 0 {
		return
	}
	p.text("## Growth")
	p.text("Logins in the memory of one process, each of another user. A request is that of a user at random.")
	reads, collections := lines{y: "µs per request"}, lines{y: "ms per garbage collection"}
	var rows [][]string
	for _, g := range r.growth {
		rows = append(rows, []string{count(g.Logins), g.Name, brief(g.Read), brief(g.GC), fmt.Sprintf("%.0f", g.Bytes)})
		reads.add(g.Name, float64(g.Logins), g.Read.Seconds()*1e6)
		collections.add(g.Name, float64(g.Logins), g.GC.Seconds()*1e3)
	}
	p.table([]string{" logins", "store", " one request", " one garbage collection, beside the program", " bytes per login"}, rows)
	p.plot("growth", "Time of a request by the number of logins in memory", reads.svg())
	p.plot("collections", "Time of a garbage collection by the number of logins in memory", collections.svg())
}
