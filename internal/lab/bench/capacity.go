package main

import (
	"fmt"
	"time"
)

// A demand is what users ask for in the busiest seconds of a day.
type demand struct {
	users                              float64
	requests, uses, logins, refreshing float64 // a second
}

// demandOf is the demand of users of whom a twentieth is active at the peak. An
// active user sends a request every 10 seconds. Its use is recorded every six
// minutes, a tenth of the default idle timeout; a token is refreshed every ten
// minutes. Each user logs in once a week, three times as often at the peak as on
// average, and stays logged in on one device.
func demandOf(users float64) demand {
	active := users / 20
	return demand{
		users: users, requests: active / 10, uses: active / 360, refreshing: active / 600,
		logins: 3 * users / (7 * 24 * 3600),
	}
}

// A need is what a mode needs of a store.
type need struct {
	mode  string
	cores func(d demand, at func(what string) time.Duration) float64 // of the servers of the store
}

func total(perSecond float64, each time.Duration) float64 { return perSecond * each.Seconds() }

// A use is recorded by a swap, which costs no more than a refresh.
var needs = []need{
	{"sessions", func(d demand, at func(string) time.Duration) float64 {
		return total(d.requests, at("request, session")) + total(d.uses, at("refresh, tokens")) + total(d.logins, at("login, session"))
	}},
	{"tokens with RevocationCheck", func(d demand, at func(string) time.Duration) float64 {
		return total(d.requests, at("request, session")) + total(d.refreshing, at("refresh, tokens")) + total(d.logins, at("login, tokens"))
	}},
	{"tokens", func(d demand, at func(string) time.Duration) float64 {
		return total(d.refreshing, at("refresh, tokens")) + total(d.logins, at("login, tokens"))
	}},
}

// writeCapacity writes what some numbers of users need of each store.
func (r *results) writeCapacity(p *page) {
	if len(r.units) == 0 {
		return
	}
	p.text("### What some numbers of users need\n\n" +
		"Calculated from these costs. At the peak a twentieth of the users is active, each with a request every\n" +
		"10 seconds. A session's use is recorded every 6 minutes, a token is refreshed every 10 minutes. Each user\n" +
		"logs in once a week, three times as often at the peak, and stays logged in on one device. The cores are\n" +
		"those that the servers of the store use; plan for twice as many. Where one server has too few, the logins\n" +
		"are divided over several, which Redis Cluster does by itself.")
	var rows [][]string
	for _, users := range []float64{1e5, 1e7, 1e9} {
		d := demandOf(users)
		for _, k := range r.keeps {
			at := func(what string) time.Duration {
				for _, u := range r.units {
					if u.where == k.where && u.what == what {
						return u.server
					}
				}
				return 0
			}
			if at("login, session") == 0 { // it has no server
				continue
			}
			row := []string{count(int(users)), count(int(d.requests)), k.where, size(k.bytes * users)}
			for _, n := range needs {
				row = append(row, cores(n.cores(d, at)))
			}
			rows = append(rows, row)
		}
	}
	titles := []string{" users", " requests a second", "store", " bytes"}
	for _, n := range needs {
		titles = append(titles, " cores, "+n.mode)
	}
	p.table(titles, rows)
}

func cores(n float64) string {
	if n < 0.1 {
		return "< 0.1"
	}
	if n < 10 {
		return fmt.Sprintf("%.1f", n)
	}
	return count(int(n + 0.5))
}

func size(bytes float64) string {
	switch {
	case bytes < 1e9:
		return fmt.Sprintf("%.0f MB", bytes/1e6)
	case bytes < 1e11:
		return fmt.Sprintf("%.1f GB", bytes/1e9)
	}
	return fmt.Sprintf("%.0f GB", bytes/1e9)
}
