package bothmodes

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

const day = 24 * time.Hour

// limited is a mode with limits, and one browser.
type limited struct {
	middleware.Authenticator
	Login  func(http.ResponseWriter, *http.Request, auth.Identity) error
	logout func(http.ResponseWriter, *http.Request) error
	use    func(r *http.Request) (http.Header, bool)   // false for a 401
	bearer func(r *http.Request) (http.Header, string) // refreshes; nil in sessions
	cookie *http.Cookie                                // of the login, as it was last set
}

// modes returns a constructor of each mode.
var modes = map[string]func(auth.Limits) (*limited, error){
	"session": func(l auth.Limits) (*limited, error) {
		m, err := session.New(session.Config{Store: &store.Memory{}, Limits: l})
		if err != nil {
			return nil, err
		}
		return &limited{Authenticator: m, Login: m.Login, logout: m.Logout, use: func(r *http.Request) (http.Header, bool) {
			_, err := m.Authenticate(r)
			return nil, err == nil
		}}, nil
	},
	"token": func(l auth.Limits) (*limited, error) {
		keys, err := token.NewKeySet(token.HS256)
		if err != nil {
			return nil, err
		}
		i, err := token.NewIssuer(token.IssuerConfig{
			Keys: keys, Store: &store.Memory{}, Issuer: "https://app.example", Audience: "api", ClientID: "web", Limits: l,
		})
		if err != nil {
			return nil, err
		}
		refresh := func(r *http.Request) (*httptest.ResponseRecorder, string) {
			w := httptest.NewRecorder()
			i.RefreshHandler().ServeHTTP(w, r)
			var tokens token.Tokens
			json.Unmarshal(w.Body.Bytes(), &tokens)
			return w, tokens.AccessToken
		}
		return &limited{
			Authenticator: i, Login: i.Login, logout: i.Logout,
			use: func(r *http.Request) (http.Header, bool) {
				w, _ := refresh(r)
				return w.Header(), w.Code == http.StatusOK
			},
			bearer: func(r *http.Request) (http.Header, string) {
				w, access := refresh(r)
				return w.Header(), access
			},
		}, nil
	},
}

// inModes runs a test with each mode in a bubble.
func inModes(t *testing.T, l auth.Limits, test func(*testing.T, *limited)) {
	t.Helper()
	for name, open := range modes {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mode, err := open(l)
				if err != nil {
					t.Fatal(err)
				}
				test(t, mode)
			})
		})
	}
}

func (l *limited) request() *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://app.example/", nil)
	r.Header.Set(token.AttemptHeader, strings.Repeat("a", 22))
	if l.cookie != nil {
		r.AddCookie(&http.Cookie{Name: l.cookie.Name, Value: l.cookie.Value})
	}
	return r
}

func (l *limited) obey(h http.Header) {
	for _, c := range (&http.Response{Header: h}).Cookies() {
		l.cookie = c
	}
}

// login logs alice in. It requests a lifetime unless that is zero.
func (l *limited) login(t *testing.T, requested time.Duration) {
	t.Helper()
	id := auth.Identity{Subject: "alice"}
	if requested != 0 {
		id.Expires = time.Now().Add(requested)
	}
	w := httptest.NewRecorder()
	if err := l.Login(w, l.request(), id); err != nil {
		t.Fatal(err)
	}
	l.obey(w.Header())
}

// lives uses the login, and reports whether it is alive.
func (l *limited) lives() bool {
	h, ok := l.use(l.request())
	l.obey(h)
	return ok
}

// ASVS 5.0, 7.3.1 and 7.3.2. dotCMS#31415: a login that is remembered for 30 days is still
// alive after 8 days without use.
func TestLimitsMeanTheSameInBothModes(t *testing.T) {
	for _, c := range []struct {
		rule      string
		limits    auth.Limits
		requested time.Duration
		use       time.Duration // every so long, or never
		end       time.Duration
		maxAge    time.Duration // of the cookie after the login
	}{
		{"an hour without use by default", auth.Limits{}, 0, 0, time.Hour, 0},
		{"24 hours by default", auth.Limits{}, 0, 30 * time.Minute, day, 0},
		{"the idle timeout", auth.Limits{IdleTimeout: 20 * time.Minute}, 0, 0, 20 * time.Minute, 0},
		{"the lifetime", auth.Limits{Lifetime: 2 * time.Hour}, 0, 30 * time.Minute, 2 * time.Hour, 0},
		{"a shorter lifetime than the default idle timeout", auth.Limits{Lifetime: time.Minute}, 0, 0, time.Minute, 0},
		{"an earlier end that was requested", auth.Limits{}, 15 * time.Minute, 0, 15 * time.Minute, 0},
		{"the lifetime as requested is not remembered", auth.Limits{}, day, 0, time.Hour, 0},
		{"remembered without use, as requested", auth.Limits{}, 20 * day, 0, 20 * day, 20 * day},
		{"remembered for 30 days, back after 8", auth.Limits{}, 30 * day, 8 * day, 30 * day, 30 * day},
		{"30 days at most by default", auth.Limits{}, 365 * day, 0, 30 * day, 30 * day},
		{"MaxLifetime at most", auth.Limits{MaxLifetime: 3 * day}, 365 * day, 0, 3 * day, 3 * day},
		{"MaxLifetime follows a longer lifetime", auth.Limits{Lifetime: 60 * day, IdleTimeout: 60 * day}, 0, 0, 60 * day, 0},
		{"the remembered idle timeout", auth.Limits{RememberedIdleTimeout: 7 * day}, 30 * day, 0, 7 * day, 0},
		{"the remembered idle timeout with use", auth.Limits{RememberedIdleTimeout: 7 * day}, 20 * day, 5 * day, 20 * day, 0},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inModes(t, c.limits, func(t *testing.T, mode *limited) {
				start := time.Now()
				mode.login(t, c.requested)
				remembers := c.requested > max(c.limits.Lifetime, day)
				if age := time.Duration(mode.cookie.MaxAge) * time.Second; (age > 0) != remembers || c.maxAge != 0 && age != c.maxAge {
					t.Errorf("the cookie lasts %v, want %v", age, c.maxAge)
				}
				for c.use > 0 && time.Since(start)+c.use < c.end {
					if time.Sleep(c.use); !mode.lives() {
						t.Fatalf("it has ended after %v", time.Since(start))
					}
				}
				early := *mode // so that the use a moment before the end moves nothing
				time.Sleep(c.end - time.Since(start) - time.Second)
				if c.use > 0 && !early.lives() {
					t.Errorf("it has ended a second early")
				}
				if time.Sleep(time.Second); mode.lives() {
					t.Errorf("it is alive after %v", c.end)
				}
			})
		})
	}
}

