package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/authlatch/auth/middleware"
)

// openPages gives the app some pages: "/safe/…" with the security headers, and
// the same under "/bare/…" without, to see that the headers make the difference.
func openPages(t *testing.T) *hosts {
	t.Helper()
	s := openHosts(t)
	pages := http.NewServeMux()
	pages.Handle("/page", answer("text/html", `<!DOCTYPE html><title>before</title>
<script src="tell.js"></script>
<script>document.title = "inline"</script>
<a id="foreign" href="`+s.url(foreign, "/link")+`">foreign</a>
<a id="sibling" href="`+s.url(sibling, "/link")+`">sibling</a>
<a id="own" href="own">own</a>
<form method="post" action="own"><button id="post">post</button></form>
<form method="post" action="`+s.url(foreign, "/form")+`"><button id="leak">leak</button></form>`))
	pages.Handle("/tell.js", answer("text/javascript", `(opener || parent).postMessage("shown", "*")`))
	pages.Handle("/text", answer("text/plain", `document.title = "run"`))
	pages.Handle("/picture", answer("image/svg+xml", picture))
	pages.Handle("/own", answer("text/html", `<!DOCTYPE html>own`))
	pages.Handle("/based", answer("text/html", `<!DOCTYPE html><base href="`+s.url(foreign, "/")+`"><a href="own">own</a>`))
	mux := http.NewServeMux()
	mux.Handle("/bare/", http.StripPrefix("/bare", pages))
	mux.Handle("/safe/", middleware.SecurityHeaders(http.StripPrefix("/safe", pages)))
	mux.Handle("/mute/", middleware.SecurityHeaders(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Referrer-Policy", "no-referrer")
		http.StripPrefix("/mute", pages).ServeHTTP(w, r)
	})))
	s.set(app, mux)
	s.page(foreign, "foreign")
	s.page(sibling, "sibling")
	return s
}

// ASVS 5.0, 3.4.6.
func TestAPageWithSecurityHeadersStandsInNoFrame(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	for _, host := range []string{foreign, sibling} {
		for path, want := range map[string]bool{"/bare/page": true, "/safe/page": false} {
			s.page(host, `<script>onmessage = e => document.title = e.data</script>
				<iframe src="`+s.url(app, path)+`" onload="loaded = true"></iframe>`)
			b.visit(s.url(host, "/"))
			if !b.waitUntil("window.loaded") {
				t.Fatalf("%s: the frame loads nothing", host)
			}
			if got := b.waitBriefly(`document.title == "shown"`, want); got != want {
				t.Errorf("%s frames %s: it is shown: %v, want %v", host, path, got, want)
			}
		}
	}
}

// waitBriefly waits for a script to be true as long as it may take if that is
// expected, and otherwise for as long as a message takes.
func (b tab) waitBriefly(script string, expected bool) bool {
	b.t.Helper()
	if expected {
		return b.waitUntil(script)
	}
	for range 3 {
		eval[bool](b, `new Promise(done => setTimeout(() => requestIdleCallback(() => done(true)), 50))`)
	}
	return eval[bool](b, "!!("+script+")")
}

// ASVS 5.0, 3.4.5: who is linked to does not learn from where.
func TestAPageWithSecurityHeadersKeepsItsAddressFromOthers(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	follow := func(path, click, host, target string) http.Header {
		t.Helper()
		s.forget()
		b.visit(s.url(app, path+"?token=secret"))
		b.click(click)
		return s.request(host, target).header
	}
	for _, host := range []string{foreign, sibling} {
		selector := "#" + map[string]string{foreign: "foreign", sibling: "sibling"}[host]
		if got := follow("/bare/page", selector, host, "/link").Get("Referer"); got == "" {
			t.Error("the browser sends no Referer at all: this proves nothing")
		}
		if got := follow("/safe/page", selector, host, "/link").Get("Referer"); got != "" {
			t.Errorf("%s learns %s", host, got)
		}
	}
	if got := follow("/safe/page", "#own", app, "/safe/own").Get("Referer"); !strings.HasSuffix(got, "/safe/page?token=secret") {
		t.Errorf("the own page learns %q", got)
	}
	// What no-referrer takes away from the forms of a page, as it should where
	// the address is a secret.
	if got := follow("/mute/page", "#own", app, "/mute/own").Get("Referer"); got != "" {
		t.Errorf("the own page learns %q in spite of no-referrer", got)
	}
	if got := follow("/mute/page", "#post", app, "/mute/own").Get("Origin"); got != "null" {
		t.Errorf("with no-referrer the own form has Origin %q", got)
	}
	if got := follow("/safe/page", "#post", app, "/safe/own").Get("Origin"); got != s.url(app, "") {
		t.Errorf("the own form has Origin %q", got)
	}
}

