package bothmodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
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

// The events of both modes and of their guards, as an operator receives them over
// HTTP.

// site is an application in one of the modes, and a browser in it.
type site struct {
	mode    string
	handler http.Handler
	store   *brittle
	all     func(context.Context, string) error // logout everywhere

	cookie   string // what the browser keeps
	bearer   string
	agent    string
	received []auth.Event
	wrote    strings.Builder // all that was answered
}

// brittle is a store that can be switched off.
type brittle struct {
	store.Memory
	down error
}

func (b *brittle) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if b.down != nil {
		return nil, false, b.down
	}
	return b.Memory.Get(ctx, key)
}

func (b *brittle) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if b.down != nil {
		return false, b.down
	}
	return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (b *brittle) Delete(ctx context.Context, key string) error {
	if b.down != nil {
		return b.down
	}
	return b.Memory.Delete(ctx, key)
}

// openSite starts the site. Its login accepts each request, as the subject that it names.
func openSite(t *testing.T, mode string) *site {
	t.Helper()
	s := &site{mode: mode, store: &brittle{}, agent: "Browser/1.0"}
	receive := func(_ context.Context, e auth.Event) { s.received = append(s.received, e) }
	mux := http.NewServeMux()
	guard := &middleware.Guard{Events: receive}
	login := func(do func(http.ResponseWriter, *http.Request, auth.Identity) error) {
		mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
			if err := do(w, r, auth.Identity{Subject: r.URL.Query().Get("subject"), Scopes: "read"}); err != nil {
				middleware.Deny(w, r, err)
			}
		})
	}
	switch mode {
	case "session":
		m, err := session.New(session.Config{Store: s.store, Events: receive})
		if err != nil {
			t.Fatal(err)
		}
		guard.Authenticator, s.all = m, func(ctx context.Context, subject string) error { return m.LogoutAll(ctx, subject) }
		login(m.Login)
		mux.HandleFunc("/logout", func(w http.ResponseWriter, r *http.Request) {
			if err := m.Logout(w, r); err != nil {
				middleware.Deny(w, r, err)
			}
		})
	case "token":
		keys, err := token.NewKeySet(token.HS256)
		if err != nil {
			t.Fatal(err)
		}
		i, err := token.NewIssuer(token.IssuerConfig{Keys: keys, Store: s.store, Issuer: "https://app.example", Audience: "api", ClientID: "web", RevocationCheck: true, Events: receive})
		if err != nil {
			t.Fatal(err)
		}
		guard.Authenticator, s.all = i, func(ctx context.Context, subject string) error { return i.LogoutAll(ctx, subject) }
		login(i.Login)
		mux.Handle("/logout", i.LogoutHandler())
		mux.Handle("/refresh", i.RefreshHandler())
	}
	served := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "served") })
	mux.Handle("/me", guard.Require(served))
	mux.Handle("/admin", guard.RequireScope("admin")(served))
	mux.Handle("/bank", guard.RequireRecent(time.Minute)(served))
	mux.Handle("/check", guard.RequireThat(func(auth.Identity) error { return errors.New("the directory is down") })(served))
	s.handler = mux
	return s
}

