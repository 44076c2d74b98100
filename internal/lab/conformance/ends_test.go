package conformance

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// ASVS 5.0, 7.4.1
func TestALogoutIsFinal(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	token := s.token(b)
	if status := s.shop.status(t, "/me", token); status != http.StatusOK {
		t.Fatalf("before logout: status %d", status)
	}
	b.click(`form[action="/logout"] button`)
	b.shows("Log in")
	if s.token(b) != "" {
		t.Error("the browser still has the cookie")
	}
	for range 3 {
		if status := s.shop.status(t, "/me", token); status != http.StatusUnauthorized {
			t.Errorf("the old cookie, replayed by another client: status %d", status)
		}
	}
	b.visit(s.url(app, "/me"))
	b.shows("Log in")
}

// ASVS 5.0, 14.3.2
func TestBackAfterLogoutDoesNotShowThePage(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	b.visit(s.url(app, "/devices"))
	b.shows("Where you are logged in")
	b.click(`form[action="/logout"] button`)
	b.back()
	b.neverShows("Where you are logged in")
}

// The logout came from elsewhere, and one request has noticed.
func TestBackAfterARemoteLogoutDoesNotShowThePage(t *testing.T) {
	s := openSite(t)
	b, other := s.customer(t), s.customer(t)
	b.visit(s.url(app, "/devices"))
	other.visit(s.url(app, "/devices"))
	other.click(`form[action="/logout-everywhere"] button`)
	b.visit(s.url(app, "/me"))
	if s.token(b) != "" {
		t.Error("the refused request has not deleted the cookie")
	}
	b.back()
	b.neverShows("Where you are logged in")
}

// back goes back as the button does. It does not wait for a load, since a page
// out of the browser's memory never fires one.
func (b tab) back() {
	b.t.Helper()
	eval[bool](b, `setTimeout(() => history.back()), true`)
}

// neverShows watches the page until it has been quiet for a while.
func (b tab) neverShows(text string) {
	b.t.Helper()
	for range 15 {
		time.Sleep(100 * time.Millisecond)
		if strings.Contains(b.textNow(), text) {
			b.t.Fatalf("the page shows %q", text)
		}
	}
	if got := b.path(); got != "/?next=%2Fdevices" {
		b.t.Errorf("Back leads to %s", got)
	}
}

// ASVS 5.0, 7.4.2
func TestLogoutEverywhereEndsTheOtherBrowserAtOnce(t *testing.T) {
	s := openSite(t)
	b, other := s.customer(t), s.customer(t)
	token := s.token(other)
	b.visit(s.url(app, "/devices"))
	b.click(`form[action="/logout-everywhere"] button`)
	if status := s.shop.status(t, "/me", token); status != http.StatusUnauthorized {
		t.Errorf("the other browser's cookie: status %d", status)
	}
	other.visit(s.url(app, "/devices"))
	if got := other.path(); got != "/?next=%2Fdevices" {
		t.Errorf("the other browser comes to %s", got)
	}
	if s.token(other) != "" {
		t.Error("the other browser keeps the cookie of the ended login")
	}
}

// ASVS 5.0, 7.5.2
func TestOneDeviceIsLoggedOutFromAnother(t *testing.T) {
	s := openSite(t)
	other, b := s.customer(t), s.customer(t) // the list has the oldest first
	b.visit(s.url(app, "/devices"))
	b.click(`form[action="/logout-one"] button`)
	b.shows("this one")
	other.visit(s.url(app, "/me"))
	other.shows("Log in")
}

// A script gets an answer that it can read, a person the login page.
func TestAnExpiredSessionIs401ForAScriptAndTheLoginPageForAUser(t *testing.T) {
	s := openSite(t, "-idle", "1s")
	b := s.customer(t)
	time.Sleep(1500 * time.Millisecond)
	got := eval[string](b, `fetch("/me").then(r => [r.status, r.redirected, r.headers.get("Content-Type")].join(" "))`)
	if got != "401 false application/problem+json" {
		t.Errorf("a script gets %s", got)
	}
	if s.token(b) != "" {
		t.Error("the cookie of the ended login is still there")
	}
	b.visit(s.url(app, "/devices"))
	if got := b.path(); got != "/?next=%2Fdevices" {
		t.Errorf("a person comes to %s", got)
	}
	b.login(false)
	if got := b.path(); got != "/devices" {
		t.Errorf("after the login a person comes to %s", got)
	}
}
