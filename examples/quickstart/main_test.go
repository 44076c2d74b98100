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

// browser keeps cookies and speaks to the quickstart over TLS.
type browser struct {
	t *testing.T
	*http.Client
	url string
}

func newBrowser(t *testing.T) browser {
	logins, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(routes(logins))
	t.Cleanup(server.Close)
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	return browser{t, client, server.URL}
}

func (b browser) get(path string) (status int, body string) {
	b.t.Helper()
	return b.answer(b.Get(b.url + path))
}

func (b browser) post(path string, form url.Values) (status int, body string) {
	b.t.Helper()
	return b.answer(b.PostForm(b.url+path, form))
}

func (b browser) answer(res *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func credentials(user, password string) url.Values {
	return url.Values{"user": {user}, "password": {password}}
}

func TestALoginLastsUntilLogout(t *testing.T) {
	b := newBrowser(t)
	if status, _ := b.get("/me"); status != http.StatusUnauthorized {
		t.Errorf("before login: status %d", status)
	}
	if status, _ := b.post("/login", credentials("alice", "correct horse")); status != http.StatusOK {
		t.Fatalf("login: status %d", status)
	}
	if status, body := b.get("/me"); status != http.StatusOK || body != "hello, alice\n" {
		t.Errorf("after login: status %d, %q", status, body)
	}
	if status, _ := b.post("/logout", nil); status != http.StatusOK {
		t.Errorf("logout: status %d", status)
	}
	if status, _ := b.get("/me"); status != http.StatusUnauthorized {
		t.Errorf("after logout: status %d", status)
	}
}

func TestAWrongUserOrPasswordIsRefused(t *testing.T) {
	for name, form := range map[string]url.Values{
		"wrong password":        credentials("alice", "battery staple"),
		"no password":           credentials("alice", ""),
		"wrong user":            credentials("bob", "correct horse"),
		"nothing":               nil,
		"the longer password":   credentials("alice", "correct horses"),
		"the password in a URL": nil,
	} {
		b := newBrowser(t)
		path := "/login"
		if name == "the password in a URL" {
			path += "?" + credentials("alice", "correct horse").Encode()
		}
		if status, _ := b.post(path, form); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d", name, status)
		}
		if status, _ := b.get("/me"); status != http.StatusUnauthorized {
			t.Errorf("%s: status %d after it", name, status)
		}
	}
}

func TestLoginAndLogoutAreNotLinks(t *testing.T) {
	b := newBrowser(t)
	for _, path := range []string{"/login", "/logout"} {
		if status, _ := b.get(path); status != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: status %d", path, status)
		}
	}
}

func TestAnotherSiteCannotLogInOrOut(t *testing.T) {
	b := newBrowser(t)
	for _, path := range []string{"/login", "/logout"} {
		form := strings.NewReader(credentials("alice", "correct horse").Encode())
		r, err := http.NewRequest("POST", b.url+path, form)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		if status, _ := b.answer(b.Do(r)); status != http.StatusForbidden {
			t.Errorf("%s: status %d", path, status)
		}
	}
}
