package conformance

import (
	"net/http"
	"strings"
	"testing"
)

// Production settings work on plain http on this machine.
func TestPlainHTTPWorksOnLocalhost(t *testing.T) {
	s := openShop(t)
	for _, host := range []string{"localhost", "127.0.0.1"} {
		b := newTab(t)
		b.visit(s.at(host) + "/")
		b.login(false)
		b.shows("Hello, alice")
		if cookies := b.cookies(s.at(host)); len(cookies) != 1 || cookies[0].Name != cookieName || !cookies[0].Secure {
			t.Errorf("%s has not the cookie of production", host)
		}
		b.click(`form[action="/logout"] button`)
		b.visit(s.at(host) + "/me")
		b.shows("Log in")
	}
}

// What -insecure is for: a browser that sends no Secure cookies here.
func TestInsecureWorksOnLocalhostOnly(t *testing.T) {
	s := openShop(t, "-insecure")
	b := newTab(t)
	b.visit(s.at("localhost") + "/")
	b.login(false)
	b.shows("Hello, alice")
	if cookies := b.cookies(s.at("localhost")); len(cookies) != 1 || cookies[0].Name != "session" || cookies[0].Secure {
		t.Error("the cookie is not the one without Secure")
	}
	b = newTab(t)
	b.visit(s.at("plain.test") + "/")
	b.fill("#user", "alice")
	b.fill("#password", "correct horse")
	if status := b.click(`form[action="/login"] button`); status != http.StatusServiceUnavailable {
		t.Errorf("another host: status %d", status)
	}
	if len(b.cookies(s.at("plain.test"))) != 0 {
		t.Error("another host has got a cookie")
	}
}

// at returns the address of the shop under another name.
func (s *shop) at(host string) string {
	return strings.Replace(s.url, "127.0.0.1", host, 1)
}
