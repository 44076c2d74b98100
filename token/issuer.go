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
	"github.com/authlatch/auth/internal/former"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/plainhttp"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/store"
)

// IssuerConfig configures an [Issuer]. Keys, Store, Issuer, Audience and ClientID are
// required; other zero fields have safe defaults.
type IssuerConfig struct {
	// Keys sign access tokens and authenticate refresh tokens. Keys is required.
	Keys *KeySet

	// Store is where refresh families are kept. It is required. A copy of its records
	// is not enough to refresh.
	Store store.Store

	// Issuer, Audience and ClientID are the claims iss, aud and client_id of
	// access tokens (RFC 9068, 2.2): the server that signs them, the API that accepts
	// them, and the application that requests them. They are required.
	Issuer, Audience, ClientID string

	// Namespace separates the subjects of different applications or tenants in one
	// store. The default is "". Sessions and tokens of one namespace and store share
	// the list of a subject's logins. A Verifier on another host does not check the
	// namespace, so give each namespace an Issuer or an Audience of its own.
	Namespace string

	// AccessLifetime is how long an access token is valid. Without RevocationCheck,
	// it stays valid for that long after a logout. The default is 10 minutes, or the
	// IdleTimeout of Limits if that is shorter. The minimum is one second, the maximum
	// one hour (RFC 6750, 5.3).
	AccessLifetime time.Duration

	// Limits bound how long logins last, and how many a subject has. Config of package
	// session has the same field.
	Limits auth.Limits

	// GracePeriod is the time after a refresh in which the used refresh token is
	// still accepted, and returns the same successor. It tolerates concurrent
	// requests and lost responses. The default is 10 seconds, the minimum one second,
	// the maximum one minute. A thief who always uses a stolen token within the
	// GracePeriod of its owner's refresh is not detected.
	GracePeriod time.Duration

	// AttemptOptional admits clients that do not send the Refresh-Attempt header. If
	// such a client loses a response and repeats the refresh after the GracePeriod,
	// that counts as reuse and ends its login. CrossOrigin is then the only
	// protection against CSRF.
	AttemptOptional bool

	// NativeClients admits clients that keep the refresh token themselves, and send it
	// in the body, to Logout, LogoutHandler and RefreshHandler. The default admits
	// only browsers.
	NativeClients bool

	// Cookie is the policy of the cookie with a browser's refresh token. It must be
	// HttpOnly. The default is [cookie.Refresh]: Strict, HttpOnly and Secure.
	Cookie cookie.Policy

	// AccessCookie is the policy of a cookie for the access token. It must be
	// HttpOnly. The default is no such cookie: the browser's script receives the
	// token in the body and sends it in the Authorization header. With the cookie,
	// scripts cannot read the token, the cross-origin check applies to every request
	// that carries it, and no other host receives it. It lasts as long as the token,
	// also where the browser is closed before that.
	AccessCookie cookie.Policy

	// FormerCookies are policies that Cookie and AccessCookie had before. A change of a
	// Domain or Path leaves the old cookie in browsers beside the new one, and a request
	// with both is malformed. A change of SameSite or MaxAge needs no entry here. Keep a
	// policy here for as long as browsers may keep its cookies. The default is none.
	//
	// Logins, logouts and successful refreshes expire the cookies of these policies. If
	// several refresh cookies arrive, a login or a logout ends the logins of all of them,
	// and a refresh is refused. So users log in once more.
	FormerCookies []cookie.Policy

	// CrossOrigin refuses login, refresh and logout requests that another site makes
	// a browser send (ASVS 5.0, 3.5.1), and with an AccessCookie such requests to
	// Authenticate. The default trusts no other origin. [auth.RequireOrigin] also
	// refuses requests with neither Sec-Fetch-Site nor Origin. Native clients send
	// neither, so RequireOrigin together with NativeClients is an error.
	CrossOrigin auth.CrossOrigin

	// RevocationCheck makes Authenticate check that the login has not ended, so that a
	// logout is seen at once. The default is no check.
	RevocationCheck bool

	// Refreshing decides at each refresh what the next access token states, so that a
	// change of rights takes effect within AccessLifetime (ASVS 5.0, 8.3.2). It receives
	// the identity of the login, and returns that identity, with other Scopes, Methods or
	// Claims if they have changed. Later refreshes start from the returned identity. The
	// default changes nothing.
	//
	// If its error wraps [auth.ErrUnauthenticated], the login ends: the client receives a
	// 401, and Events receives [auth.EventRevoked] with that error. After any other error
	// (503), or if another field was changed, the refresh token stays valid and the client
	// may repeat the refresh.
	//
	// Each refresh waits for Refreshing, which must return when ctx ends: with the
	// request, or after 3 seconds. Concurrent refreshes of one login may each call
	// Refreshing; the result of one of the calls counts. Duplicates and retries of a
	// refresh within GracePeriod do not call it. They receive tokens that state the same.
	//
	// id.Expires is that of the login, and id.Credential is nil. Where an actor acts for
	// the subject, id.Actor is set: decide what the actor may do.
	Refreshing func(ctx context.Context, id auth.Identity) (auth.Identity, error)

	// Device returns the description of the browser that logs in or refreshes, for
	// the subject's list of devices and for events. The default is the User-Agent
	// header and no address.
	Device func(r *http.Request) (userAgent, address string)

	// Events receives the events of logins, refreshes, logouts and failures. The
	// default discards them, except that package log/slog logs a cookie that browsers
	// drop because of plain HTTP.
	Events func(context.Context, auth.Event)
}

