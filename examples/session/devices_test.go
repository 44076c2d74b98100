package main

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
)

var (
	loginID   = regexp.MustCompile(`name="id" type="hidden" value="([^"]+)"`)
	csrfToken = regexp.MustCompile(`type="hidden" name="csrf_token" value="([^"]+)"`)
)

// ids returns the logins that the list of devices shows.
func (c client) ids() (ids []string) {
	c.t.Helper()
	_, body := c.get("/devices")
	for _, match := range loginID.FindAllStringSubmatch(body, -1) {
		ids = append(ids, match[1])
	}
	return ids
}

func TestADeviceIsLoggedOutFromAnother(t *testing.T) {
	shop := open(t)
	here, there := visit(t, shop), visit(t, shop)
	there.login()
	first := there.ids()
	here.login()
	if len(first) != 1 || len(here.ids()) != 2 {
		t.Fatalf("the lists show %d and %d logins", len(first), len(here.ids()))
	}
	here.post("/logout-one", url.Values{"id": first, "csrf_token": {here.csrf()}})
	there.wants("/me", http.StatusUnauthorized)
	here.wants("/me", http.StatusOK)
	if len(here.ids()) != 1 {
		t.Error("the list still shows the other device")
	}
}

// csrf returns the token of the forms in the list of devices.
func (c client) csrf() string {
	c.t.Helper()
	_, body := c.get("/devices")
	match := csrfToken.FindStringSubmatch(body)
	if match == nil {
		c.t.Fatal("the forms have no token")
	}
	return match[1]
}

func TestADeviceIsLoggedOutByTheFormAlone(t *testing.T) {
	shop := open(t)
	here, other := visit(t, shop), visit(t, shop)
	here.login()
	before := here.csrf()
	here.login()
	other.login()
	first := here.ids()[:1]
	for rule, token := range map[string][]string{"none": nil, "of another browser": {other.csrf()}, "from before the login": {before}} {
		if status, _ := here.post("/logout-one", url.Values{"id": first, "csrf_token": token}); status != http.StatusForbidden {
			t.Errorf("a token %s: status %d", rule, status)
		}
	}
	here.wants("/me", http.StatusOK)
	other.wants("/me", http.StatusOK)
	if len(here.ids()) != 2 {
		t.Error("a device was logged out")
	}
}

func TestLogoutEverywhereEndsEveryDevice(t *testing.T) {
	shop := open(t)
	here, there := visit(t, shop), visit(t, shop)
	here.login()
	there.login()
	here.post("/logout-everywhere", nil)
	here.wants("/me", http.StatusUnauthorized)
	there.wants("/me", http.StatusUnauthorized)
}

func TestADeviceIsNamedInAFewWords(t *testing.T) {
	for want, userAgent := range map[string]string{
		"Firefox on Linux":  "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"Chrome on Windows": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
		"Edge on Windows":   "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
		"Safari on iPhone":  "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
		"Chrome on Android": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36",
		"curl":              "curl/8.5.0",
		"another program":   "",
		"Safari on Mac OS":  "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15",
	} {
		if got := browser(userAgent); got != want {
			t.Errorf("%q is called %q, want %q", userAgent, got, want)
		}
	}
}
