package throttle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
)

// Config configures a [Limiter]. Only Store is required, and Sealer is advisable; zero
// fields have safe defaults.
type Config struct {
	// Store is where attempts are counted. It is required, and may be shared
	// with everything else that is kept in a store. All servers of an
	// application count in the same one.
	Store store.Store

	// Namespace keeps counts apart that share a store: those of other
	// applications, and those of other proofs, such as second factors. The
	// default is "".
	Namespace string

	// Failures is how many attempts on an account may fail before the next one
	// has to wait. The default is 5.
	Failures int

	// FirstWait is how long it has to wait then. Each attempt that fails after
	// that doubles the wait. The default is 30 seconds, the minimum one second.
	FirstWait time.Duration

	// LongestWait is where waits stop growing. The default is one hour, or
	// FirstWait if that is longer, the maximum 30 days.
	LongestWait time.Duration

	// MaxFailures is how many consecutive attempts on an account may fail before
	// it is locked for unrecognized devices. The default and the maximum is 100
	// (NIST SP 800-63B-4, 3.2.2). Trusted devices have as many for themselves: with
	// a Sealer, 50 keeps all of them together within the letter of that.
	//
	// [NeverLock] never locks an account.
	MaxFailures int

	// AddressFailures is how many attempts a client's address has at once, for
	// all accounts together. It is not less than Failures, and better a good
	// deal more: many people may share one address, and an attempt counts while
	// it is under way, so as many may log in at the same moment. An IPv6 /48 has
	// ten times as many, and at most 1000. The default is 100, the maximum 1000.
	AddressFailures int

	// AddressRecovery is how long it takes until an address has one of its
	// attempts back. The default is one minute, the minimum one second, the
	// maximum one day.
	AddressRecovery time.Duration

	// TrustedProxies are the networks of proxies whose X-Forwarded-For is
	// believed; see middleware.ClientAddress. The default trusts none. Behind a proxy
	// that does not stand here, all clients share the allowance of its address.
	TrustedProxies []netip.Prefix

	// Sealer encrypts and authenticates the cookie by which an account recognizes
	// a trusted device. The default is no such cookie: anybody who knows an
	// account's name can then make its owner wait.
	Sealer *cookie.Sealer

	// Cookie is the policy of that cookie. The default is
	// cookie.New("device").SameSiteLax(). Its MaxAge is DeviceLifetime,
	// whatever it says.
	Cookie cookie.Policy

	// DeviceLifetime is how long a browser stays a trusted device of an account
	// after the account was last proved in it. The default is one year, the
	// maximum 400 days.
	DeviceLifetime time.Duration

	// CrossOrigin refuses what another site makes a browser send, before it is
	// counted (ASVS 5.0, 3.5.1): it could use up what the browser's address has,
	// and replace its cookie. The default trusts no other origin. Give it what
	// the log-in has, such as session.Config.CrossOrigin. A GET passes, wherever
	// it comes from: call Try in answer to a POST alone. [auth.RequireOrigin] also
	// refuses what says nothing of where it comes from.
	CrossOrigin auth.CrossOrigin

	// Events receives failed and refused attempts, and faults, as
	// [auth.EventFailed], [auth.EventThrottled], [auth.EventFault] and, if
	// another site made a browser send them, [auth.EventRejected] (ASVS 5.0,
	// 16.3.1). Their Subject is the account as it was typed, cut to 128 bytes of
	// printable UTF-8: it may name no account, or be a password that went into the
	// wrong field. Nil discards them.
	Events func(context.Context, auth.Event)
}

// NeverLock as Config.MaxFailures never locks an account: further attempts wait for
// LongestWait each. It is for what is not guessed, such as messages that are sent.
const NeverLock = -1

// limits fills in the defaults and refuses limits that contradict each other.
func (c *Config) limits() error {
	if c.Failures < 0 || c.MaxFailures < NeverLock || c.AddressFailures < 0 {
		return errors.New("throttle: Config.Failures, MaxFailures or AddressFailures is negative")
	}
	if c.FirstWait < 0 || c.LongestWait < 0 || c.AddressRecovery < 0 || c.DeviceLifetime < 0 {
		return errors.New("throttle: Config.FirstWait, LongestWait, AddressRecovery or DeviceLifetime is negative")
	}
	c.MaxFailures = cmp.Or(c.MaxFailures, maxFailures)
	most := c.MaxFailures
	if most == NeverLock {
		most = maxFailures
	}
	c.Failures = cmp.Or(c.Failures, min(5, most))
	c.FirstWait = cmp.Or(c.FirstWait, 30*time.Second)
	c.LongestWait = cmp.Or(c.LongestWait, max(time.Hour, c.FirstWait))
	c.AddressFailures = cmp.Or(c.AddressFailures, max(100, c.Failures))
	c.AddressRecovery = cmp.Or(c.AddressRecovery, time.Minute)
	switch {
	case c.MaxFailures > maxFailures:
		return fmt.Errorf("throttle: Config.MaxFailures is more than %d", maxFailures)
	case c.Failures > most:
		return errors.New("throttle: Config.Failures is more than MaxFailures")
	case c.FirstWait < time.Second:
		return errors.New("throttle: Config.FirstWait is under one second")
	case c.LongestWait < c.FirstWait || c.LongestWait > 30*24*time.Hour:
		return errors.New("throttle: Config.LongestWait is shorter than FirstWait, or longer than 30 days")
	case c.AddressFailures < c.Failures || c.AddressFailures > maxAttempts:
		return fmt.Errorf("throttle: Config.AddressFailures is less than Failures, or more than %d", maxAttempts)
	case c.AddressRecovery < time.Second || c.AddressRecovery > 24*time.Hour:
		return errors.New("throttle: Config.AddressRecovery is under one second, or longer than a day")
	}
	return nil
}

const maxFailures = 100

// devices fills in the defaults of the cookie and refuses those that cannot work.
func (c *Config) devices() error {
	if c.Sealer == nil {
		if c.Cookie != (cookie.Policy{}) || c.DeviceLifetime != 0 {
			return errors.New("throttle: Config.Cookie and DeviceLifetime need a Sealer")
		}
		return nil
	}
	if c.Cookie == (cookie.Policy{}) {
		c.Cookie = cookie.New("device").SameSiteLax()
	}
	c.DeviceLifetime = cmp.Or(c.DeviceLifetime, 365*24*time.Hour)
	if err := c.Cookie.Err(); err != nil {
		return fmt.Errorf("throttle: Config.Cookie: %w", err)
	}
	if !c.Cookie.HTTPOnly() {
		return errors.New("throttle: Config.Cookie is readable by scripts") // ASVS 5.0, 3.3.4
	}
	c.Cookie = c.Cookie.MaxAge(c.DeviceLifetime)
	if err := c.Cookie.Err(); err != nil {
		return fmt.Errorf("throttle: Config.DeviceLifetime: %w", err)
	}
	full := device{accounts: make([][16]byte, maxDeviceAccounts)}
	if _, err := c.Sealer.Seal(c.Cookie, full.encode(), c.DeviceLifetime); err != nil {
		return fmt.Errorf("throttle: Config.Sealer: %w", err)
	}
	return nil
}