// An error names the field by which it is refused.
func TestLimitsThatCannotWorkAreRefusedInBothModes(t *testing.T) {
	for _, c := range []struct {
		rule   string
		limits auth.Limits
		names  string // the field; empty: it works
	}{
		{"none", auth.Limits{}, ""},
		{"a negative lifetime", auth.Limits{Lifetime: -1}, "Lifetime"},
		{"a negative idle timeout", auth.Limits{IdleTimeout: -1}, "IdleTimeout"},
		{"a negative longest lifetime", auth.Limits{MaxLifetime: -1}, "MaxLifetime"},
		{"a negative remembered idle timeout", auth.Limits{RememberedIdleTimeout: -1}, "RememberedIdleTimeout"},
		{"negative logins", auth.Limits{MaxLogins: -1}, "MaxLogins"},
		{"one login", auth.Limits{MaxLogins: 1}, ""},
		{"a thousand logins", auth.Limits{MaxLogins: 1000}, ""},
		{"more logins than a list holds", auth.Limits{MaxLogins: 1001}, "MaxLogins"},
		{"a second", auth.Limits{Lifetime: time.Second}, ""},
		{"a lifetime of no time", auth.Limits{Lifetime: time.Second - 1}, "Lifetime"},
		{"an idle timeout of no time", auth.Limits{IdleTimeout: time.Second - 1}, "IdleTimeout"},
		{"an idle timeout as long as the lifetime", auth.Limits{IdleTimeout: 2 * time.Hour, Lifetime: 2 * time.Hour}, ""},
		{"an idle timeout longer than the lifetime", auth.Limits{IdleTimeout: time.Hour + 1, Lifetime: time.Hour}, "IdleTimeout"},
		{"an idle timeout longer than the default lifetime", auth.Limits{IdleTimeout: day + 1}, "IdleTimeout"},
		{"a lifetime longer than the default of the longest", auth.Limits{Lifetime: 60 * day}, ""},
		{"a longest lifetime shorter than the lifetime", auth.Limits{Lifetime: 2 * day, MaxLifetime: day}, "MaxLifetime"},
		{"a longest lifetime shorter than the default lifetime", auth.Limits{MaxLifetime: day - 1}, "MaxLifetime"},
		{"a remembered idle timeout as long as the longest lifetime", auth.Limits{RememberedIdleTimeout: 30 * day}, ""},
		{"a remembered idle timeout longer than that", auth.Limits{RememberedIdleTimeout: 30*day + 1}, "RememberedIdleTimeout"},
		{"a remembered idle timeout shorter than the other", auth.Limits{RememberedIdleTimeout: time.Hour - 1}, "RememberedIdleTimeout"},
		{"as long as browsers keep cookies", auth.Limits{MaxLifetime: 400 * day}, ""},
		{"longer than browsers keep cookies", auth.Limits{MaxLifetime: 400*day + 1}, "MaxLifetime"},
		{"a lifetime longer than browsers keep cookies", auth.Limits{Lifetime: 400*day + 1}, "Lifetime"},
	} {
		for mode, config := range map[string]string{"session": "session: Config.Limits.", "token": "token: IssuerConfig.Limits."} {
			m, err := modes[mode](c.limits)
			switch {
			case c.names == "" && (err != nil || m == nil):
				t.Errorf("%s: %s: %v", mode, c.rule, err)
			case c.names != "" && (err == nil || m != nil || !strings.HasPrefix(err.Error(), config+c.names+" ")):
				t.Errorf("%s: %s: %v, want an error about %s", mode, c.rule, err, c.names)
			}
		}
	}
}
