package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/stored"
)

// Throttle limits how often a password, or another proof that could be guessed,
// is tried (ASVS 5.0, 2.4.1, 6.3.1 and 6.6.3). An attempt is counted in the store
// before it is made, so however many come at once, to however many servers, no
// more than allowed are made:
//
//	err := throttle.Try(w, r, name, func() error {
//		return passwords.Verify(r.Context(), hashOf(name), password)
//	})
//	if err != nil {
//		middleware.Deny(w, r, err) // 401, 429 or 503
//		return
//	}
//
// Attempts count for the account and for the client's address: IPv6 by its /64, and
// by its /48, which has ten times as many. An account has some at once; then each
// further one waits, from 30 seconds up to an hour. After 100 failures in a row it
// is closed until [Throttle.Forgive]. A success ends the row. An address has more,
// which come back with time; a success gives back only itself there. Requests
// without an address share one count. Accounts that do not exist are counted like
// others, and answered alike. What a stranger can see is that a row has ended: then
// the owner has logged in, from a browser that was not known.
//
// With a Sealer, a browser from which an account was proved keeps a cookie, and has
// attempts of its own there, with the same waits, that count for neither the account
// nor the address: so no stranger can lock an owner out. A success there forgives
// the browsers that the account knows, and no stranger. Together they have
// MaxFailures in a row, however many cookies somebody has made or taken along;
// beyond that they are strangers until the owner gets in as one. The cookie knows
// the last six accounts, and authenticates nobody. Whoever has a copy gains the
// guesses of a known browser, anew after each success of a known one, and can make
// the owner of that very browser wait.
//
// Failures are remembered for 30 days after the last one, and for ten years once
// there have been so many that attempts wait. In the store, accounts and addresses
// stand as digests; whoever reads it can find them by trying names. A record that
// is damaged, or of a newer version, is an error, and nothing is tried, until it
// ends or is forgiven.
//
// A code of a second factor, which belongs to a subject that is known, is tried
// in the same way. Let it have a Throttle with a Namespace of its own, such as
// "otp", and the same Store, Sealer and Cookie: in one namespace a name that is
// typed at log-in could be that of another count. To limit how many messages are
// sent, as for a forgotten password, take one with the Namespace "reset", say, and
// MaxFailures -1, or anybody could close that way in for good; let check send a
// message and return auth.ErrUnauthenticated: each then counts. It is also told as
// [auth.EventFailed], so let another hook hear of these, or none. Forgive in both
// when a link from one has been used.
//
// Create it with [NewThrottle]. It keeps nothing between attempts, and is
// safe for concurrent use. The clocks of servers that share a store agree to the
// second or so: a failure that one has counted in the future makes an account wait
// until then, or until Forgive.
type Throttle struct {
	config  ThrottleConfig
	waits   waits
	address allowance
	site    allowance           // of all addresses of one customer
	queue   queue.Queue[digest] // of attempts that change one count
}

// ThrottledError says that there were too many attempts. It is an
// [auth.ErrForbidden]; [Deny] answers it with 429 (RFC 6585, 4).
type ThrottledError struct {
	// RetryAfter is how long to wait before another attempt has a chance; the
	// field of that name has it in seconds, rounded up. Zero means that waiting
	// does not help: the account is closed.
	RetryAfter time.Duration
}

// Error says so.
func (e *ThrottledError) Error() string {
	if e.RetryAfter == 0 {
		return "middleware: throttle: too many attempts: closed"
	}
	return fmt.Sprintf("middleware: throttle: too many attempts: wait for %v", e.RetryAfter)
}

// Is reports which of the outcomes the error is.
func (e *ThrottledError) Is(target error) bool { return target == auth.ErrForbidden }

