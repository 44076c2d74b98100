package token

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// IssuerConfig says how an [Issuer] works. Keys, Store, Issuer, Audience and ClientID
// are required; other zero fields have safe defaults.
type IssuerConfig struct {
	// Keys sign access tokens and authenticate refresh tokens. They are
	// required.
	Keys *KeySet

	// Store is where refresh families are kept. It is required. What it holds
	// refreshes nothing by itself.
	Store store.Store

	// Issuer, Audience and ClientID are the claims iss, aud and client_id of
	// access tokens (RFC 9068, 2.2): who signs them, whom they are for, and
	// which application asked. They are required.
	Issuer, Audience, ClientID string

	// Namespace separates subjects of different worlds in one store. The default
	// is the one world "". Sessions and tokens of one namespace and store share
	// the list of a subject's log-ins. A Verifier elsewhere does not know of it:
	// give each namespace an Issuer or an Audience of its own.
	Namespace string

	// AccessLifetime is how long an access token is valid. Without RevocationCheck a
	// log-out takes as long to be seen. The default is 10 minutes, or Lifetime if
	// that is shorter, the most one hour (RFC 6750, 5.3).
	AccessLifetime time.Duration

	// IdleTimeout is how long a log-in lasts without being refreshed (ASVS 5.0,
	// 7.3.1). The default is 3 hours, or Lifetime if that is shorter. It is not
	// shorter than AccessLifetime, and not longer than Lifetime.
	IdleTimeout time.Duration

	// Lifetime is how long a log-in lasts, however often it is refreshed (ASVS
	// 5.0, 10.4.8). The default is 12 hours.
	Lifetime time.Duration

	// MaxLifetime is what a log-in may wish for in its Expires at most. The
	// default is Lifetime.
	MaxLifetime time.Duration

	// GracePeriod is the time after a refresh in which the spent refresh token is
	// still answered, with the same successor, for requests that were under
	// way at once and answers that were lost. The default is 10 seconds, the
	// most a minute. A thief who uses a stolen token within it, whenever its
	// owner does, is not seen.
	GracePeriod time.Duration

	// AttemptOptional admits clients that send no Refresh-Attempt. Such a client
	// that loses an answer, and asks again after the GracePeriod, is taken for a
	// thief and loses its log-in. What keeps other sites out is then
	// CrossOrigin alone.
	AttemptOptional bool

	// NativeClients admits clients that keep the refresh token themselves to
	// RefreshHandler and LogoutHandler, with the token in the body. The default
	// is browsers alone.
	NativeClients bool

	// MaxLogins is how many log-ins a subject has at most, sessions of the same
	// namespace included; a further one ends one that has expired or, without
	// such, the least recently used. The default is 100, the most 1000.
	MaxLogins int

	// Cookie is the policy of the cookie with a browser's refresh token. The
	// default is [cookie.Refresh]: Strict, HttpOnly and Secure.
	Cookie cookie.Policy

	// AccessCookie is the policy of a cookie for the access token. The default
	// is none: the browser's script gets the token in the body and sends it in
	// the Authorization field. With one, no script sees the token, the
	// cross-origin check stands before every request, and no other host gets it.
	AccessCookie cookie.Policy

	// CrossOrigin refuses what another site makes a browser send to log-in,
	// refresh and log-out (ASVS 5.0, 3.5.1), and with an AccessCookie to
	// Authenticate. The default trusts no other origin. [auth.RequireOrigin] also
	// refuses what says nothing of where it comes from. NativeClients say nothing,
	// so both together are an error.
	CrossOrigin auth.CrossOrigin

	// RevocationCheck makes Authenticate look whether the log-in goes on, so that a
	// log-out is seen at once. The default is not to look.
	RevocationCheck bool

	// Leeway is that of [VerifierConfig].
	Leeway time.Duration

	// CacheSize is that of [VerifierConfig].
	CacheSize int

	// Device says what to keep of the browser that logs in or refreshes, for the
	// subject's list of devices and for events. The default is the User-Agent
	// field and no address.
	Device func(r *http.Request) (userAgent, address string)

	// Events hears of log-ins and their ends, and of what goes wrong. The
	// default is nobody.
	Events func(context.Context, auth.Event)
}

// Issuer logs in by tokens: it issues and refreshes them, and ends what they
// stand for. It embeds the [Verifier] of its own tokens, so it is the
// Authenticator of a guard as well. Create it with [NewIssuer]. It has no state
// of its own but for its configuration and a cache, so several processes may use
// one store. It is safe for concurrent use.
type Issuer struct {
	*Verifier // of the issuer's own tokens

	config IssuerConfig
	store  store.Store
	lists  logins.Lists
}

// NewIssuer returns an Issuer, or an error that names the field of the
// configuration that cannot work. It does no I/O.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	for _, check := range [...]func() error{c.required, c.limits, c.cookies} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	c.CrossOrigin = crossorigin.OrDefault(c.CrossOrigin)
	if c.Device == nil {
		c.Device = func(r *http.Request) (string, string) { return r.UserAgent(), "" }
	}
	if c.Events == nil {
		c.Events = func(context.Context, auth.Event) {}
	}
	verifier, err := NewVerifier(c.verifier())
	if err != nil {
		return nil, err
	}
	i := &Issuer{Verifier: verifier, config: c, store: c.Store}
	i.lists = i.newLists()
	return i, nil
}

