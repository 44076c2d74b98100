package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/internal/clocks"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/internal/former"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/plainhttp"
	"github.com/authlatch/auth/internal/queue"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/internal/stored"
	"github.com/authlatch/auth/internal/watch"
	"github.com/authlatch/auth/store"
)

// Config configures a [Manager]. Only Store is required; all other fields have safe
// defaults.
type Config struct {
	// Store keeps the sessions. It is required.
	Store store.Store

	// Cookie is the policy of the session cookie. The default is [cookie.Session]:
	// sent to this host only and over TLS, hidden from scripts, and not sent with
	// requests of other sites except navigation (SameSite=Lax). Managers of one
	// store whose cookies have different names do not accept each other's sessions.
	// Applications on one host, such as localhost with different ports, share cookies:
	// give each a name of its own, or a login at one replaces the cookie of the other.
	Cookie cookie.Policy

	// FormerCookies are the policies that Cookie had before. A change of its Domain or
	// Path leaves the old cookie in browsers beside the new one, and a request with both
	// is malformed. A change of SameSite or MaxAge needs no entry here. Keep a policy
	// here for as long as browsers may keep its cookies. The default is none.
	//
	// Login, Ensure and Logout expire the cookies of former policies. If several cookies
	// arrive, Login and Logout end the sessions of all of them, and the response of a
	// guard that refuses the request expires all of them, the current one included. None
	// is trusted, because a sibling domain may have planted one. So users log in once
	// more.
	FormerCookies []cookie.Policy

	// Namespace separates subjects and sessions within one store, such as "staff"
	// and "customers". The default is "". Sessions and tokens of one namespace and
	// store share the list of a subject's logins.
	Namespace string

	// Limits bound how long sessions last, and how many logins a subject has.
	// IssuerConfig of package token has the same field.
	Limits auth.Limits

	// CrossOrigin refuses requests that another site made a browser send (ASVS 5.0,
	// 3.5.1), including WebSocket handshakes. Login, LoginPending, Ensure, Get,
	// Authenticate, Logout and CheckCSRF apply it; bearer tokens do not need it. The
	// default trusts no other origin. Use an [http.CrossOriginProtection] to trust
	// more origins, or to exempt patterns for callbacks that check a state parameter
	// of their own. [auth.RequireOrigin] also refuses requests without an origin.
	CrossOrigin auth.CrossOrigin

	// Refreshing decides anew what a login may do, so that a change of rights takes
	// effect while the user is logged in (ASVS 5.0, 8.3.2). It receives the identity of
	// the login, and returns that identity, with other Scopes, Methods or Claims if they
	// have changed. The request that called it, and later ones, have the returned
	// identity. The default changes nothing.
	//
	// Refreshing is called when the use of a session is recorded: by the first request
	// once a tenth of the idle timeout, or a day if that is shorter, has passed since the
	// last recorded use. [Manager.Refresh] changes the sessions of a subject at once.
	//
	// If its error wraps [auth.ErrUnauthenticated], the login ends, and Events receives
	// [auth.EventRevoked] with that error. After any other error, or if another field was
	// changed, the request is served with the identity as it was read, Events receives
	// [auth.EventFault], and the first request after a minute calls Refreshing again.
	//
	// The request waits for Refreshing, which must return when ctx ends. ctx ends after a
	// second. It does not end with the request, so a client cannot keep old rights by
	// hanging up. Concurrent requests of one session may each call Refreshing; the result
	// of one of the calls counts. Refreshing must not read or change the session of the
	// request.
	//
	// id.Expires is that of the login, and id.Credential is nil. Where an actor acts for
	// the subject, id.Actor is set: decide what the actor may do. Refreshing is not
	// called for sessions that are anonymous or wait for a second factor, nor by
	// [Manager.WithoutTouch].
	Refreshing func(ctx context.Context, id auth.Identity) (auth.Identity, error)

	// Device returns what to keep of the browser that logs in, for the subject's
	// list of devices. The default is the User-Agent header and no address. Behind a
	// proxy, RemoteAddr is the address of the proxy.
	Device func(r *http.Request) (userAgent, address string)

	// Events receives logins, their ends, and faults; see [auth.Event]. The default
	// discards them, except that package log/slog logs a cookie that browsers drop
	// because of plain HTTP.
	Events func(context.Context, auth.Event)
}

// Manager creates, reads and ends sessions. Create it with [New]: the zero value is not
// usable. All shared state is in the store, so that several processes can use one
// store. It is safe for concurrent use.
//
// A Manager is an Authenticator and a Challenger for the guards of package middleware.
type Manager struct {
	config           Config
	store            store.Store
	cached           func(context.Context, string) ([]byte, bool, error) // Get, or a near cache's GetCached
	lists            *logins.Lists
	former           former.Policies
	queue            *queue.Queue[logins.Digest] // of requests that change one session
	domain           [sha256.Size]byte           // part of every digest
	untouched        bool                        // no use is recorded
	touchPausedUntil *atomic.Int64               // no use is recorded before, in milliseconds since 1970
	plain            *plainhttp.Watch
	watches          *watch.Watcher
}

