package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"iter"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// RunLogins checks that the logins of packages session and token hold over the store that
// open returns. Run checks the rules of the contract one by one. RunLogins uses the store
// as an application does: concurrent updates, logouts and changes of rights of sessions,
// logouts during refreshes, and random schedules of refreshes with lost messages, failing
// calls and stolen tokens. A store that passes Run and fails here has a fault that no
// single call shows.
//
// RunLogins takes about ten seconds. On a slow store it does less, and takes a little
// longer. It calls open as Run does. The two stores stand for two processes. The
// store may be a [store.Cached]: then a session that has ended may be accepted for a
// moment longer.
//
// The store may serve other programs during the test: subjects are random. RunLogins
// leaves a few hundred records, which live for at most an hour.
func RunLogins(t *testing.T, open func(t *testing.T) store.Store) { run(t, loginGroups, open) }

var loginGroups = []group{
	{"sessions", []rule{
		{"concurrent updates of a session are not lost", sessionUpdates},
		{"no concurrent update or use of a session undoes its logout", sessionLogout},
		{"LogoutAll ends every earlier login", sessionLogoutAll},
		{"a login that is repeated keeps the values, and one session", sessionRepeatedLogin},
		{"rights that change reach a live session, and no update is lost", sessionRights},
	}},
	{"tokens", []rule{
		{"no concurrent refresh undoes a logout", refreshLogout},
		{"refreshes keep their rules when messages are lost, calls fail and tokens are stolen", refreshSchedules},
	}},
}

// rounds yields the numbers below n. On a slow store it yields fewer.
func (k *kit) rounds(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, start := 0, time.Now(); i < n && (i == 0 || time.Since(start) < k.budget); i++ {
			if !yield(i) {
				return
			}
		}
	}
}

// loginLifetime is short, so that records do not stay for long in a store that lasts.
const loginLifetime = 10 * time.Minute

// managers returns a session manager for each of the two stores.
func (k *kit) managers(config session.Config) (m [2]*session.Manager) {
	k.Helper()
	config.Limits.Lifetime = loginLifetime
	for i := range m {
		config.Store = k.paced(i)
		var err error
		if m[i], err = session.New(config); err != nil {
			k.fatalf("session.New: %v", err)
		}
	}
	return m
}

// paced is a store whose swaps wait for a moment. In memory a whole request would otherwise
// end before another begins.
type paced struct{ store.Store }

func (p paced) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	time.Sleep(short / 500)
	return p.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

// paced returns one of the stores, paced unless that would hide its near cache.
func (k *kit) paced(i int) store.Store {
	if _, near := k.stores[i].(store.Cached); near {
		return k.stores[i]
	}
	return paced{k.stores[i]}
}

func (k *kit) subject() string { return "storetest:" + rand.Text() }

// A browser keeps the session cookie of one site.
type browser struct{ token string }

const sessionCookie = "__Host-Http-session"

func (b *browser) request(ctx context.Context, method string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example/", nil).WithContext(ctx)
	if b.token != "" {
		r.Header.Set("Cookie", sessionCookie+"="+b.token)
	}
	return r
}

// post lets handle answer a request, and keeps the cookie that it sets.
func (b *browser) post(ctx context.Context, handle func(http.ResponseWriter, *http.Request) error) error {
	w := httptest.NewRecorder()
	err := handle(w, b.request(ctx, http.MethodPost))
	for _, set := range w.Result().Cookies() {
		if set.Name == sessionCookie && set.MaxAge >= 0 {
			b.token = set.Value
		}
	}
	return err
}

func (b *browser) visit(ctx context.Context, m *session.Manager) error {
	return b.post(ctx, func(w http.ResponseWriter, r *http.Request) error {
		_, err := m.Ensure(w, r)
		return err
	})
}

func (b *browser) login(ctx context.Context, m *session.Manager, subject string) error {
	return b.post(ctx, func(w http.ResponseWriter, r *http.Request) error {
		return m.Login(w, r, auth.Identity{Subject: subject})
	})
}

// logout keeps the cookie, to check that it is refused.
func (b *browser) logout(ctx context.Context, m *session.Manager) error {
	return m.Logout(httptest.NewRecorder(), b.request(ctx, http.MethodPost))
}

func (b *browser) authenticate(ctx context.Context, m *session.Manager) (auth.Identity, error) {
	return m.Authenticate(b.request(ctx, http.MethodGet))
}

const counter = session.Key[int]("count")

func (b *browser) increment(ctx context.Context, m *session.Manager) error {
	s, err := m.Get(b.request(ctx, http.MethodGet))
	if err != nil {
		return err
	}
	return m.Update(ctx, s, func(s *session.Session) error {
		n, err := counter.Get(s)
		return errors.Join(err, counter.Set(s, n+1))
	})
}

func (b *browser) count(ctx context.Context, m *session.Manager) (int, error) {
	s, err := m.Get(b.request(ctx, http.MethodGet))
	if err != nil {
		return 0, err
	}
	return counter.Get(s)
}

// refused reports whether the result of a check is that there is no valid login.
func refused(err error) bool { return errors.Is(err, auth.ErrUnauthenticated) }

// mustBeRefused checks that a session has ended in both processes. A near cache may learn
// of it a moment later.
func (k *kit) mustBeRefused(b *browser, managers [2]*session.Manager, what string) {
	k.Helper()
	for i, m := range managers {
		_, near := k.stores[i].(store.Cached)
		_, err := b.authenticate(k.ctx, m)
		for start := time.Now(); near && err == nil && time.Since(start) < k.patience; _, err = b.authenticate(k.ctx, m) {
			time.Sleep(short / 10)
		}
		switch {
		case err == nil:
			k.Errorf("process %d accepts %s", i+1, what)
		case !refused(err):
			k.Errorf("process %d cannot check %s: %v", i+1, what, err)
		}
	}
}
