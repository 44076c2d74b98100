// Package throttle is a rate limiter for passwords, and for other proofs that could
// be guessed (ASVS 5.0, 2.4.1, 6.3.1 and 6.6.3). An attempt is counted in the store
// before it is made, so however many arrive at once, at however many servers, no more
// than allowed are made:
//
//	err := limiter.Try(w, r, name, func() error {
//		return passwords.Verify(r.Context(), hashOf(name), password)
//	})
//	if err != nil {
//		middleware.Deny(w, r, err) // 401, 429 or 503
//		return
//	}
//
// # What is counted
//
// Attempts count for the account and for the client's address: IPv6 by its /64, and
// by its /48, which has ten times as many. An account has some attempts at once; then
// each further one waits, from 30 seconds up to an hour. After 100 consecutive failures
// it is locked until [Limiter.Reset]. A success resets the failure count of the
// account. An address has more attempts, which come back with time; a success gives
// back only itself there. Requests without an address share one count. Accounts that
// do not exist are counted like others, and answered alike. An attacker can see one
// thing: that the failure count was reset, which means that the owner has logged in
// from an unrecognized device.
//
// # Trusted devices
//
// With a Sealer, a browser in which an account was proved keeps a cookie and becomes a
// trusted device of that account. It has attempts of its own, with the same waits,
// that count for neither the account nor the address: so no attacker can lock an owner
// out. A success there resets the count of the account's trusted devices, and not that
// of unrecognized ones. Together the trusted devices of an account have MaxFailures
// consecutive failures, however many cookies an attacker has made or stolen; beyond
// that they are treated as unrecognized until the owner succeeds as one. The cookie
// names the last six accounts, and authenticates nobody. An attacker with a copy of it
// gains the guesses of a trusted device, again after each success of one, and can make
// the owner of that very browser wait.
//
// # What is kept
//
// Failures are remembered for 30 days after the last one, and for ten years once there
// have been so many that attempts wait. The store holds accounts and addresses as
// digests; a reader of the store can find them by trying names. A record that is
// damaged, or of a newer version, is an error, and no attempt is made, until the record
// ends or is reset.
//
// # Second factors, and messages
//
// A code of a second factor, which belongs to a subject that is known, is tried in the
// same way. Give it a Limiter with a Namespace of its own, such as "otp", and the same
// Store, Sealer and Cookie: in one namespace a name that is typed at login could be that
// of another count. To limit how many messages are sent, as for a forgotten password,
// take one with the Namespace "reset", say, and MaxFailures [NeverLock], or anybody
// could lock that way in for good; let check send a message and return
// auth.ErrUnauthenticated: each then counts. It is also reported as [auth.EventFailed],
// so give this limiter another hook, or none. Call Reset of both limiters when a link
// from one has been used.
package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/stored"
)

// Limiter limits the attempts at accounts. Create it with [New]. It keeps nothing
// between attempts, and is safe for concurrent use.
//
// The clocks of servers that share a store agree to the second or so: a failure that
// one of them has counted in the future makes an account wait until then, or until
// Reset.
type Limiter struct {
	config  Config
	waits   waits
	address allowance
	site    allowance           // of all addresses of one customer
	queue   queue.Queue[digest] // of attempts that change one count
}

// New returns a Limiter, or an error that names the field of the configuration that
// cannot work. It does no I/O.
func New(c Config) (*Limiter, error) {
	if c.Store == nil {
		return nil, errors.New("throttle: Config.Store is required")
	}
	if err := c.limits(); err != nil {
		return nil, err
	}
	if err := c.devices(); err != nil {
		return nil, err
	}
	for _, network := range c.TrustedProxies {
		// One that trusts every address believes whatever an attacker writes.
		if !network.IsValid() || network.Bits() == 0 || network.Addr().Is4In6() {
			return nil, errors.New("throttle: Config.TrustedProxies has a network that is not valid, is everybody, or is IPv4 written as IPv6")
		}
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	c.CrossOrigin = crossorigin.OrDefault(c.CrossOrigin)
	if c.Events == nil {
		c.Events = func(context.Context, auth.Event) {}
	}
	return &Limiter{
		config:  c,
		waits:   waits{c.Failures, c.MaxFailures, c.FirstWait, c.LongestWait},
		address: allowance{c.AddressFailures, c.AddressRecovery},
		site:    allowance{min(10*c.AddressFailures, maxAttempts), c.AddressRecovery / 10},
	}, nil
}

// Try calls check, which proves that r comes from the owner of account, unless there
// were too many attempts. It calls check at most once, and not before the attempt is
// counted. account is what the application looks the account up by, in the form in
// which it does: folded to lower case, say, if it finds "Alice" as "alice".
//
// check returns nil if the proof is right, and an error that wraps
// [auth.ErrUnauthenticated] or [auth.ErrForbidden] if it is wrong, such as those of
// packages password and onetime. Any other error says that check could not answer,
// because a database is down, say, and that no attempt has failed. Try returns
//
//   - nil if check did. With a Sealer it has set a cookie: call Try before writing the
//     body.
//   - the error of check, wrapped. The attempt does not count if check could not
//     answer, unless the client has hung up meanwhile.
//   - an [*Error], without a call of check, after too many attempts.
//   - an error that wraps [auth.ErrForbidden], without a call of check, if another
//     site made the browser send r.
//   - any other error if the store could not answer; check was not called.
//
// An attempt stays counted if check panics. Writes go on when a client hangs up, but
// for 5 seconds at most. If the store fails after check has returned, that is an event:
// a success stands, and a count that could not be taken back stays.
func (l *Limiter) Try(w http.ResponseWriter, r *http.Request, account string, check func() error) error {
	a := l.attempt(w, r, account)
	if crossorigin.Check(l.config.CrossOrigin, r) != nil {
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
	return fmt.Errorf("throttle: check: %w", err)
}

var errCrossOrigin = fmt.Errorf("throttle: cross-origin request: %w", auth.ErrForbidden)

// Reset forgets the failures of an account, of unrecognized and of trusted devices, and
// unlocks it: for when its owner has proved that by other means, as after the reset of
// a password. The counts of addresses stay, and trusted devices stay trusted. The error
// means that the store could not answer.
func (l *Limiter) Reset(ctx context.Context, account string) error {
	return l.forget(ctx, l.digest("account", account), l.digest("devices", account))
}

// forget removes counts. An attempt that comes after it begins a new count, so nothing
// is lost but what is to be forgotten.
func (l *Limiter) forget(ctx context.Context, counts ...digest) error {
	ctx, done := stored.Writing(ctx)
	defer done()
	for _, d := range counts {
		if err := l.config.Store.Delete(ctx, d.key()); err != nil {
			return fmt.Errorf("throttle: reset: %w", err)
		}
	}
	return nil
}

// digest is what the store knows a count of this namespace by.
func (l *Limiter) digest(parts ...string) digest {
	return digestOf(slices.Insert(parts, 0, l.config.Namespace)...)
}
