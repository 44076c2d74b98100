package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v5"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// client stores the cookie like a browser, and the access token like its script.
type client struct {
	t *testing.T
	*http.Client
	url, access string
}

// open starts a service and returns a client of it, over real HTTP.
func open(t *testing.T) *client {
	issuer, err := newIssuer()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(issuer))
	t.Cleanup(server.Close)
	c := &client{t: t, Client: server.Client(), url: server.URL}
	c.Jar, _ = cookiejar.New(nil)
	return c
}

func (c *client) do(method, path string, form url.Values) (*http.Response, string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Refresh-Attempt", "0123456789abcdefghijkl")
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	response, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return response, string(text)
}

func (c *client) want(method, path string, status int, body string) {
	c.t.Helper()
	if response, got := c.do(method, path, nil); response.StatusCode != status || got != body {
		c.t.Errorf("%s %s: %d %q, want %d %q", method, path, response.StatusCode, got, status, body)
	}
}

// gets extracts the access token from a response.
func (c *client) gets(path string, form url.Values) {
	c.t.Helper()
	response, body := c.do("POST", path, form)
	var tokens struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &tokens); err != nil || response.StatusCode != http.StatusOK {
		c.t.Fatalf("POST %s: %d %v", path, response.StatusCode, err)
	}
	c.access = tokens.Access
}

func (c *client) login(user string) {
	c.t.Helper()
	c.gets("/login", url.Values{"user": {user}, "password": {"correct horse"}})
}

// The client gets exactly the response of the guard; no handler adds to it.
const (
	unauthorized = `{"title":"Unauthorized","status":401}` + "\n"
	forbidden    = `{"title":"Forbidden","status":403}` + "\n"
)

func TestAGuardStandsBeforeTheRoutesOfItsGroup(t *testing.T) {
	c := open(t)
	for _, c.access = range []string{"", "forged"} {
		for _, path := range []string{"/me", "/reports"} {
			c.want("GET", path, http.StatusUnauthorized, unauthorized)
		}
	}
	c.login("alice")
	c.want("GET", "/me", http.StatusOK, "hello, alice\n")
	c.want("GET", "/reports", http.StatusOK, "all is well\n")
	c.login("bob")
	c.want("GET", "/me", http.StatusOK, "hello, bob\n")
	c.want("GET", "/reports", http.StatusForbidden, forbidden)
}

func TestALogoutEndsTheTokens(t *testing.T) {
	c := open(t)
	c.login("alice")
	c.gets("/refresh", nil)
	c.want("GET", "/me", http.StatusOK, "hello, alice\n")
	c.want("POST", "/logout", http.StatusNoContent, "")
	c.want("GET", "/me", http.StatusUnauthorized, unauthorized)
	if response, _ := c.do("POST", "/refresh", nil); response.StatusCode != http.StatusUnauthorized {
		t.Errorf("refresh after logout: %d", response.StatusCode)
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	c := open(t)
	for _, form := range []url.Values{
		{"user": {"alice"}, "password": {"battery staple"}},
		{"user": {"unknown"}, "password": {"correct horse"}},
		{"user": {"alice"}},
		{},
	} {
		response, body := c.do("POST", "/login", form)
		if response.StatusCode != http.StatusUnauthorized || body != "wrong user or password\n" || len(response.Cookies()) > 0 {
			t.Errorf("%v: %d %q", form, response.StatusCode, body)
		}
	}
}

type authenticator func(*http.Request) (auth.Identity, error)

func (a authenticator) Authenticate(r *http.Request) (auth.Identity, error) { return a(r) }

// Handlers behind a guard do not run after a refusal. Middleware in front of it sees the
// error of a handler as without a guard.
func TestWhatFollowsAGuardDoesNotRunAfterARefusal(t *testing.T) {
	for rule, c := range map[string]struct {
		err    error
		status int
	}{
		"no valid credential": {auth.ErrUnauthenticated, http.StatusUnauthorized},
		"not allowed":         {auth.ErrForbidden, http.StatusForbidden},
		"a store is down":     {io.ErrUnexpectedEOF, http.StatusServiceUnavailable},
		"admitted":            {nil, http.StatusTeapot},
	} {
		t.Run(rule, func(t *testing.T) {
			guard := &middleware.Guard{Authenticator: authenticator(func(*http.Request) (auth.Identity, error) {
				return auth.Identity{Subject: "alice"}, c.err
			})}
			var ran []string
			runs := func(name string) echo.MiddlewareFunc {
				return func(next echo.HandlerFunc) echo.HandlerFunc {
					return func(c *echo.Context) error {
						ran = append(ran, name)
						return next(c)
					}
				}
			}
			e := echo.New()
			e.GET("/", func(c *echo.Context) error {
				ran = append(ran, "handler")
				return echo.NewHTTPError(http.StatusTeapot, "short and stout")
			}, runs("before"), echo.WrapMiddleware(guard.Require), runs("after"))
			w := httptest.NewRecorder()
			e.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
			want := []string{"before"}
			if c.err == nil {
				want = []string{"before", "after", "handler"}
			}
			if w.Code != c.status || !slices.Equal(ran, want) {
				t.Errorf("%d %q, ran %q", w.Code, w.Body, ran)
			}
		})
	}
}

func TestAPasswordInTheQueryIsNone(t *testing.T) {
	c := open(t)
	response, _ := c.do("POST", "/login?password=correct+horse", url.Values{"user": {"alice"}})
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", response.StatusCode)
	}
}