// Issuer issues and refreshes tokens, and ends the logins that they belong to. It
// embeds the [Verifier] of its own tokens, so it is also an Authenticator for a guard. For
// a guard with another Leeway or CacheSize, create a Verifier with the same Keys.
// Create it with [NewIssuer]. It has no state except its configuration and a cache, so
// several processes may use one store. It is safe for concurrent use.
type Issuer struct {
	*Verifier // of the issuer's own tokens

	config IssuerConfig
	store  store.Store
	former former.Policies
	plain  plainhttp.Watch
	lists  logins.Lists
}

// NewIssuer returns an Issuer, or an error that names the invalid field of the
// configuration. It does no I/O.
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
		c.Events = plainhttp.Log
	}
	formerCookies, err := former.New(c.FormerCookies, c.Cookie, c.AccessCookie)
	if err != nil {
		return nil, fmt.Errorf("token: IssuerConfig.FormerCookies: %w", err)
	}
	verifier, err := NewVerifier(c.verifier())
	if err != nil {
		return nil, err
	}
	if !c.RevocationCheck {
		verifier.watchIn(newRevocationCheck(RevocationCheck{Store: c.Store, Namespace: c.Namespace}, c.Keys))
	}
	i := &Issuer{Verifier: verifier, config: c, store: c.Store, former: formerCookies}
	i.lists = i.newLists()
	return i, nil
}

// newLists returns the lists of the subjects' logins, which report to Events.
func (i *Issuer) newLists() logins.Lists {
	c := &i.config
	return logins.Lists{
		Store: c.Store, Namespace: c.Namespace, Bound: c.Limits.MaxLogins, Idle: c.Limits.RememberedIdleTimeout,
		DescribeSession: sessionrecord.Describe, DescribeFamily: i.describe,
		Evicted: func(ctx context.Context, subject string, e logins.Entry) {
			event := e.Event(subject)
			event.Reason = e.Ending.String()
			i.event(ctx, event)
		},
		Fault: func(ctx context.Context, subject string, err error) {
			i.event(ctx, auth.Event{Kind: auth.EventFault, Subject: subject, Err: err})
		},
	}
}

// required refuses a configuration without a required field, or with two fields that
// exclude each other.
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
		return errors.New("token: IssuerConfig.CrossOrigin is from auth.RequireOrigin, which refuses native clients, and IssuerConfig.NativeClients is set")
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
		AccessCookie: c.AccessCookie, CrossOrigin: c.CrossOrigin, Events: c.Events,
		namespace: &c.Namespace,
	}
	if c.RevocationCheck {
		v.RevocationCheck = &RevocationCheck{Store: c.Store, Namespace: c.Namespace}
	}
	return v
}

// cookies sets the default and refuses policies that disclose a token.
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
		return errors.New("token: IssuerConfig.Cookie and IssuerConfig.AccessCookie have the same name")
	}
	return nil
}

// limits sets the defaults and refuses limits that contradict each other.
func (c *IssuerConfig) limits() error {
	if err := logins.SetDefaults(&c.Limits); err != nil {
		return fmt.Errorf("token: IssuerConfig.%w", err)
	}
	c.AccessLifetime = cmp.Or(c.AccessLifetime, min(10*time.Minute, c.Limits.IdleTimeout))
	c.GracePeriod = cmp.Or(c.GracePeriod, 10*time.Second)
	switch {
	case c.AccessLifetime < time.Second || c.AccessLifetime > logins.Family.TombstoneTTL():
		return errors.New("token: IssuerConfig.AccessLifetime is not between a second and an hour")
	case c.Limits.IdleTimeout < c.AccessLifetime:
		return errors.New("token: IssuerConfig.Limits.IdleTimeout is shorter than IssuerConfig.AccessLifetime")
	case c.GracePeriod < time.Second || c.GracePeriod > time.Minute:
		return errors.New("token: IssuerConfig.GracePeriod is not between a second and a minute")
	}
	return nil
}

// fault is failed for what concerns no login with an actor. The subject may be one that
// Login has refused, of any length.
func (i *Issuer) fault(ctx context.Context, subject, loginID string, err error) error {
	return i.failed(ctx, auth.Event{Subject: stored.Printable(subject, 255), LoginID: loginID}, err)
}

// failed reports a failure and returns err. The event says whom it concerns. It does not
// report a request that its client has canceled.
func (i *Issuer) failed(ctx context.Context, e auth.Event, err error) error {
	if !errors.Is(err, context.Canceled) {
		e.Kind, e.Err = auth.EventFault, err
		i.event(ctx, e)
	}
	return err
}

func (i *Issuer) event(ctx context.Context, e auth.Event) {
	i.endWatches(e)
	e.Time, e.Source = time.Now().UTC(), "token"
	i.config.Events(ctx, e)
}