// margin is how much longer the store keeps a record than the session lasts.
const margin = clocks.Margin

// New returns a Manager, or an error that names the invalid field of the configuration.
// It does no I/O.
func New(c Config) (*Manager, error) {
	if c.Store == nil {
		return nil, errors.New("session: Config.Store is required")
	}
	if c.Cookie == (cookie.Policy{}) {
		c.Cookie = cookie.Session()
	}
	if err := c.Cookie.Err(); err != nil {
		return nil, fmt.Errorf("session: Config.Cookie: %w", err)
	}
	if !c.Cookie.HTTPOnly() {
		return nil, errors.New("session: Config.Cookie is readable by scripts") // ASVS 5.0, 3.3.4
	}
	formerCookies, err := former.New(c.FormerCookies, c.Cookie)
	if err != nil {
		return nil, fmt.Errorf("session: Config.FormerCookies: %w", err)
	}
	if err := logins.SetDefaults(&c.Limits); err != nil {
		return nil, fmt.Errorf("session: Config.%w", err)
	}
	c.CrossOrigin = crossorigin.OrDefault(c.CrossOrigin)
	if c.Device == nil {
		c.Device = func(r *http.Request) (string, string) { return r.UserAgent(), "" }
	}
	if c.Events == nil {
		c.Events = plainhttp.Log
	}
	m := &Manager{
		config: c, store: c.Store, cached: c.Store.Get, former: formerCookies, domain: domain(c),
		queue: new(queue.Queue[logins.Digest]), touchPausedUntil: new(atomic.Int64), plain: new(plainhttp.Watch),
	}
	if near, ok := c.Store.(store.Cached); ok {
		m.cached = near.GetCached
	}
	m.watches = watch.New(func(loginID string, err error) { m.fail(context.Background(), "", loginID, err) })
	if near, ok := c.Store.(store.Notifying); ok {
		near.OnChange(func(key string) { m.watches.Changed(logins.LoginIDOf(key)) })
	}
	m.lists = &logins.Lists{
		Store: c.Store, Namespace: c.Namespace, Bound: c.Limits.MaxLogins, Idle: c.Limits.RememberedIdleTimeout,
		DescribeSession: m.describe, DescribeFamily: rotation.Describe,
		Evicted: func(ctx context.Context, subject string, e logins.Entry) {
			event := e.Event(subject)
			event.Reason = e.Ending.String()
			m.event(ctx, event)
		},
		Fault: func(ctx context.Context, subject string, err error) {
			m.event(ctx, auth.Event{Kind: auth.EventFault, Subject: subject, Err: err})
		},
	}
	return m, nil
}

// domain is the domain separation between managers: a digest of the namespace and the
// name of the cookie.
func domain(c Config) [sha256.Size]byte {
	b := []byte("authlatch/session")
	b = record.AppendText(b, c.Namespace)
	return sha256.Sum256(record.AppendText(b, c.Cookie.Name()))
}

// Authenticate returns the identity of the session that the request's cookie names,
// with a *[Session] as its Credential. It makes one read of the store, or none if the
// request has no session cookie, and records the use of the session once a tenth of its
// idle timeout, or a day, has passed.
//
// The error wraps [auth.ErrNoCredential] if there is no cookie, or if its session has
// ended, is anonymous, or waits for a second factor; [auth.ErrUnauthenticated] if the
// cookie is malformed or sent twice; [auth.ErrForbidden] if another site made the
// browser send the request. Any other error means that the store could not answer.
func (m *Manager) Authenticate(r *http.Request) (auth.Identity, error) {
	s, err := m.requestSession(r, m.cached)
	if err != nil {
		return auth.Identity{}, err
	}
	if !s.authenticates() {
		return auth.Identity{}, errNotLoggedIn
	}
	return s.identity(), nil
}

var errNotLoggedIn = fmt.Errorf("session: no subject is logged in: %w", auth.ErrNoCredential)

// Get returns the session that the request's cookie names: a login, one that waits for
// a second factor, or an anonymous one. Get does not authenticate the request; guards
// do. A response that shows values of the session should set Cache-Control: no-store,
// as guards and Ensure do. The errors are those of [Manager.Authenticate]. Get does not
// read from a near cache.
func (m *Manager) Get(r *http.Request) (*Session, error) { return m.requestSession(r, m.store.Get) }

// requestSession returns the session that the request's cookie names, read with get.
func (m *Manager) requestSession(r *http.Request, get func(context.Context, string) ([]byte, bool, error)) (*Session, error) {
	ctx := r.Context()
	token, ok, err := m.config.Cookie.Read(r)
	if err != nil {
		m.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "malformed cookie"})
		return nil, fmt.Errorf("session: %w: %w", auth.ErrUnauthenticated, err)
	}
	if !ok {
		return nil, errNoCookie
	}
	if err := m.checkOrigin(r); err != nil {
		return nil, err
	}
	if !wellFormed(token) {
		m.event(ctx, auth.Event{Kind: auth.EventRejected, Reason: "malformed token"})
		return nil, errMalformed
	}
	digest := m.digest(token)
	s, err := m.readSession(ctx, get, digest)
	if err != nil {
		m.reportEnded(ctx, digest, err)
		return nil, err
	}
	if err := m.touch(ctx, s); err != nil {
		return nil, err
	}
	return s, nil
}

