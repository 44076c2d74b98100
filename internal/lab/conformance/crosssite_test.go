package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// attack is a page whose form has all the fields that the shop reads.
func attack(target, action string) string {
	return fmt.Sprintf(`<!DOCTYPE html>
<form method="post" action="%s" target="%s">
<input name="user" value="alice"><input name="password" value="correct horse"><input name="item" value="poison">
<button>Win a prize</button>
</form>
<iframe name="frame"></iframe>`, action, target)
}

// ASVS 5.0, 3.5.1
func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	token, logins := s.token(b), s.shop.logged("msg=login")
	for _, host := range []string{foreign, sibling} {
		for _, path := range []string{"/login", "/logout", "/cart"} {
			s.serve(host, attack("_self", s.url(app, path)))
			b.visit(s.url(host, "/"))
			mark := s.mark()
			if status := b.click("button"); status != http.StatusForbidden {
				t.Errorf("%s posts to %s: status %d", host, path, status)
			}
			posts := s.since(mark)
			if len(posts) == 0 || posts[0].method != "POST" || posts[0].path != path {
				t.Fatalf("%s posts to %s: %+v has reached the shop", host, path, posts)
			}
			if posts[0].withCookie != (host == sibling) { // to a browser they are one site
				t.Errorf("%s posts to %s: the cookie goes along: %v", host, path, posts[0].withCookie)
			}
		}
	}
	s.nothingChanged(b, token, logins)
}

// A frame with an opaque origin, and a script that needs no answer.
func TestAFrameOrAScriptOfAnotherSiteIsRefused(t *testing.T) {
	s := openSite(t)
	b := s.customer(t)
	token, logins := s.token(b), s.shop.logged("msg=login")
	for _, host := range []string{foreign, sibling} {
		for _, path := range []string{"/login", "/logout", "/cart"} {
			for name, page := range map[string]string{
				"sandboxed frame": `<iframe sandbox="allow-forms allow-scripts" srcdoc='` + attack("_self", s.url(app, path)) +
					`<script>document.forms[0].submit()</script>'></iframe>`,
				"fetch": `<script>fetch("` + s.url(app, path) + `", {method: "POST", mode: "no-cors", credentials: "include",
					body: new URLSearchParams({user: "alice", password: "correct horse", item: "poison"})})</script>`,
			} {
				mark := s.mark()
				s.serve(host, page)
				b.visit(s.url(host, "/"))
				posts := s.since(mark)
				if len(posts) != 1 || posts[0].method != "POST" || posts[0].path != path || posts[0].status != http.StatusForbidden {
					t.Errorf("%s of %s posts to %s: %+v", name, host, path, posts)
				}
			}
		}
	}
	s.nothingChanged(b, token, logins)
}

// A browser that sends no Sec-Fetch-Site still sends Origin.
func TestAFormOfAnotherSiteIsRefusedFromAnOldBrowser(t *testing.T) {
	s := openSite(t)
	s.old = true
	b := s.customer(t)
	token, logins := s.token(b), s.shop.logged("msg=login")
	for _, host := range []string{foreign, sibling} {
		for _, path := range []string{"/login", "/logout", "/cart"} {
			s.serve(host, attack("_self", s.url(app, path)))
			b.visit(s.url(host, "/"))
			if status := b.click("button"); status != http.StatusForbidden {
				t.Errorf("%s posts to %s: status %d", host, path, status)
			}
		}
	}
	s.nothingChanged(b, token, logins)
}

// nothingChanged looks at all that the refused requests wanted to change.
func (s *site) nothingChanged(b tab, token string, logins int) {
	s.t.Helper()
	if s.token(b) != token {
		s.t.Error("the cookie has changed")
	}
	if s.shop.logged("msg=login") != logins || s.shop.logged("msg=logout") != 0 {
		s.t.Error("a user was logged in or out")
	}
	if s.shop.logged("cross-origin request") == 0 {
		s.t.Error("the log has no event")
	}
	b.visit(s.url(app, "/"))
	b.shows("Hello, alice")
	if strings.Contains(b.text(), "poison") {
		s.t.Error("the cart was filled")
	}
}

// Lax lets who follows a link stay logged in; who is not comes back to the
// page after the login.
func TestALinkOfAnotherSiteLeadsToThePage(t *testing.T) {
	s := openSite(t)
	b := newTab(t)
	s.serve(foreign, `<a href="`+s.url(app, "/devices")+`">there</a>`)
	b.visit(s.url(foreign, "/"))
	b.click("a")
	if got := b.path(); got != "/?next=%2Fdevices" {
		t.Fatalf("who is not logged in comes to %s", got)
	}
	b.login(false)
	if got := b.path(); got != "/devices" {
		t.Errorf("the login leads to %s", got)
	}
	b.visit(s.url(foreign, "/"))
	b.click("a")
	if got := b.path(); got != "/devices" {
		t.Errorf("who is logged in comes to %s", got)
	}
	for _, next := range []string{"//" + foreign, `/\\` + foreign, "https://" + foreign} {
		b := newTab(t)
		b.visit(s.url(app, "/"))
		eval[string](b, `document.querySelector("input[name=next]").value = "`+next+`"`)
		b.login(false)
		if host := eval[string](b, "location.hostname"); host != app {
			t.Errorf("next=%s leads to %s", next, host)
		}
	}
}
