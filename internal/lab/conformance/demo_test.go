package conformance

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

var demoProgram = example("demo")

// demo is a tab with the page of examples/demo, which its users run as it is.
type demo struct {
	tab
	url  string
	stop func() // the program

	mu       sync.Mutex
	bad      []string // errors on the console
	external []string // requests to other hosts
}

// openDemo starts the program and shows its page, in English.
func openDemo(t *testing.T, flags ...string) *demo {
	t.Helper()
	b := newTab(t)
	url, stop := startProgram(t, "examples/demo", demoProgram, append([]string{"-addr", "127.0.0.1:0", "-grace", "1s"}, flags...)...)
	d := &demo{tab: b, url: url + "/", stop: stop}
	d.watch()
	d.size(1280, 900)
	d.language("en-US")
	d.load()
	return d
}

// watch notes what must not be: errors in the console, and requests to hosts of
// others.
func (d *demo) watch() {
	d.t.Helper()
	if _, err := chromedp.Call(d.ctx, log.Enable, cdp.Empty{}); err != nil {
		d.t.Fatal(err)
	}
	err := chromedp.Listen(d.ctx, func(event any) {
		d.mu.Lock()
		defer d.mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			d.bad = append(d.bad, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			d.bad = append(d.bad, string(e.Type))
		case *log.EventEntryAdded:
			// A 401 is an entry as well, and so is what CORS refuses: that
			// is what steps are about.
			if e.Entry.Level == "error" && e.Entry.Source != "network" && !strings.Contains(e.Entry.Text, "blocked by CORS policy") {
				d.bad = append(d.bad, e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			url := e.Request.URL
			if !strings.HasPrefix(url, "http://localhost:") && !strings.HasPrefix(url, "http://127.0.0.1:") && !strings.HasPrefix(url, "data:") {
				d.external = append(d.external, url)
			}
		}
	})
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		if len(d.bad) > 0 || len(d.external) > 0 {
			d.t.Errorf("errors %q, requests to others %q", d.bad, d.external)
		}
	})
}

// language is what the browser asks for.
func (d *demo) language(tag string) {
	d.t.Helper()
	agent := eval[string](d.tab, "navigator.userAgent")
	if _, err := chromedp.Call(d.ctx, emulation.SetUserAgentOverride, emulation.SetUserAgentOverrideParams{UserAgent: agent, AcceptLanguage: tag}); err != nil {
		d.t.Fatal(err)
	}
}

// load shows the page anew, as a reload does.
func (d *demo) load() {
	d.t.Helper()
	d.visit(d.url)
	d.waitFor(`document.body.dataset.ready`, "yes")
}

// does presses a button of a panel and waits for the end of its step. It returns
// the exchanges, such as "You GET /session/me 200".
func (d *demo) does(mode, step string) string {
	d.t.Helper()
	before := d.latest()
	selector := button(mode, step)
	// What is said at the bottom of a small screen may lie over a button.
	eval[any](d.tab, `document.querySelector('`+selector+`').scrollIntoView({ block: "center" })`)
	d.press(selector)
	return d.done(before)
}

func button(mode, step string) string {
	if step == "login" {
		return "#" + mode + " form button"
	}
	return "#" + mode + ` button[data-step="` + step + `"]`
}

const latestStep = `(document.querySelector("#log > li")?.id ?? "")`

// latest is the ID of the newest step.
func (d *demo) latest() string {
	return eval[string](d.tab, latestStep)
}

// done waits until there is a newer step, and none under way.
func (d *demo) done(before string) string {
	d.t.Helper()
	d.ended(before)
	return d.lines("#log > li:first-child")
}

// ended waits until a step has ended that was begun when before was the newest.
func (d *demo) ended(before string) {
	d.t.Helper()
	d.waitFor(latestStep+` !== "`+before+`" && document.querySelector("[data-step]").ariaDisabled === "false"`, "true")
}

// lines are the exchanges of a step, without what the store had to do.
func (d *demo) lines(step string) string {
	d.t.Helper()
	return eval[string](d.tab, `[...document.querySelectorAll("`+step+` .line")].map((line) => [...line.children].filter((part) => !part.matches(".store")).map((part) => part.innerText.trim()).join(" ")).join("; ")`)
}

// why is the sentence under the newest step.
func (d *demo) why() string {
	d.t.Helper()
	return eval[string](d.tab, `document.querySelector("#log .why").textContent`)
}