// reportEnded emits an event for a session that comes back after it was ended
// elsewhere. If the browser itself ended it, the request is a late one, from another tab
// say, and there is nothing to report.
func (m *Manager) reportEnded(ctx context.Context, d logins.Digest, err error) {
	var ended *endedError
	if errors.As(err, &ended) && ended.reason != 0 && !ended.reason.Own() {
		m.event(ctx, auth.Event{Kind: auth.EventRejected, LoginID: d.LoginID(), Reason: "login has ended"})
	}
}

var (
	errNoCookie  = fmt.Errorf("session: no cookie: %w", auth.ErrNoCredential)
	errMalformed = fmt.Errorf("session: malformed token: %w", auth.ErrUnauthenticated)
)

// readSession reads a session with get. The error is an *endedError if there is none
// any more.
func (m *Manager) readSession(ctx context.Context, get func(context.Context, string) ([]byte, bool, error), d logins.Digest) (*Session, error) {
	s := newSession(d)
	raw, ok, err := get(ctx, s.key)
	if err != nil {
		return nil, m.fail(ctx, "", d.LoginID(), fmt.Errorf("session: read: %w", err))
	}
	e, err := m.open(s, raw, ok)
	if e.Kind != "" {
		m.event(ctx, e)
	}
	if err == nil {
		err = m.checkActor(ctx, get, s)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// open reads a stored session into s, whose digest is set. With an error it returns the
// event of a request that presents the session, if there is one.
func (m *Manager) open(s *Session, raw []byte, ok bool) (e auth.Event, err error) {
	if !ok {
		e = auth.Event{Kind: auth.EventRejected, LoginID: s.digest.LoginID(), Reason: unknown}
		return e, &endedError{manager: m, digest: s.digest, why: unknown}
	}
	if tombstone, ended := logins.ParseTombstone(raw); ended {
		return e, &endedError{m, s.digest, tombstone.Reason.String(), tombstone.Reason, logins.Successor(raw)}
	}
	if err := s.decode(raw); err != nil {
		e = auth.Event{Kind: auth.EventFault, LoginID: s.digest.LoginID(), Err: err}
		if err == sessionrecord.ErrNewer {
			return e, err
		}
		return e, fmt.Errorf("%w: %w", auth.ErrUnauthenticated, err)
	}
	now := time.Now()
	s.moved = s.record.Settle(now.UnixMilli(), m.idle(&s.record))
	if !m.ends(s).After(now) {
		return s.event(auth.EventExpired), &endedError{manager: m, digest: s.digest, why: "expired"}
	}
	s.due = m.due(s, now)
	return e, nil
}

// idle returns the idle timeout of a record.
func (m *Manager) idle(rec *sessionrecord.Record) time.Duration {
	return logins.Idle(&m.config.Limits, rec.Flags&flagRemembered != 0)
}

// ends returns when a session ends if it is not used again.
func (m *Manager) ends(s *Session) time.Time {
	idle := time.UnixMilli(s.record.Used).Add(m.idle(&s.record))
	if absolute := time.UnixMilli(s.record.Expires); absolute.Before(idle) {
		return absolute
	}
	return idle
}

// ttl returns how long the store keeps a record, with any times in it.
func (m *Manager) ttl(rec *sessionrecord.Record) time.Duration {
	idle := time.UnixMilli(rec.Used).Add(m.idle(rec))
	left := min(time.Until(idle), time.Until(time.UnixMilli(rec.Expires)), m.config.Limits.MaxLifetime)
	return max(left, 0) + margin
}

// checkOrigin refuses a request that another site made the browser send.
func (m *Manager) checkOrigin(r *http.Request) error {
	if err := crossorigin.Check(m.config.CrossOrigin, r); err != nil {
		err = fmt.Errorf("session: cross-origin request: %w: %w", auth.ErrForbidden, err)
		m.event(r.Context(), auth.Event{Kind: auth.EventRejected, Reason: "cross-origin request", Err: err})
		return err
	}
	return nil
}

// fail is failed for a call that concerns no session. The subject may be of any length.
func (m *Manager) fail(ctx context.Context, subject, loginID string, err error) error {
	return m.failed(ctx, auth.Event{Subject: stored.Printable(subject, 255), LoginID: loginID}, err)
}

// failed reports a call that could not be completed, and returns its error. The event
// says whom it concerns. A client that hangs up is not a fault.
func (m *Manager) failed(ctx context.Context, e auth.Event, err error) error {
	if !errors.Is(err, context.Canceled) {
		e.Kind, e.Err = auth.EventFault, err
		m.event(ctx, e)
	}
	return err
}

func (m *Manager) event(ctx context.Context, e auth.Event) {
	m.endWatches(e)
	e.Time, e.Source = time.Now().UTC(), "session"
	m.config.Events(ctx, e)
}
