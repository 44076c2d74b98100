package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// client stores the cookie like a browser, and the access token like its script.
type client struct {
	t *testing.T
	*http.Client
	url    string
	access string
}

func newClient(t *testing.T, live bool) *client {
	issuer, err := newIssuer("https://api.example", live)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(issuer))
	t.Cleanup(server.Close)
	c := &client{t: t, Client: server.Client(), url: server.URL}
	c.Jar, _ = cookiejar.New(nil)
	return c
}

func (c *client) do(method, path string, form url.Values) (status int, body string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.access != "" {
		r.Header.Set("Authorization", "Bearer "+c.access)
	}
	if path == "/refresh" || path == "/logout" {
		r.Header.Set("Refresh-Attempt", "0123456789abcdefghijkl")
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
	return response.StatusCode, string(text)
}

func (c *client) login() {
	c.t.Helper()
	status, body := c.do("POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
	c.take(status, body)
}

func (c *client) take(status int, body string) {
	c.t.Helper()
	var tokens struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
	}
	if err := json.Unmarshal([]byte(body), &tokens); err != nil || status != http.StatusOK {
		c.t.Fatalf("status %d: %v", status, err)
	}
	if tokens.Refresh != "" {
		c.t.Error("the refresh token is in the body, for script to see")
	}
	c.access = tokens.Access
}

func (c *client) want(method, path string, status int, body string) {
	c.t.Helper()
	if gotStatus, gotBody := c.do(method, path, nil); gotStatus != status || body != "" && gotBody != body {
		c.t.Errorf("%s %s: %d %q, want %d %q", method, path, gotStatus, gotBody, status, body)
	}
}

func TestWhoLogsInIsKnownByItsToken(t *testing.T) {
	c := newClient(t, false)
	c.want("GET", "/me", http.StatusUnauthorized, "")
	c.login()
	c.want("GET", "/me", http.StatusOK, "hello, alice\n")
	c.take(c.do("POST", "/refresh", nil))
	c.want("GET", "/me", http.StatusOK, "hello, alice\n")
	c.want("POST", "/logout", http.StatusNoContent, "")
	c.want("POST", "/refresh", http.StatusUnauthorized, "")
	c.access = ""
	c.want("GET", "/me", http.StatusUnauthorized, "")
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	c := newClient(t, false)
	if status, _ := c.do("POST", "/login", url.Values{"user": {"alice"}, "password": {"battery staple"}}); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	c.want("POST", "/refresh", http.StatusUnauthorized, "")
}

func TestLogoutEverywhereIsSeenAtOnceWithARevocationCheck(t *testing.T) {
	c := newClient(t, true)
	c.login()
	if status, body := c.do("GET", "/devices", nil); status != http.StatusOK || !strings.Contains(body, "Go-http-client") {
		t.Errorf("devices: %d %s", status, body)
	}
	c.want("POST", "/logout-everywhere", http.StatusNoContent, "")
	c.want("GET", "/me", http.StatusUnauthorized, "")
	c.want("POST", "/refresh", http.StatusUnauthorized, "")
}