// wants compares what a step has led to.
func (d *demo) wants(mode, step, exchanges, why string) {
	d.t.Helper()
	if got := d.does(mode, step); got != exchanges {
		d.t.Errorf("%s %s: %q, want %q", mode, step, got, exchanges)
	}
	if got := d.why(); !strings.Contains(got, why) {
		d.t.Errorf("%s %s: %q does not say %q", mode, step, got, why)
	}
}

// who is whom each panel shows.
func (d *demo) who(session, token string) {
	d.t.Helper()
	d.waitFor(`[...document.querySelectorAll(".who")].map((who) => who.textContent)`, session+","+token)
}

func TestDemoSessionStory(t *testing.T) {
	d := openDemo(t)
	d.who("not logged in", "not logged in")
	d.wants("session", "me", "You GET /session/me 401 Unauthorized", "The request had no cookie")
	d.wants("session", "steal", "Thief has nothing", "no cookie here to steal")
	d.wants("session", "again", "Thief has nothing", "nothing yet")
	d.wants("session", "logout", "You POST /session/logout 204 No Content", "There was no login here")
	d.wants("session", "everywhere", "You POST /session/logout-everywhere 401 Unauthorized", "There is no login on this side")

	d.wants("session", "login", "You POST /session/login 200 OK login", "sets a cookie with a random number")
	d.who("alice", "not logged in")
	d.wants("session", "me", "You GET /session/me 200 OK", "sent the cookie automatically")
	d.shows("hello, alice")
	d.wants("session", "read", "", "cookie is HttpOnly")
	stolen := d.does("session", "steal")
	if !strings.HasPrefix(stolen, "Thief copies ") || !strings.HasSuffix(stolen, "; Thief GET /session/me 200 OK") {
		t.Errorf("steal: %q", stolen)
	}
	d.wants("session", "again", "Thief GET /session/me 200 OK", "still works for the thief")
	d.wants("session", "everywhere", "You POST /session/logout-everywhere 204 No Content revoked; You GET /session/me 401 Unauthorized rejected", "refused at its next request")
	d.who("not logged in", "not logged in")
	d.wants("session", "again", "Thief GET /session/me 401 Unauthorized rejected", "The session has ended")
	if cookies := d.cookies(d.url); len(cookies) != 1 || cookies[0].Name != "__Host-Http-visitor" {
		t.Errorf("%d cookies are left", len(cookies))
	}
	d.does("session", "login")
	d.wants("session", "logout", "You POST /session/logout 204 No Content logout", "takes effect at once")
	d.who("not logged in", "not logged in")
}

func TestDemoTokenStory(t *testing.T) {
	d := openDemo(t, "-grace", "5s")
	d.wants("token", "me", "You POST /token/refresh 401 Unauthorized; You GET /token/me 401 Unauthorized", "There is no valid access token")
	d.wants("token", "renew", "You POST /token/refresh 401 Unauthorized", "a new login is needed")
	d.wants("token", "steal", "Thief has nothing", "no cookie here to steal")
	d.wants("token", "login", "You POST /token/login 200 OK login", "The body has the access token")
	d.who("not logged in", "alice")
	d.wants("token", "me", "You GET /token/me 200 OK", "without the store")
	d.shows("hello, alice")
	d.wants("token", "live", "You GET /token/live/me 200 OK", "checks in the store")
	d.wants("token", "renew", "You POST /token/refresh 200 OK renewed", "was exchanged")
	d.wants("token", "renew", "You POST /token/refresh 200 OK", "less than 5 s ago")
	d.wants("token", "read", "", "no token in cookies or storage")
	d.wants("token", "logout", "You POST /token/logout 204 No Content logout", "deleted the access token from memory")
	d.who("not logged in", "not logged in")
	d.wants("token", "me", "You GET /token/me 401 Unauthorized", "There is no valid access token")
}

// A used refresh token ends the login for thief and owner.
func TestDemoTheftEndsTheLogin(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	_, story, _ := strings.Cut(d.does("token", "steal"), "; ")
	if want := "You POST /token/refresh 200 OK renewed; Thief POST /token/refresh 401 Unauthorized reuse; You POST /token/refresh 401 Unauthorized rejected"; story != want {
		t.Errorf("%q, want %q", story, want)
	}
	if why := d.why(); !strings.Contains(why, "revokes the login for both") {
		t.Error(why)
	}
	d.shows("refresh token already used")
	d.shows("urn:authlatch:refresh:reused")
	d.who("not logged in", "not logged in")
	d.wants("token", "again", "Thief POST /token/refresh 401 Unauthorized rejected", "cannot be refreshed")
}

