package main

// sameSpeed is the ratio from which on a contender counts as faster than ours.
// Runs differ by less than that.
const sameSpeed = 0.95

// reasons say why a peer is faster than ours, by what, where and who. An empty
// word is any, and the first that fits counts.
var reasons = []struct{ what, where, who, why string }{
	{"read", "", "gorilla, CookieStore", "the session is in the cookie, so a logout cannot end a copy of the cookie"},
	{"read", "", "Fiber, storage/redis (fasthttp)", "fasthttp reuses the objects of earlier requests, which net/http does not"},
	{"read", "Redis", "", "its client has a connection for each request in progress, which saves a change of goroutine until many requests come at once"},
	{"read", "PostgreSQL", "", "pgx prepares its statements on each connection by name"},
	{"read", "PostgreSQL behind PgBouncer", "", "it leaves it to the caller that a write has no effect after its deadline"},
	{"login", "", "", noList},
	{"logout", "", "", noList},
}

const noList = "it keeps no list of a user's logins, so it can neither show devices nor log out everywhere"

// reason says in what a peer is better than ours, and why. It is empty for the
// floor, for ours, and for a peer that is not faster.
func reason(what, where string, i int, r row) string {
	if i == 0 || isOurs(r.name) || r.toOurs >= sameSpeed {
		return ""
	}
	for _, of := range reasons {
		if of.what == what && (of.where == "" || of.where == where) && (of.who == "" || of.who == r.name) {
			return "faster than ours: " + of.why
		}
	}
	return "faster than ours"
}

func isOurs(name string) bool { return len(name) >= 4 && name[:4] == "ours" }
