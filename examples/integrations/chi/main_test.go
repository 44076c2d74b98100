package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// browser is at a service of its own, over real HTTP.
type browser struct {
	t *testing.T
	*http.Client
	url string
}

func open(t *testing.T) *browser {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(sessions))
	t.Cleanup(server.Close)
	b := &browser{t, server.Client(), server.URL}
	b.Jar, _ = cookiejar.New(nil)
	return b
}

func (b *browser) want(method, path string, form url.Values, status int, body string) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status || string(text) != body {
		b.t.Errorf("%s %s: %d %q %v, want %d %q", method, path, response.StatusCode, text, err, status, body)
	}
}

func (b *browser) login(user string) {
	b.t.Helper()
	b.want("POST", "/login", url.Values{"user": {user}, "password": {"correct horse"}}, http.StatusOK, "")
}

// The client gets exactly the response of the guard; no handler adds to it.
const (
	unauthorized = `{"title":"Unauthorized","status":401}` + "\n"
	forbidden    = `{"title":"Forbidden","status":403}` + "\n"
)

func TestAGuardStandsBeforeTheRoutesOfItsGroup(t *testing.T) {
	b := open(t)
	for _, path := range []string{"/me", "/reports"} {
		b.want("GET", path, nil, http.StatusUnauthorized, unauthorized)
	}
	b.login("alice")
	b.want("GET", "/me", nil, http.StatusOK, "hello, alice\n")
	b.want("GET", "/reports", nil, http.StatusOK, "all is well\n")
	b.login("bob")
	b.want("GET", "/me", nil, http.StatusOK, "hello, bob\n")
	b.want("GET", "/reports", nil, http.StatusForbidden, forbidden)
}

func TestALogoutEndsTheSession(t *testing.T) {
	b := open(t)
	b.login("alice")
	site, _ := url.Parse(b.url)
	held := b.Jar.Cookies(site)[0]
	b.want("POST", "/logout", nil, http.StatusOK, "")
	b.want("GET", "/me", nil, http.StatusUnauthorized, unauthorized)
	held.Secure = true
	b.Jar.SetCookies(site, []*http.Cookie{held}) // a copied cookie is refused as well
	b.want("GET", "/me", nil, http.StatusUnauthorized, unauthorized)
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	b := open(t)
	for _, form := range []url.Values{
		{"user": {"alice"}, "password": {"battery staple"}},
		{"user": {"unknown"}, "password": {"correct horse"}},
		{"user": {"alice"}},
		{},
	} {
		b.want("POST", "/login", form, http.StatusUnauthorized, "wrong user or password\n")
		b.want("GET", "/me", nil, http.StatusUnauthorized, unauthorized)
	}
}
