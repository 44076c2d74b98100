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
	"github.com/authlatch/auth/internal/former"
	"github.com/authlatch/auth/store"
)

// Config configures a [Limiter]. Store is required, and Sealer is recommended. The
// zero values of all other fields are safe defaults.
type Config struct {
	// Store holds the counts. It is required, and may be shared with other data. All
	// servers of an application must use the same store.
	Store store.Store

	// Namespace separates counts that share a store: those of other applications, and
	// those of other proofs, such as second factors. The default is "".
	Namespace string

	// Failures is the number of failed attempts on an account before the next one has
	// to wait. The default is 5, or MaxFailures if that is less.
	Failures int

	// FirstWait is the first wait. Each further failed attempt doubles the wait. The
	// default is 30 seconds, the minimum one second.
	FirstWait time.Duration

	// LongestWait is the maximum wait. The default is one hour, or FirstWait if that
	// is longer; the maximum is 30 days.
	LongestWait time.Duration

	// MaxFailures is the number of consecutive failed attempts on an account after
	// which it is locked for unrecognized devices. The default and the maximum is 100
	// (NIST SP 800-63B-4, 3.2.2). Trusted devices have as many of their own; with a
	// Sealer, a value of 50 keeps the total of both within the limit of NIST.
	//
	// [NeverLock] never locks an account.
	MaxFailures int

	// AddressFailures is the number of attempts that a client's address has at once,
	// for all accounts together. It must not be less than Failures and should be much
	// larger: many people may share one address, and an attempt counts while it is in
	// progress, so this is also the number of logins at the same moment: of 150 right
	// ones at once, 50 are refused. One that turns out right gives its place back when
	// its check ends, so with a check of 50 ms on two cores 40 logins a second go on
	// without end. For more at the same moment, as in a school, raise it. An IPv6 /48
	// has ten times as many, but at most 1000. The default is 100, or Failures if
	// that is more; the maximum is 1000.
	AddressFailures int

	// AddressRecovery is how long it takes until an address has one of its
	// attempts back. The default is one minute, the minimum one second, the
	// maximum one day.
	AddressRecovery time.Duration

	// TrustedProxies are the networks of proxies whose X-Forwarded-For is trusted;
	// see middleware.ClientAddress. The default trusts none. All clients behind a
	// proxy that is not listed here share the attempts of its address.
	TrustedProxies []netip.Prefix

	// Sealer encrypts and authenticates the cookie by which an account recognizes a
	// trusted device. Without a Sealer there is no such cookie, and an attacker who
	// knows the name of an account can make its owner wait.
	Sealer *cookie.Sealer

	// Cookie is the policy of that cookie. The default is
	// cookie.New("device").SameSiteLax(). Its MaxAge is always DeviceLifetime.
	Cookie cookie.Policy

	// FormerCookies are policies that Cookie had before. Their cookies are expired when
	// Cookie is set: a browser that sends two cookies of one name is an unrecognized
	// device. The default is none.
	FormerCookies []cookie.Policy

	// DeviceLifetime is how long a browser stays a trusted device of an account
	// after the account was last proved in it. The default is one year, the
	// maximum 400 days.
	DeviceLifetime time.Duration

	// CrossOrigin refuses requests that another site made a browser send, before they
	// are counted (ASVS 5.0, 3.5.1), because they could use up the attempts of the
	// browser's address and replace its cookie. The default trusts no other origin.
	// Use the same value as for the login, such as session.Config.CrossOrigin. GET
	// requests always pass, so call Try only for POST requests. [auth.RequireOrigin]
	// also refuses requests that do not state their origin.
	CrossOrigin auth.CrossOrigin

	// Events receives failed and refused attempts and faults: [auth.EventFailed],
	// [auth.EventThrottled], [auth.EventFault], and [auth.EventRejected] for requests
	// that another site made a browser send (ASVS 5.0, 16.3.1). Their Subject is the
	// account as it was typed, cut to 128 bytes of printable UTF-8. It may not name
	// an account, or be a password that was typed into the wrong field. Nil discards
	// events, except that package log/slog logs a cookie that browsers drop because of
	// plain HTTP.
	Events func(context.Context, auth.Event)
}

// NeverLock as Config.MaxFailures never locks an account: further attempts wait for
// LongestWait each. Use it for actions that are not guesses, such as messages that
// are sent.
const NeverLock = -1

// limits sets the defaults and returns an error for limits that are out of range or
// contradict each other.
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

// devices sets the defaults of the cookie and returns an error for settings that
// cannot work.
func (c *Config) devices() error {
	if c.Sealer == nil {
		if c.Cookie != (cookie.Policy{}) || c.DeviceLifetime != 0 {
			return errors.New("throttle: Config.Cookie and DeviceLifetime need a Sealer")
		}
		if len(c.FormerCookies) > 0 {
			return errors.New("throttle: Config.FormerCookies needs a Sealer")
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
	former, err := former.New(c.FormerCookies, c.Cookie)
	if err != nil {
		return fmt.Errorf("throttle: Config.FormerCookies: %w", err)
	}
	c.FormerCookies = former
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
