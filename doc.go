// Package auth holds what every part of the toolkit speaks about: who sent a
// request ([Identity]), the three ways in which a check can end, and what the
// parts report while they work ([Event]).
//
// HTTP is stateless, so a server must be told with each request who sent it.
// Package session does that with a random token in a cookie and a record on
// the server, package token with a signed token that any host verifies.
// Package middleware guards handlers in front of either; handlers import this
// package alone and do not know which of the two protects them:
//
//	func me(w http.ResponseWriter, r *http.Request) {
//		id, _ := auth.FromContext(r.Context())
//		fmt.Fprintln(w, "hello,", id.Subject)
//	}
//
// The toolkit starts where the application has decided who somebody is. It is
// no user database, no OAuth server and no log-in page.
package auth