// newLists returns the lists of the subjects' logins, which report to Events.
func (i *Issuer) newLists() logins.Lists {
	c := &i.config
	return logins.Lists{
		Store: c.Store, Namespace: c.Namespace, Bound: c.MaxLogins, Idle: c.IdleTimeout,
		DescribeSession: sessionrecord.Describe, DescribeFamily: i.describe,
		Evicted: func(ctx context.Context, subject string, e logins.Entry) {
			i.event(ctx, auth.Event{Kind: auth.EventRevoked, Subject: subject, LoginID: e.Digest.LoginID(), Reason: e.Ending.String()})
		},
		Fault: func(ctx context.Context, subject string, err error) {
			i.event(ctx, auth.Event{Kind: auth.EventFault, Subject: subject, Err: err})
		},
	}
}

// required refuses what lacks a field, or has two that exclude each other.
func (c *IssuerConfig) required() error {
	switch {
	case c.Keys == nil:
		return errors.New("token: IssuerConfig.Keys is required")
	case c.Store == nil:
		return errors.New("token: IssuerConfig.Store is required")
	case c.Issuer == "" || c.Audience == "" || c.ClientID == "":
		return errors.New("token: IssuerConfig.Issuer, Audience and ClientID are required")
	}
	if _, required := c.CrossOrigin.(crossorigin.Required); required && c.NativeClients {
		return errors.New("token: IssuerConfig.CrossOrigin is of RequireOrigin, which is for browsers, and IssuerConfig.NativeClients is set")
	}
	if _, err := c.Keys.currentSecret(); err != nil {
		return fmt.Errorf("token: IssuerConfig.Keys: %w", err)
	}
	return nil
}

// verifier returns the configuration of the verifier of the issuer's own tokens.
func (c *IssuerConfig) verifier() VerifierConfig {
	v := VerifierConfig{
		Keys: c.Keys, Issuer: c.Issuer, Audience: c.Audience,
		Leeway: c.Leeway, CacheSize: c.CacheSize,
		AccessCookie: c.AccessCookie, CrossOrigin: c.CrossOrigin, Events: c.Events,
		namespace: &c.Namespace,
	}
	if c.RevocationCheck {
		v.RevocationCheck = &RevocationCheck{Store: c.Store, Namespace: c.Namespace}
	}
	return v
}

// cookies fills in the default and refuses what gives a token away.
func (c *IssuerConfig) cookies() error {
	if c.Cookie == (cookie.Policy{}) {
		c.Cookie = cookie.Refresh()
	}
	access := c.AccessCookie != (cookie.Policy{})
	switch {
	case c.Cookie.Err() != nil:
		return fmt.Errorf("token: IssuerConfig.Cookie: %w", c.Cookie.Err())
	case !c.Cookie.HTTPOnly():
		return errors.New("token: IssuerConfig.Cookie is readable by scripts")
	case access && c.AccessCookie.Err() != nil:
		return fmt.Errorf("token: IssuerConfig.AccessCookie: %w", c.AccessCookie.Err())
	case access && !c.AccessCookie.HTTPOnly():
		return errors.New("token: IssuerConfig.AccessCookie is readable by scripts")
	case access && c.AccessCookie.Name() == c.Cookie.Name():
		return errors.New("token: IssuerConfig.Cookie and IssuerConfig.AccessCookie have one name")
	}
	return nil
}

// limits fills in the defaults and refuses limits that contradict each other.
func (c *IssuerConfig) limits() error {
	c.Lifetime = cmp.Or(c.Lifetime, 12*time.Hour)
	if c.Lifetime < time.Second {
		return errors.New("token: IssuerConfig.Lifetime is shorter than a second")
	}
	c.AccessLifetime = cmp.Or(c.AccessLifetime, min(10*time.Minute, c.Lifetime))
	c.IdleTimeout = cmp.Or(c.IdleTimeout, min(3*time.Hour, c.Lifetime))
	c.MaxLifetime = cmp.Or(c.MaxLifetime, c.Lifetime)
	c.GracePeriod = cmp.Or(c.GracePeriod, 10*time.Second)
	c.MaxLogins = cmp.Or(c.MaxLogins, 100)
	const browsersCut = 400 * 24 * time.Hour
	for _, limit := range [...]struct {
		refused bool
		says    string
	}{
		{c.AccessLifetime < time.Second || c.AccessLifetime > logins.Family.TombstoneTTL(), "AccessLifetime is not between a second and an hour"},
		{c.IdleTimeout < c.AccessLifetime, "IdleTimeout is shorter than IssuerConfig.AccessLifetime"},
		{c.Lifetime < c.IdleTimeout, "Lifetime is shorter than IssuerConfig.IdleTimeout"},
		{c.MaxLifetime < c.Lifetime, "MaxLifetime is shorter than IssuerConfig.Lifetime"},
		{c.MaxLifetime > browsersCut, "MaxLifetime is longer than the 400 days that browsers keep a cookie"},
		{c.GracePeriod < time.Second || c.GracePeriod > time.Minute, "GracePeriod is not between a second and a minute"},
		{c.MaxLogins < 0 || c.MaxLogins > 1000, "MaxLogins is not between 1 and 1000"},
	} {
		if limit.refused {
			return errors.New("token: IssuerConfig." + limit.says)
		}
	}
	return nil
}

// unanswered tells of a question that could not be answered, and returns the
// error. A client that does not wait for the answer is no fault. The subject may be
// one that log-in has refused, of any length.
func (i *Issuer) unanswered(ctx context.Context, subject, loginID string, err error) error {
	if !errors.Is(err, context.Canceled) {
		i.event(ctx, auth.Event{Kind: auth.EventFault, Subject: stored.Printable(subject, 255), LoginID: loginID, Err: err})
	}
	return err
}

func (i *Issuer) event(ctx context.Context, e auth.Event) {
	e.Time, e.Source = time.Now().UTC(), "token"
	i.config.Events(ctx, e)
}
