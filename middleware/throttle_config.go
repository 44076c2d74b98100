package middleware

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
)

// ThrottleConfig says how a [Throttle] works. Only Store is required, and Sealer
// is advisable; zero fields have safe defaults.
type ThrottleConfig struct {
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
	// that doubles the wait. The default is 30 seconds, the least one
	// second.
	FirstWait time.Duration

	// LongestWait is where waits stop growing. The default is one hour, or
	// FirstWait if that is longer, the most 30 days.
	LongestWait time.Duration

	// MaxFailures is how many attempts on an account may fail in a row before it
	// is closed to browsers that it does not know. The default and the most is
	// 100 (NIST SP 800-63B-4, 3.2.2). Those that it knows have as many for
	// themselves: with a Sealer, 50 keeps all of them within the letter of that.
	//
	// -1 never closes an account: further attempts wait for LongestWait each. It is
	// for what nobody guesses, such as messages that are sent.
	MaxFailures int

	// AddressFailures is how many attempts a client's address has at once, for
	// all accounts together. It is not less than Failures, and better a good
	// deal more: many people may share one address, and an attempt counts while
	// it is under way, so as many may log in at the same moment. An IPv6 /48 has
	// ten times as many, and at most 1000. The default is 100, the most 1000.
	AddressFailures int

	// AddressRecovery is how long it takes until an address has one of its
	// attempts back. The default is one minute, the least one second, the most
	// one day.
	AddressRecovery time.Duration

	// TrustedProxies are the networks of proxies whose X-Forwarded-For is
	// believed; see [ClientAddress]. The default trusts none. Behind a proxy
	// that does not stand here, all clients share the allowance of its address.
	TrustedProxies []netip.Prefix

	// Sealer seals the cookie by which an account knows a browser again. The
	// default is no such cookie: anybody who knows an account's name can then
	// make its owner wait.
	Sealer *cookie.Sealer

	// Cookie is the policy of that cookie. The default is
	// cookie.New("device").SameSiteLax(). Its MaxAge is DeviceLifetime,
	// whatever it says.
	Cookie cookie.Policy

	// DeviceLifetime is how long an account knows a browser from which it was
	// last proved. The default is one year, the most 400 days.
	DeviceLifetime time.Duration

	// CrossOrigin refuses what another site makes a browser send, before it is
	// counted (ASVS 5.0, 3.5.1): it could use up what the browser's address has,
	// and replace its cookie. The default trusts no other origin. Give it what
	// the log-in has, such as session.Config.CrossOrigin. A GET passes, wherever
	// it comes from: call Try in answer to a POST alone. [auth.RequireOrigin] also
	// refuses what says nothing of where it comes from.
	CrossOrigin auth.CrossOrigin

	// Events hears of failed and refused attempts and of what goes wrong, as
	// [auth.EventFailed], [auth.EventThrottled], [auth.EventFault] and, if
	// another site made a browser send them, [auth.EventRejected] (ASVS 5.0,
	// 16.3.1). Their Subject is the account as somebody has typed it, cut to 128
	// bytes of printable UTF-8: it may name nobody, or be a password that went
	// into the wrong field. The default is nobody.
	Events func(context.Context, auth.Event)
}

// limits fills in the defaults and refuses limits that contradict each other.
func (c *ThrottleConfig) limits() error {
	if c.Failures < 0 || c.MaxFailures < -1 || c.AddressFailures < 0 {
		return errors.New("middleware: ThrottleConfig.Failures, MaxFailures or AddressFailures is negative")
	}
	if c.FirstWait < 0 || c.LongestWait < 0 || c.AddressRecovery < 0 || c.DeviceLifetime < 0 {
		return errors.New("middleware: ThrottleConfig.FirstWait, LongestWait, AddressRecovery or DeviceLifetime is negative")
	}
	orElse(&c.MaxFailures, maxFailures)
	most := c.MaxFailures
	if most < 0 {
		most = maxFailures
	}
	orElse(&c.Failures, min(5, most))
	orElse(&c.FirstWait, 30*time.Second)
	orElse(&c.LongestWait, max(time.Hour, c.FirstWait))
	orElse(&c.AddressFailures, max(100, c.Failures))
	orElse(&c.AddressRecovery, time.Minute)
	switch {
	case c.MaxFailures > maxFailures:
		return fmt.Errorf("middleware: ThrottleConfig.MaxFailures is more than %d", maxFailures)
	case c.Failures > most:
		return errors.New("middleware: ThrottleConfig.Failures is more than MaxFailures")
	case c.FirstWait < time.Second:
		return errors.New("middleware: ThrottleConfig.FirstWait is under one second")
	case c.LongestWait < c.FirstWait || c.LongestWait > 30*24*time.Hour:
		return errors.New("middleware: ThrottleConfig.LongestWait is shorter than FirstWait, or longer than 30 days")
	case c.AddressFailures < c.Failures || c.AddressFailures > maxAttempts:
		return fmt.Errorf("middleware: ThrottleConfig.AddressFailures is less than Failures, or more than %d", maxAttempts)
	case c.AddressRecovery < time.Second || c.AddressRecovery > 24*time.Hour:
		return errors.New("middleware: ThrottleConfig.AddressRecovery is under one second, or longer than a day")
	}
	return nil
}

const maxFailures = 100

// devices fills in the defaults of the cookie and refuses one that cannot work.
func (c *ThrottleConfig) devices() error {
	if c.Sealer == nil {
		if c.Cookie != (cookie.Policy{}) || c.DeviceLifetime != 0 {
			return errors.New("middleware: ThrottleConfig.Cookie and DeviceLifetime need a Sealer")
		}
		return nil
	}
	if c.Cookie == (cookie.Policy{}) {
		c.Cookie = cookie.New("device").SameSiteLax()
	}
	orElse(&c.DeviceLifetime, 365*24*time.Hour)
	if err := c.Cookie.Err(); err != nil {
		return fmt.Errorf("middleware: ThrottleConfig.Cookie: %w", err)
	}
	if c.Cookie.ReadableByScripts() == c.Cookie {
		return errors.New("middleware: ThrottleConfig.Cookie is readable by scripts") // ASVS 5.0, 3.3.4
	}
	c.Cookie = c.Cookie.MaxAge(c.DeviceLifetime)
	if err := c.Cookie.Err(); err != nil {
		return fmt.Errorf("middleware: ThrottleConfig.DeviceLifetime: %w", err)
	}
	full := device{accounts: make([][16]byte, maxDeviceAccounts)}
	if _, err := c.Sealer.Seal(c.Cookie, full.encode(), c.DeviceLifetime); err != nil {
		return fmt.Errorf("middleware: ThrottleConfig.Sealer: %w", err)
	}
	return nil
}

func orElse[T time.Duration | int](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}