// A thief who is the first to use the token is found out by its owner.
func TestDemoAThiefWhoIsFirstIsFoundOut(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	// The page is left in the middle of the theft, before its owner refreshes.
	d.copyToken()
	d.wants("token", "again", "Thief POST /token/refresh 200 OK renewed", "The user's next refresh, if it comes more than 1 s later, reveals the theft")
	time.Sleep(1100 * time.Millisecond) // the grace period
	d.wants("token", "renew", "You POST /token/refresh 401 Unauthorized reuse", "a new login is needed")
	d.wants("token", "again", "Thief POST /token/refresh 401 Unauthorized rejected", "cannot be refreshed")
	d.who("not logged in", "not logged in")
}

// The page of the attacker is on 127.0.0.1, which is another site.
func TestDemoRefusesTheOtherSite(t *testing.T) {
	d := openDemo(t)
	d.wants("session", "elsewhere", "You POST /session/transfer 401 Unauthorized; Other site POST /session/transfer 401 Unauthorized; Other site POST /session/logout 403 Forbidden rejected", "Log in first")
	d.does("session", "login")
	d.does("token", "login")
	d.wants("session", "elsewhere", "You POST /session/transfer 200 OK; Other site POST /session/transfer 401 Unauthorized; Other site POST /session/logout 403 Forbidden rejected", "withholds the SameSite cookie")
	fields := eval[string](d.tab, `[...document.querySelectorAll("#log > li:first-child details")].slice(1).map((x) => x.querySelector(".request").innerText).join("\n")`)
	if strings.Contains(fields, "__Host-") || strings.Count(fields, "Sec-Fetch-Site: cross-site") != 2 || strings.Count(fields, "Origin: http://127.0.0.1:") != 2 {
		t.Errorf("the browser has sent %q", fields)
	}
	d.wants("token", "elsewhere", "Other site POST /token/refresh 403 Forbidden rejected; Other site OPTIONS /token/refresh 405 Method Not Allowed", "marks them as cross-site")
	d.who("alice", "alice")
	d.wants("session", "me", "You GET /session/me 200 OK", "")
}

// In a frame, a browser may keep back the cookies of all third parties. In a tab of
// the other site's own it is SameSite alone that does.
func TestDemoSameSiteKeepsTheCookieBack(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	label := eval[string](d.tab, `fetch("/state").then((response) => response.json()).then((state) => state.label)`)
	d.visit(strings.Replace(d.url, "localhost", "127.0.0.1", 1) + "elsewhere?mode=none")
	target := d.url + "session/transfer?visitor=" + label + "&step=elsewhere-session-0123456789abcdef"
	eval[any](d.tab, `{ const form = document.querySelector("form"); form.target = "_self"; form.action = "`+target+`"; form.append(document.createElement("button")) }`)
	if status := d.click("button"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	d.load()
	d.shows("Other site POST /session/transfer 401 Unauthorized")
	d.who("alice", "not logged in")
}

// Logout everywhere is seen by a session at once, and by an API of tokens where
// it looks.
func TestDemoLogoutEverywhereIsTheDifference(t *testing.T) {
	for _, mode := range []string{"session", "token"} {
		d := openDemo(t)
		d.does("session", "login")
		d.does("token", "login")
		d.wants(mode, "everywhere", "You POST /"+mode+"/logout-everywhere 204 No Content revoked × 2; You GET /session/me 401 Unauthorized rejected; You GET /token/me 200 OK", "that is the difference")
		d.who("not logged in", "logged out, still accepted")
		d.wants("token", "me", "You GET /token/me 200 OK", "without the store")
		d.wants("token", "live", "You GET /token/live/me 401 Unauthorized rejected; You POST /token/refresh 401 Unauthorized rejected", "sees at once")
		d.who("not logged in", "not logged in")
	}
}

func TestDemoWrongPassword(t *testing.T) {
	d := openDemo(t)
	for _, mode := range []string{"session", "token"} {
		d.fill("#"+mode+" input[name=password]", "wrong")
		d.wants(mode, "login", "You POST /"+mode+"/login 401 Unauthorized", "does not say which")
	}
	d.who("not logged in", "not logged in")
}
