package main

import "strings"

// sameSpeed is the ratio from which on a contender counts as faster than ours.
// Runs differ by less than that.
const sameSpeed = 0.95

// reasons say why a peer is faster than ours, by what, where and who. An empty
// word is any, and the first that fits counts.
var reasons = []struct{ what, where, who, why string }{
	{"read", "", "gorilla, CookieStore", "the session is in the cookie, so a logout cannot end a copy of the cookie"},
	{"read", "Redis", "", "its client has a connection for each call. Ours shares one, so that a call ends in time while the server hangs, and many at once are faster"},
	{"login", "", "", noList},
	{"logout", "", "", noList},
}

const noList = "no list of a user's logins: a logout everywhere has to read all sessions"

// reason says in what a peer is better than ours, and why. It is empty for the
// floor, for ours, and for a peer that is not faster.
func reason(what, where string, i int, r row) string {
	if i == 0 || isOurs(r.name) || r.toOurs >= sameSpeed {
		return ""
	}
	for _, of := range reasons {
		if of.what == what && (of.where == "" || of.where == where) && (of.who == "" || of.who == r.name) {
			return "faster: " + of.why
		}
	}
	return "faster"
}

func isOurs(name string) bool { return strings.HasPrefix(name, "ours") }