// ASVS 5.0, 3.4.4: a text is not run as a script, even if a page embeds it as one.
func TestAPageWithSecurityHeadersIsWhatItSays(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	for path, want := range map[string]string{"/bare/text": "run", "/safe/text": "own"} {
		b.visit(s.url(app, "/bare/own"))
		eval[bool](b, `new Promise(done => {
			document.title = "own"
			const script = document.createElement("script")
			script.onload = script.onerror = () => done(true)
			script.src = "`+path+`"
			document.head.append(script)
		})`)
		if got := eval[string](b, "document.title"); got != want {
			t.Errorf("%s: the title is %q, want %q", path, got, want)
		}
	}
}

// What the policy says of scripts, bases and forms.
func TestAPageWithSecurityHeadersTakesNothingSmuggledIn(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	for path, want := range map[string]string{"/bare/page": "inline", "/safe/page": "before"} {
		b.visit(s.url(app, path))
		if got := eval[string](b, "document.title"); got != want {
			t.Errorf("%s: the title is %q, want %q", path, got, want)
		}
	}
	for path, want := range map[string]string{"/bare/based": foreign, "/safe/based": app} {
		b.visit(s.url(app, path))
		if got := eval[string](b, `document.querySelector("a").hostname`); got != want {
			t.Errorf("%s: a link leads to %s, want %s", path, got, want)
		}
	}
	b.visit(s.url(app, "/bare/page"))
	b.click("#leak")
	s.request(foreign, "/form")
	s.forget()
	b.visit(s.url(app, "/safe/page"))
	eval[bool](b, `addEventListener("securitypolicyviolation", e => refused = e.effectiveDirective), document.querySelector("#leak").click(), true`)
	if !b.waitUntil(`window.refused == "form-action"`) || len(s.requests(foreign, "/form")) > 0 {
		t.Error("a form leads to another site")
	}
}

// ASVS 5.0, 3.4.8: a page that opens another has no access to its window.
func TestAPageWithSecurityHeadersIsLetGoByItsOpener(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	for _, host := range []string{foreign, sibling} {
		for path, want := range map[string]bool{"/bare/page": false, "/safe/page": true} {
			s.forget()
			s.page(host, `<script>onmessage = e => document.title = e.data</script>
				<a onclick="w = window.open('`+s.url(app, path)+`')">open</a>`)
			b.visit(s.url(host, "/"))
			if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS("a"))); err != nil { // by hand, or it is blocked
				t.Fatal(err)
			}
			if got := b.waitBriefly("window.w && w.closed", want); got != want {
				t.Errorf("%s opens %s: it is let go: %v, want %v", host, path, got, want)
			}
			if !want && !b.waitUntil(`document.title == "shown"`) {
				t.Errorf("%s opens %s: it does not see it", host, path)
			}
		}
	}
}

// ASVS 5.0, 3.5.8: a response is not shown as a picture in pages of other sites.
func TestAPictureWithSecurityHeadersIsShownNowhereElse(t *testing.T) {
	s := openPages(t)
	b := newTab(t)
	for _, host := range []string{foreign, sibling} {
		for path, want := range map[string]string{"/bare/picture": "load", "/safe/picture": "error"} {
			s.page(host, fmt.Sprintf(`<img src="%s" onload="end = 'load'" onerror="end = 'error'">`, s.url(app, path)))
			b.visit(s.url(host, "/"))
			if !b.waitUntil("window.end") || eval[string](b, "end") != want {
				t.Errorf("%s shows %s: not %s", host, path, want)
			}
		}
	}
}

// ASVS 5.0, 3.4.1: the browser comes by TLS alone from then on, to the hosts
// under this one too.
func TestAPageWithSecurityHeadersIsAskedForByTLSAlone(t *testing.T) {
	s := openPages(t)
	s.page("img."+app, "picture")
	for path, want := range map[string]bool{"/bare/own": false, "/safe/own": true} {
		b := newTab(t)
		b.visit(s.url(app, path))
		for _, host := range []string{app, "img." + app} {
			// A TLS server answers to plain http with an error, or breaks off.
			chromedp.Do(b.ctx, chromedp.Navigate(strings.Replace(s.url(host, path), "https:", "http:", 1)))
			if got := eval[bool](b, `location.protocol == "https:"`); got != want {
				t.Errorf("after %s: %s is asked for by TLS: %v, want %v", path, host, got, want)
			}
		}
	}
}
