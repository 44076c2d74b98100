package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
)

// client is a browser at one of two services that share a store and a key file.
type client struct {
	t *testing.T
	*http.Client
	url string
}

func services(t *testing.T, storeURL string) [2]*client {
	keyFile := filepath.Join(t.TempDir(), "keys.json")
	jar, _ := cookiejar.New(nil)
	var both [2]*client
	for i := range both {
		opened, err := open(context.Background(), storeURL)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := loadKeys(keyFile)
		if err != nil {
			t.Fatal(err)
		}
		handler, err := newService(opened.Store, keys)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewTLSServer(handler)
		t.Cleanup(func() {
			server.Close()
			if err := opened.close(); err != nil {
				t.Error(err)
			}
		})
		both[i] = &client{t, server.Client(), server.URL}
		both[i].Jar = jar // cookies do not depend on the port
	}
	return both
}

func (c *client) want(method, path string, form url.Values, status int, body string) {
	c.t.Helper()
	send := func() (*http.Response, error) { return c.Get(c.url + path) }
	if method == http.MethodPost {
		send = func() (*http.Response, error) { return c.PostForm(c.url+path, form) }
	}
	response, err := send()
	if err != nil {
		c.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if response.StatusCode != status || body != "" && string(text) != body {
		c.t.Errorf("%s %s: %d %q, want %d %q", method, path, response.StatusCode, text, status, body)
	}
}

func TestTwoServicesOverOneStoreKnowEachOthersLogins(t *testing.T) {
	account := url.Values{"user": {"alice"}, "password": {"correct horse"}}
	both := services(t, "sqlite:"+filepath.Join(t.TempDir(), "auth.db"))
	here, there := both[0], both[1]
	here.want("GET", "/me", nil, http.StatusUnauthorized, "")
	here.want("POST", "/cart", url.Values{"item": {"tea"}}, http.StatusOK, "")
	here.want("POST", "/login", account, http.StatusOK, "")
	there.want("GET", "/me", nil, http.StatusOK, "hello, alice\n")
	there.want("GET", "/cart", nil, http.StatusOK, "tea\n")
	there.want("POST", "/token/login", account, http.StatusOK, "")
	there.want("POST", "/logout-everywhere", nil, http.StatusOK, "")
	here.want("GET", "/me", nil, http.StatusUnauthorized, "")
}

func TestAStoreThatDoesNotExistIsAnError(t *testing.T) {
	for _, url := range []string{"nothing:", "", "sqlite:/nowhere/at/all/auth.db"} {
		if _, err := open(context.Background(), url); err == nil {
			t.Errorf("%q opens", url)
		}
	}
}
