package auth

import "time"

// Limits bound how long logins last, and how many a subject has. They mean the same for
// sessions and for logins by token. The sessions and the logins by token of a subject are
// in one list if they share the store and the namespace, so give both modes the same
// Limits there. The zero value of each field is a safe default.
//
// A login is remembered ("remember me") if it requested, by [Identity.Expires], a
// lifetime longer than Lifetime. Its cookie outlives the browser. The cookie of any other
// login ends with the browser, unless the policy of the cookie has a MaxAge.
type Limits struct {
	// Lifetime is how long a login lasts, however much it is used, unless it requests
	// another lifetime (ASVS 5.0, 7.3.2 and 10.4.8). The default is 24 hours (NIST SP
	// 800-63B-4, AAL2), the minimum one second, the maximum 400 days.
	Lifetime time.Duration

	// IdleTimeout is how long a login lasts without use (ASVS 5.0, 7.3.1). The default
	// is one hour (NIST SP 800-63B-4, AAL2), or Lifetime if that is shorter. The
	// minimum is one second, the maximum Lifetime.
	//
	// The use of a session is recorded with a precision of a tenth of its idle timeout,
	// or of a day if that is shorter. The session may end that much early, but never
	// late.
	//
	// Only a refresh counts as use of a login by token. Between two refreshes its access
	// token is used, so the login may end early by token.IssuerConfig.AccessLifetime. In
	// an Issuer, that is therefore the minimum of IdleTimeout.
	IdleTimeout time.Duration

	// MaxLifetime is the maximum lifetime that a login may request. The default is 30
	// days, or Lifetime if that is longer. The minimum is Lifetime, the maximum 400
	// days, because browsers keep no cookie longer.
	MaxLifetime time.Duration

	// RememberedIdleTimeout is the IdleTimeout of a remembered login. By default a
	// remembered login lasts for all of the lifetime that it requested, used or not, as
	// "remember me for 30 days" says. Set it to end unused remembered logins earlier.
	// The minimum is IdleTimeout, the maximum MaxLifetime.
	RememberedIdleTimeout time.Duration

	// MaxLogins is the maximum number of logins of a subject, of both modes together. A
	// further login removes one that has expired or, if there is none, ends the least
	// recently used. Pending logins, and logins with an Actor (see [Identity]), have
	// bounds of their own. The default is 100, the maximum 1000.
	MaxLogins int
}