// send sends a request as the browser does, and keeps what it is given.
func (s *site) send(method, target string, fields ...string) int {
	r := httptest.NewRequest(method, "https://app.example"+target, nil)
	r.Header.Set("User-Agent", s.agent)
	r.Header.Set("Refresh-Attempt", strings.Repeat("a", 22))
	if s.cookie != "" {
		r.Header.Set("Cookie", s.cookie)
	}
	if s.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+s.bearer)
	}
	for i := 0; i < len(fields); i += 2 {
		if r.Header.Set(fields[i], fields[i+1]); fields[i+1] == "" {
			r.Header.Del(fields[i])
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if s.cookie = c.Name + "=" + c.Value; c.MaxAge < 0 {
			s.cookie = ""
		}
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(w.Body.Bytes(), &answer); answer.AccessToken != "" {
		s.bearer = answer.AccessToken
	} else { // a login alone gives secrets away
		fmt.Fprintln(&s.wrote, w.Code, w.Body)
	}
	return w.Code
}

func (s *site) login(t *testing.T, subject string) {
	t.Helper()
	if code := s.send("POST", "/login?subject="+subject); code != 200 {
		t.Fatalf("login: %d", code)
	}
}

// take returns the received events and removes them.
func (s *site) take() []auth.Event {
	received := s.received
	s.received = nil
	return received
}

// situation is one that must, or must not, be reported to an operator.
type situation struct {
	rule      string
	mode      string // "" for both
	do        func(t *testing.T, s *site)
	want      []string // kind, "guard" if that is the source, reason
	anonymous bool     // whom it is about cannot be known
}

var situations = []situation{
	// ASVS 5.0, 16.3.1.
	{rule: "login", do: func(t *testing.T, s *site) { s.cookie = ""; s.login(t, "alice") }, want: []string{"login"}},
	{rule: "login again, in the same browser", do: func(t *testing.T, s *site) { s.login(t, "alice") }, want: []string{"revoked replaced", "login"}},
	{rule: "logout", do: func(t *testing.T, s *site) { s.send("POST", "/logout") }, want: []string{"logout"}},
	{rule: "logout everywhere", do: func(t *testing.T, s *site) { s.all(t.Context(), "alice") }, want: []string{"revoked"}},
	{rule: "a session that has ended", mode: "session", do: func(t *testing.T, s *site) {
		time.Sleep(time.Hour)
		s.send("GET", "/me")
	}, want: []string{"expired"}},
	{rule: "an access token that has expired", mode: "token", do: func(t *testing.T, s *site) {
		time.Sleep(11 * time.Minute)
		s.send("GET", "/me")
	}, want: []string{"expired"}},
	{rule: "a refresh", mode: "token", do: func(t *testing.T, s *site) {
		time.Sleep(time.Minute)
		s.send("POST", "/refresh")
	}, want: []string{"renewed"}},
	{rule: "a refresh token that has expired", mode: "token", do: func(t *testing.T, s *site) {
		time.Sleep(4 * time.Hour)
		s.send("POST", "/refresh")
	}, want: []string{"expired unknown"}, anonymous: true},
	{rule: "a request without a credential", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Cookie", "", "Authorization", "")
	}},
	{rule: "a request that is served", do: func(t *testing.T, s *site) { s.send("GET", "/me") }},

	// ASVS 5.0, 16.3.2.
	{rule: "a scope is lacking", do: func(t *testing.T, s *site) { s.send("GET", "/admin") }, want: []string{"denied guard insufficient scope"}},
	{rule: "a recent login is lacking", do: func(t *testing.T, s *site) {
		time.Sleep(2 * time.Minute)
		s.send("GET", "/bank")
	}, want: []string{"denied guard insufficient user authentication"}},

	// ASVS 5.0, 16.3.3.
	{rule: "a token that was never issued", mode: "session", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Cookie", "__Host-Http-session="+strings.Repeat("A", 43))
	}, want: []string{"rejected unknown"}, anonymous: true},
	{rule: "two cookies", mode: "session", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Cookie", s.cookie+"; "+s.cookie)
	}, want: []string{"rejected malformed cookie"}, anonymous: true},
	{rule: "a token of another form", mode: "session", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Cookie", "__Host-Http-session=x")
	}, want: []string{"rejected malformed token"}, anonymous: true},
	{rule: "a forged access token", mode: "token", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Authorization", "Bearer "+s.bearer[:len(s.bearer)-8]+"AAAAAAAA")
	}, want: []string{"rejected wrong signature"}, anonymous: true},
	{rule: "no token at all", mode: "token", do: func(t *testing.T, s *site) {
		s.send("GET", "/me", "Authorization", "Bearer x")
	}, want: []string{"rejected malformed token"}, anonymous: true},
	{rule: "a malformed refresh token", mode: "token", do: func(t *testing.T, s *site) {
		s.send("POST", "/refresh", "Cookie", "__Host-Http-refresh=x")
	}, want: []string{"rejected malformed refresh token"}, anonymous: true},
	{rule: "a refresh that any form could have sent", mode: "token", do: func(t *testing.T, s *site) {
		s.send("POST", "/refresh", "Refresh-Attempt", "")
	}, want: []string{"rejected no refresh attempt"}, anonymous: true},
	{rule: "an access token after logout", mode: "token", do: func(t *testing.T, s *site) {
		s.send("POST", "/logout")
		s.take()
		s.send("GET", "/me")
	}, want: []string{"rejected login has ended"}},
	{rule: "another site logs out", do: func(t *testing.T, s *site) {
		s.send("POST", "/logout", "Sec-Fetch-Site", "cross-site")
	}, want: []string{"rejected cross-origin request"}, anonymous: true},
	{rule: "another site logs in", do: func(t *testing.T, s *site) {
		s.send("POST", "/login?subject=mallory", "Origin", "https://evil.example")
	}, want: []string{"rejected cross-origin request"}, anonymous: true},
	{rule: "another site posts with the cookie", mode: "session", do: func(t *testing.T, s *site) {
		s.send("POST", "/me", "Origin", "null")
	}, want: []string{"rejected cross-origin request"}, anonymous: true},
	{rule: "another site refreshes", mode: "token", do: func(t *testing.T, s *site) {
		s.send("POST", "/refresh", "Sec-Fetch-Site", "same-site")
	}, want: []string{"rejected cross-origin request"}, anonymous: true},
	{rule: "a stolen refresh token", mode: "token", do: func(t *testing.T, s *site) {
		stolen := s.cookie
		time.Sleep(time.Minute)
		s.send("POST", "/refresh")
		time.Sleep(time.Minute)
		s.take()
		s.send("POST", "/refresh", "Cookie", stolen, "Refresh-Attempt", strings.Repeat("b", 22))
	}, want: []string{"reuse refresh token already used"}},

	// ASVS 5.0, 16.3.4.
	{rule: "a check that fails", do: func(t *testing.T, s *site) { s.send("GET", "/check") }, want: []string{"fault guard"}},
	{rule: "the store is down at a request", do: func(t *testing.T, s *site) {
		s.store.down = errors.New("connection refused")
		s.send("GET", "/me")
	}, want: []string{"fault"}},
	{rule: "the store is down at login", do: func(t *testing.T, s *site) {
		s.store.down = errors.New("connection refused")
		s.send("POST", "/login?subject=alice", "Cookie", "")
	}, want: []string{"fault"}},
	{rule: "the store is down at logout", do: func(t *testing.T, s *site) {
		s.store.down = errors.New("connection refused")
		s.send("POST", "/logout")
	}, want: []string{"fault"}},
	{rule: "the store is down at a refresh", mode: "token", do: func(t *testing.T, s *site) {
		time.Sleep(time.Minute)
		s.store.down = errors.New("connection refused")
		s.send("POST", "/refresh")
	}, want: []string{"fault"}},
	{rule: "the store is down at logout everywhere", do: func(t *testing.T, s *site) {
		s.store.down = errors.New("connection refused")
		if s.all(t.Context(), "alice") == nil {
			t.Error("want an error")
		}
	}, want: []string{"fault"}},
}