// NewThrottle returns a Throttle, or an error that names the field of the
// configuration that cannot work. It does no I/O.
func NewThrottle(c ThrottleConfig) (*Throttle, error) {
	if c.Store == nil {
		return nil, errors.New("middleware: ThrottleConfig.Store is required")
	}
	if err := c.limits(); err != nil {
		return nil, err
	}
	if err := c.devices(); err != nil {
		return nil, err
	}
	for _, network := range c.TrustedProxies {
		// One that trusts everybody believes whatever an attacker writes.
		if !network.IsValid() || network.Bits() == 0 || network.Addr().Is4In6() {
			return nil, errors.New("middleware: ThrottleConfig.TrustedProxies has a network that is not valid, is everybody, or is IPv4 written as IPv6")
		}
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	c.CrossOrigin = crossorigin.OrDefault(c.CrossOrigin)
	if c.Events == nil {
		c.Events = func(context.Context, auth.Event) {}
	}
	return &Throttle{
		config:  c,
		waits:   waits{c.Failures, c.MaxFailures, c.FirstWait, c.LongestWait},
		address: allowance{c.AddressFailures, c.AddressRecovery},
		site:    allowance{min(10*c.AddressFailures, maxAttempts), c.AddressRecovery / 10},
	}, nil
}

// Try calls check, which proves that r comes from the owner of account, unless
// there were too many attempts; at most once, and not before the attempt is
// counted. account is what the application looks the account up by, in the form
// in which it does: folded to lower case, say, if it finds "Alice" as "alice".
//
// check returns nil if the proof is right, and an error that wraps
// [auth.ErrUnauthenticated] or [auth.ErrForbidden] if it is wrong, such as those of
// packages password and onetime. Any other error says that it could not tell,
// because a database is down, say, and no attempt has failed. Try returns
//
//   - nil if check did. With a Sealer it has set a cookie: call it before the body.
//   - the error of check, wrapped. The attempt does not count if check could not
//     tell, unless the client has hung up meanwhile.
//   - a [*ThrottledError], without a call of check, after too many attempts.
//   - an error that wraps [auth.ErrForbidden], without a call of check, if another
//     site made the browser send r.
//   - any other error if the store could not answer; check was not called.
//
// What is counted stays so if check panics. Writes go on when a client hangs up,
// but for 5 seconds at most. If the store fails after check has returned, that is
// an event: a success stands, and a count that could not be taken back stays.
func (t *Throttle) Try(w http.ResponseWriter, r *http.Request, account string, check func() error) error {
	a := t.attempt(w, r, account)
	if crossorigin.Check(t.config.CrossOrigin, r) != nil {
		a.event(auth.EventRejected, "cross-origin request", nil)
		return errCrossOrigin
	}
	if err := a.count(); err != nil {
		return a.refused(err)
	}
	err := check()
	switch {
	case err == nil:
		a.succeed(w, r)
		return nil
	case errors.Is(err, auth.ErrUnauthenticated), errors.Is(err, auth.ErrForbidden):
		a.event(auth.EventFailed, "", nil)
	case errors.Is(r.Context().Err(), context.Canceled):
		// A client that hangs up makes checks fail, and undoes no count.
		a.event(auth.EventFailed, "", nil)
	default:
		a.settle((*tally).takeBack)
		a.event(auth.EventFault, "", err)
	}
	return fmt.Errorf("middleware: throttle: check: %w", err)
}

var errCrossOrigin = fmt.Errorf("middleware: throttle: cross-origin request: %w", auth.ErrForbidden)

// Forgive forgets what has failed on an account, from anywhere, and opens it if it
// is closed: when its owner has proved that by other means, as after the reset of a
// password. Addresses stay as they are, and known browsers known. The error means
// that the store could not do it.
func (t *Throttle) Forgive(ctx context.Context, account string) error {
	return t.forget(ctx, t.digest("account", account), t.digest("devices", account))
}

// forget removes counts. What comes after it begins a new one, so that nothing can
// be lost but what is to be forgotten.
func (t *Throttle) forget(ctx context.Context, counts ...digest) error {
	ctx, done := stored.Writing(ctx)
	defer done()
	for _, d := range counts {
		if err := t.config.Store.Delete(ctx, d.key()); err != nil {
			return fmt.Errorf("middleware: throttle: forgive: %w", err)
		}
	}
	return nil
}

// digest is what the store knows a count of this namespace by.
func (t *Throttle) digest(parts ...string) digest {
	return digestOf(slices.Insert(parts, 0, t.config.Namespace)...)
}
