// Package throttle is a rate limiter for passwords and other proofs that could be
// guessed (ASVS 5.0, 2.4.1, 6.3.1 and 6.6.3). Create a [Limiter] and make every
// attempt through [Limiter.Try], which counts the attempt in the store before it
// calls the check:
//
//	err := limiter.Try(w, r, name, func() error {
//		return passwords.Verify(r.Context(), hashOf(name), password)
//	})
//	if err != nil {
//		middleware.Deny(w, r, err) // 401, 429 or 503
//		return
//	}
//
// Because attempts are counted first, concurrent attempts at any number of servers
// cannot exceed the limit.
//
// # What is counted
//
// Attempts count for the account and for the client's address. IPv6 addresses count
// by their /64, and by their /48, which has ten times as many attempts.
//
// An account has a number of attempts at once; then each further attempt has to wait,
// from 30 seconds up to an hour. After 100 consecutive failures the account is locked
// until [Limiter.Reset]. A success resets the failure count of the account.
//
// An address has more attempts, which come back with time. A success gives back only
// its own attempt there. Requests without an address share one count.
//
// Accounts that do not exist are counted in the same way and get the same responses.
// An attacker can observe one thing: that the failure count was reset, which means
// that the owner has logged in from an unrecognized device.
//
// # Trusted devices
//
// With a Sealer, a browser in which an account was proved gets a cookie and becomes a
// trusted device of that account. It has attempts of its own, with the same waits,
// that count for neither the account nor the address, so an attacker cannot lock an
// owner out. A success on a trusted device resets the count of the account's trusted
// devices, and not that of unrecognized ones.
//
// All trusted devices of an account share MaxFailures consecutive failures, however
// many device cookies an attacker has made or stolen. Beyond that they are treated as
// unrecognized devices until the owner succeeds as one.
//
// The cookie names the last six accounts and cannot authenticate a request. An
// attacker with a copy of it gains the guesses of a trusted device, again after each
// success of one, and can make the owner of that browser wait.
//
// # What is kept
//
// Failures are remembered for 30 days after the last one, and for ten years once
// there are so many that attempts wait. The store holds accounts and addresses as
// digests; an attacker who can read the store can find them by trying names. A record
// that is damaged, or of a newer version, is an error: no attempt is made until the
// record expires or is reset.
//
// # Second factors and messages
//
// Try the code of a second factor, whose subject is known, in the same way. Use a
// Limiter with a Namespace of its own, such as "otp", and the same Store, Sealer and
// Cookie, because within one namespace a name that is typed at login could equal the
// name of another count.
//
// To limit how many messages are sent, as for a forgotten password, use a Limiter
// with the Namespace "reset", for example, and MaxFailures [NeverLock]; otherwise an
// attacker could lock that function permanently. Let check send a message and return
// auth.ErrUnauthenticated, so that each message counts. Each one is also reported as
// [auth.EventFailed], so give this Limiter another hook, or none. Call Reset of both
// limiters when a link from a message has been used.
package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/plainhttp"
	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/stored"
)

// Limiter limits the attempts at accounts. Create it with [New]. It keeps no state
// between attempts and is safe for concurrent use.
//
// The clocks of servers that share a store must agree to about a second. A failure
// that a server with a fast clock has recorded in the future makes an account wait
// until that time, or until Reset.
type Limiter struct {
	config  Config
	waits   waits
	address allowance
	site    allowance                  // of an IPv6 /48
	queue   queue.Queue[record.Digest] // one line of attempts for each count
	plain   plainhttp.Watch
}

// New returns a Limiter, or an error that names the invalid field of the
// configuration. It does no I/O.
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
		// A network of all addresses would trust every forged header.
		if !network.IsValid() || network.Bits() == 0 || network.Addr().Is4In6() {
			return nil, errors.New("throttle: Config.TrustedProxies has a network that is invalid, contains all addresses, or is IPv4-mapped IPv6")
		}
	}
	c.TrustedProxies = slices.Clone(c.TrustedProxies)
	c.CrossOrigin = crossorigin.OrDefault(c.CrossOrigin)
	if c.Events == nil {
		c.Events = plainhttp.Log
	}
	return &Limiter{
		config:  c,
		waits:   waits{c.Failures, c.MaxFailures, c.FirstWait, c.LongestWait},
		address: allowance{c.AddressFailures, c.AddressRecovery},
		site:    allowance{min(10*c.AddressFailures, maxAttempts), c.AddressRecovery / 10},
	}, nil
}

// Try calls check, which verifies that r comes from the owner of account, unless
// there were too many attempts. It counts the attempt first and calls check at most
// once.
//
// account is the name by which the application looks the account up, in the same
// form: folded to lower case, for example, if the application finds "Alice" as
// "alice".
//
// check returns nil if the proof is right. If it is wrong, check returns an error
// that wraps [auth.ErrUnauthenticated] or [auth.ErrForbidden], such as those of
// packages password and onetime. Any other error means that the proof could not be
// checked, for example because a database is down, and that the attempt has not
// failed. Try returns
//
//   - nil if check returns nil. With a Sealer it has set a cookie, so call Try before
//     writing the body.
//   - the error of check, wrapped. The attempt does not count if the proof could not
//     be checked, unless the client has disconnected meanwhile.
//   - an [*Error], without a call of check, after too many attempts.
//   - an error that wraps [auth.ErrForbidden], without a call of check, if another
//     site made the browser send r.
//   - any other error, without a call of check, if the store could not be read or
//     written.
//
// An attempt stays counted if check panics. Writes continue when a client
// disconnects, for 5 seconds at most. If the store fails after check has returned,
// Try reports an event: a success stands, and an attempt that could not be taken back
// stays counted.
func (l *Limiter) Try(w http.ResponseWriter, r *http.Request, account string, check func() error) error {
	a := l.attempt(w, r, account)
	if err := crossorigin.Check(l.config.CrossOrigin, r); err != nil {
		err = fmt.Errorf("throttle: cross-origin request: %w: %w", auth.ErrForbidden, err)
		a.event(auth.EventRejected, "cross-origin request", err)
		return err
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
		// Otherwise an attacker could disconnect during checks to avoid being counted.
		a.event(auth.EventFailed, "", nil)
	default:
		a.settle((*tally).takeBack)
		a.event(auth.EventFault, "", err)
	}
	return fmt.Errorf("throttle: check: %w", err)
}

// Reset deletes the failure counts of an account, of unrecognized and of trusted
// devices, and unlocks it. Call it when the owner has authenticated by other means,
// such as a password reset. The counts of addresses stay, and trusted devices stay
// trusted. An error means that the store could not be written.
func (l *Limiter) Reset(ctx context.Context, account string) error {
	return l.forget(ctx, l.digest("account", account), l.digest("devices", account))
}

// forget deletes counts. An attempt after it starts a new count, so no later failure
// is lost.
func (l *Limiter) forget(ctx context.Context, counts ...record.Digest) error {
	ctx, done := stored.Writing(ctx)
	defer done()
	for _, d := range counts {
		if err := l.config.Store.Delete(ctx, d.Key()); err != nil {
			return fmt.Errorf("throttle: reset: %w", err)
		}
	}
	return nil
}

// digest returns the store key of a count of this namespace.
func (l *Limiter) digest(parts ...string) record.Digest {
	return record.NewDigest("throttle", slices.Insert(parts, 0, l.config.Namespace)...)
}