// each runs the situations in both modes, alice being logged in.
func each(t *testing.T, f func(t *testing.T, c situation, s *site)) {
	for _, mode := range []string{"session", "token"} {
		for _, c := range situations {
			if c.mode != "" && c.mode != mode {
				continue
			}
			t.Run(mode+"/"+c.rule, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := openSite(t, mode)
					s.login(t, "alice")
					s.take()
					f(t, c, s)
				})
			})
		}
	}
}

// ASVS 5.0, 16.2.1, 16.2.2, 16.3.1, 16.3.2, 16.3.3 and 16.3.4.
func TestEachSituationIsReportedInBothModes(t *testing.T) {
	each(t, func(t *testing.T, c situation, s *site) {
		c.do(t, s)
		var got []string
		for _, e := range s.take() {
			words := []string{string(e.Kind)}
			if e.Source != s.mode {
				words = append(words, e.Source)
			}
			if e.Reason != "" {
				words = append(words, e.Reason)
			}
			got = append(got, strings.Join(words, " "))
			if !e.Time.Equal(time.Now()) || e.Time.Location() != time.UTC {
				t.Errorf("the time is %v", e.Time)
			}
			if e.Kind == auth.EventFault && e.Err == nil {
				t.Error("a fault without an error")
			}
			known := e.Subject == "alice" && len(e.LoginID) == 22
			if e.Kind != auth.EventFault && known == c.anonymous {
				t.Errorf("it is about %q, %q", e.Subject, e.LoginID)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	})
}

// All secrets contain a canary. No event, in any form, contains it, and no
// answer but that to a login or a refresh is any of it.
//
// ASVS 5.0, 16.2.5 and 16.5.1.
func TestNoSecretIsDisclosedInEitherMode(t *testing.T) {
	each(t, func(t *testing.T, c situation, s *site) {
		secrets := []string{s.value(), s.bearer, strings.Repeat("a", 22)}
		c.do(t, s)
		secrets = append(secrets, s.value(), s.bearer)
		var output strings.Builder
		log := slog.New(slog.NewJSONHandler(&output, nil))
		for _, e := range s.take() {
			log.Info("event", "event", e, "err", e.Err)
			fmt.Fprintf(&output, "%v %+v %#v %v %+v %#v\n", e, e, e, e.Err, e.Err, e.Err)
			for err := e.Err; err != nil; err = errors.Unwrap(err) {
				fmt.Fprintln(&output, err)
			}
		}
		for _, secret := range secrets {
			if secret == "" {
				continue
			}
			for _, part := range []string{secret, secret[len(secret)-16:]} { // its end is random
				if strings.Contains(output.String(), part) {
					t.Errorf("an event has %q in it", part)
				}
				if strings.Contains(s.wrote.String(), part) {
					t.Errorf("an answer has %q in it: %s", part, s.wrote.String())
				}
			}
		}
		if strings.Contains(s.wrote.String(), "refused") || strings.Contains(s.wrote.String(), "directory") {
			t.Errorf("an answer says what went wrong inside: %s", s.wrote.String())
		}
	})
}

func (s *site) value() string {
	_, value, _ := strings.Cut(s.cookie, "=")
	return value
}

// An event is one record of a log, even if a client sends line breaks, and no line of a
// log is the client's.
//
// ASVS 5.0, 16.4.1.
func TestNoClientWritesIntoALog(t *testing.T) {
	const forged = "x\r\nlevel=INFO msg=\"alice logged in\"\x1b[2K\u2028"
	for _, mode := range []string{"session", "token"} {
		synctest.Test(t, func(t *testing.T) {
			s := openSite(t, mode)
			s.agent = forged
			s.login(t, "alice")
			stolen := s.cookie
			time.Sleep(time.Minute)
			s.send("POST", "/refresh")
			time.Sleep(time.Minute)
			for _, fields := range [][]string{
				{"Cookie", stolen},
				{"Cookie", "__Host-Http-session=" + forged},
				{"Cookie", "__Host-Http-refresh=" + forged},
				{"Authorization", "Bearer " + forged},
				{"Authorization", forged},
				{"Origin", forged},
				{"Refresh-Attempt", forged},
			} {
				for _, target := range []string{"/me", "/refresh", "/logout", "/login?subject=x"} {
					s.send("POST", target, fields...)
				}
			}
			if len(s.received) < 10 {
				t.Fatalf("%d events", len(s.received))
			}
			for _, e := range s.take() {
				for _, text := range []string{e.Subject, e.LoginID, e.Reason, string(e.Kind), e.Source, fmt.Sprint(e.Err)} {
					if strings.ContainsAny(text, "\r\n\x1b\u2028") {
						t.Errorf("%q", text)
					}
				}
			}
		})
	}
}
