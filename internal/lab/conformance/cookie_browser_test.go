package conformance

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
)

func TestALoginShowsTheName(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	b.shows("Hello, alice")
	b.visit(s.url(app, "/me"))
	b.shows("hello, alice")
}

// ASVS 5.0, 3.3.4
func TestNoScriptReadsTheCookie(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	token := s.token(b)
	if len(token) < 22 {
		t.Fatalf("the browser has no session cookie")
	}
	for what, script := range map[string]string{
		"document.cookie": `document.cookie`,
		"cookieStore":     `cookieStore.getAll().then(JSON.stringify)`,
		"storage":         `JSON.stringify([{...localStorage}, {...sessionStorage}])`,
		"indexedDB":       `indexedDB.databases().then(JSON.stringify)`,
		"the page":        `document.documentElement.outerHTML`,
		"the address":     `location.href`,
		"an answer":       `fetch("/me").then(async r => JSON.stringify([...r.headers]) + await r.text())`,
	} {
		text := eval[string](b, script)
		if strings.Contains(text, token) || strings.Contains(text, cookieName) {
			t.Errorf("a script finds the cookie in %s", what)
		}
	}
}

func TestNoScriptOverwritesTheCookie(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	token := s.token(b)
	eval[string](b, `document.cookie = "`+cookieName+`=planted; Secure; Path=/"`)
	eval[string](b, `document.cookie = "`+cookieName+`=; Secure; Path=/; Max-Age=0"`)
	eval[string](b, `cookieStore.set("`+cookieName+`", "planted").then(() => "set", () => "refused")`)
	if s.token(b) != token {
		t.Error("a script has changed the cookie")
	}
}

// ASVS 5.0, 3.3.1, 3.3.2, 3.3.3 and 3.3.4
func TestTheCookieIsAsThePolicySays(t *testing.T) {
	s := openSite(t)
	for _, remember := range []bool{false, true} {
		b := newTab(t)
		b.visit(s.url(app, "/"))
		b.login(remember)
		cookies := b.cookies(s.url(app, "/"))
		if len(cookies) != 1 {
			t.Fatalf("%d cookies, want 1", len(cookies))
		}
		c := cookies[0]
		if c.Name != cookieName || !c.Secure || !c.HTTPOnly || c.Path != "/" || c.Domain != app ||
			c.SameSite != network.CookieSameSiteLax {
			t.Errorf("remember me is %v: %s of %s%s, Secure %v, HttpOnly %v, SameSite %s",
				remember, c.Name, c.Domain, c.Path, c.Secure, c.HTTPOnly, c.SameSite)
		}
		lasts := time.Until(time.Unix(int64(c.Expires), 0))
		if remember && (c.Session || lasts < 29*24*time.Hour || lasts > 31*24*time.Hour) {
			t.Errorf("with remember me the cookie lasts for %v", lasts)
		}
		if !remember && !c.Session {
			t.Errorf("without remember me the cookie outlives the browser")
		}
	}
}

// What a sibling plants is never adopted, neither before nor after login.
func TestASiblingPlantsNoSession(t *testing.T) {
	s := openSite(t)
	attacker := s.customer(t)
	planted := s.token(attacker)
	s.serve(sibling, "planted",
		"Set-Cookie", cookieName+"="+planted+"; Domain=shop.test; Path=/; Secure; HttpOnly",
		"Set-Cookie", "__hOsT-hTTp-session="+planted+"; Domain=shop.test; Path=/; Secure; HttpOnly",
		"Set-Cookie", "session="+planted+"; Domain=shop.test; Path=/; Secure",
		"Set-Cookie", "="+cookieName+"="+planted+"; Domain=shop.test; Path=/; Secure",
		"Set-Cookie", cookieName+"="+planted+"; Path=/; Secure; HttpOnly",
	)
	b := newTab(t)
	b.visit(s.url(sibling, "/"))
	if len(b.cookies(s.url(app, "/"))) == 0 {
		t.Fatal("the browser takes no cookie of a sibling at all: this proves nothing")
	}
	if s.token(b) != "" {
		t.Error("the browser takes the cookie of a sibling")
	}
	b.visit(s.url(app, "/"))
	b.shows("Log in")
	b.login(false)
	b.shows("Hello, alice")
	if token := s.token(b); token == "" || token == planted {
		t.Error("the login has adopted the planted cookie")
	}
}

// ASVS 5.0, 7.2.4
func TestEachLoginHasANewTokenAndEndsTheOldOne(t *testing.T) {
	s := openSite(t)
	b := newTab(t)
	b.visit(s.url(app, "/"))
	b.fill("#item", "tea")
	b.click(`form[action="/cart"] button`)
	tokens := []string{s.token(b)} // a visitor's
	b.login(false)
	tokens = append(tokens, s.token(b))
	b.visit(s.url(app, "/?next=/devices")) // prove it again
	b.login(false)
	tokens = append(tokens, s.token(b))
	b.click(`form[action="/logout"] button`)
	if s.token(b) != "" {
		t.Error("the cookie is still there after logout")
	}
	for i, token := range tokens {
		if token == "" {
			t.Fatalf("there is no token at step %d", i)
		}
		for j := range i {
			if tokens[j] == token {
				t.Errorf("steps %d and %d have the same token", j, i)
			}
		}
		if status := s.shop.status(t, "/me", token); status != 401 {
			t.Errorf("the token of step %d is accepted: status %d", i, status)
		}
	}
}
