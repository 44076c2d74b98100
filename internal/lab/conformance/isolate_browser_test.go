package conformance

import (
	"net/http"
	"testing"

	"github.com/authlatch/auth/middleware"
)

// picture is the smallest that browsers show.
const picture = `<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>`

// embeds are pages that make the browser ask for a path each, in all the ways
// in which one origin reaches another without asking.
var embeds = map[string]string{
	"/img":    `<img src="APP/img">`,
	"/script": `<script src="APP/script"></script>`,
	"/style":  `<link rel="stylesheet" href="APP/style">`,
	"/iframe": `<iframe src="APP/iframe"></iframe>`,
	"/object": `<object data="APP/object"></object>`,
	"/embed":  `<embed src="APP/embed">`,
	"/audio":  `<audio src="APP/audio" autoplay></audio>`,
	"/fetch":  `<script>fetch("APP/fetch", {mode: "no-cors", credentials: "include"})</script>`,
	"/cors":   `<script>fetch("APP/cors", {credentials: "include"})</script>`,
	"/post":   `<script>fetch("APP/post", {method: "POST", mode: "no-cors", credentials: "include", body: "a"})</script>`,
	"/beacon": `<script>navigator.sendBeacon("APP/beacon", "a")</script>`,
	"/form":   `<form method="post" action="APP/form"></form><script>document.forms[0].submit()</script>`,
	"/get":    `<iframe name="f"></iframe><form target="f" action="APP/get"></form><script>document.forms[0].submit()</script>`,
	"/socket": `<script>new WebSocket("APP/socket".replace("https", "wss"))</script>`,
}

// ASVS 5.0, 3.2.1 and 3.5.8: nothing of the site is embedded in pages of
// others, whatever the way; what a person does leads there.
func TestAnIsolatedSiteIsEmbeddedNowhereElse(t *testing.T) {
	s := openHosts(t)
	s.set(app, middleware.Isolate(answer("image/svg+xml", picture)))
	b := newTab(t)
	for _, from := range []string{foreign, sibling} {
		for path, html := range embeds {
			s.forget()
			s.page(from, replaceApp(html, s))
			b.visit(s.url(from, "/"))
			if got := s.request(app, path); got.status != http.StatusForbidden {
				t.Errorf("%s asks for %s: status %d, Sec-Fetch-Site %q, Mode %q, Dest %q", from, path, got.status,
					got.header.Get("Sec-Fetch-Site"), got.header.Get("Sec-Fetch-Mode"), got.header.Get("Sec-Fetch-Dest"))
			}
		}
		s.page(from, replaceApp(`<a href="APP/link">there</a>`, s))
		b.visit(s.url(from, "/"))
		if status := b.click("a"); status != http.StatusOK {
			t.Errorf("a link of %s: status %d", from, status)
		}
		s.page(from, replaceApp(`<form action="APP/search"><input name="q"><button>Search</button></form>`, s))
		b.visit(s.url(from, "/"))
		if status := b.click("button"); status != http.StatusOK {
			t.Errorf("a search form of %s: status %d", from, status)
		}
		s.set(from, http.RedirectHandler(s.url(app, "/redirect"), http.StatusFound))
		if status := b.visit(s.url(from, "/")); status != http.StatusOK {
			t.Errorf("a redirect of %s: status %d", from, status)
		}
	}
	if status := b.visit(s.url(app, "/address-bar")); status != http.StatusOK {
		t.Errorf("the address bar: status %d", status)
	}
}

// The same ways lead to the site from its own pages.
func TestAnIsolatedSiteUsesItself(t *testing.T) {
	s := openHosts(t)
	b := newTab(t)
	for path, html := range embeds {
		mux := http.NewServeMux()
		mux.Handle("/", answer("image/svg+xml", picture))
		mux.Handle("/page", answer("text/html", "<!DOCTYPE html>"+replaceApp(html, s)))
		s.set(app, middleware.Isolate(mux))
		s.forget()
		if status := b.visit(s.url(app, "/page")); status != http.StatusOK {
			t.Errorf("the page: status %d", status)
		}
		if got := s.request(app, path); got.status != http.StatusOK {
			t.Errorf("its %s: status %d, Sec-Fetch-Site %q", path, got.status, got.header.Get("Sec-Fetch-Site"))
		}
	}
}
