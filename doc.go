// Package auth defines the types that all packages of the toolkit share.
//
// [Identity] says who sent a request. [ErrUnauthenticated] and [ErrForbidden] are
// the outcomes of a check that has refused a request. [Event] is what the packages
// report while they work.
//
// HTTP is stateless, so each request must carry proof of its sender. Package
// session uses a random token in a cookie and a record on the server. Package
// token uses a signed token that any host can verify. Package middleware guards
// handlers with either mode. Handlers import only this package and do not depend
// on the mode:
//
//	func me(w http.ResponseWriter, r *http.Request) {
//		id, _ := auth.FromContext(r.Context())
//		fmt.Fprintln(w, "hello,", id.Subject)
//	}
//
// The toolkit takes over after the application has verified the user. It is not a
// user database, an OAuth server or a login page.
package auth
