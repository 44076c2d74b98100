package conformance

import (
	"net/http"
	"strconv"
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
	free := []string{"-addr", "127.0.0.1:0", "-a", "127.0.0.1:0", "-b", "127.0.0.1:0", "-grace", "1s"}
	url, stop := startProgram(t, "examples/demo", demoProgram, append(free, flags...)...)
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

// load shows the page anew, as a reload does, and unfolds the single steps and the record.
func (d *demo) load() {
	d.t.Helper()
	d.visit(d.url)
	d.waitFor(`document.body.dataset.ready`, "yes")
	eval[any](d.tab, `document.querySelectorAll(".single, .log").forEach((details) => details.open = true)`)
}

// unfold shows all exchanges of the record.
func (d *demo) unfold() {
	d.t.Helper()
	eval[any](d.tab, `document.querySelectorAll(".log details").forEach((details) => details.open = true)`)
}

// does presses a button of a side and waits for the end of its step. It returns the
// exchanges, such as "You API A GET /session/me 200 OK".
func (d *demo) does(mode, step string) string {
	d.t.Helper()
	before := d.latest(mode)
	d.press(button(mode, step))
	return d.done(mode, before)
}

// next takes the next step of the chosen scenario, on both sides.
func (d *demo) next() {
	d.t.Helper()
	session, token := d.latest("session"), d.latest("token")
	d.press(`[data-control="next"]`)
	d.ended("session", session)
	d.ended("token", token)
}

// scenario chooses a scenario, from 1 on, and takes its first steps.
func (d *demo) scenario(number, steps int) {
	d.t.Helper()
	d.press(`[data-scenario="` + strconv.Itoa(number-1) + `"]`)
	for range steps {
		d.next()
	}
}

func button(mode, step string) string {
	if step == "login" {
		return "#" + mode + " form button"
	}
	return "#" + mode + ` button[data-step="` + step + `"]`
}

func latestStep(mode string) string {
	return `(document.querySelector("#` + mode + ` .log li")?.id ?? "")`
}

// latest is the ID of the newest step of a side.
func (d *demo) latest(mode string) string {
	return eval[string](d.tab, latestStep(mode))
}

// done waits until a side has a newer step, and none is under way.
func (d *demo) done(mode, before string) string {
	d.t.Helper()
	d.ended(mode, before)
	return d.lines("#" + mode + " .log ol > li:first-child")
}

// ended waits until a step has ended that was begun when before was the newest.
func (d *demo) ended(mode, before string) {
	d.t.Helper()
	d.waitFor(latestStep(mode)+` !== "`+before+`" && document.querySelector("#stage").ariaBusy === "false"`, "true")
}

// lines are the exchanges of a step, without the calls of the store.
func (d *demo) lines(step string) string {
	d.t.Helper()
	return eval[string](d.tab, `[...document.querySelectorAll("`+step+` .line")].map((line) => [...line.children].filter((part) => !part.matches(".work")).map((part) => part.innerText.trim()).join(" ")).join("; ")`)
}

// why is the verdict of a side.
func (d *demo) why(mode string) string {
	d.t.Helper()
	return eval[string](d.tab, `document.querySelector("#`+mode+` .verdict").textContent`)
}

// wants compares what a step has led to.
func (d *demo) wants(mode, step, exchanges, why string) {
	d.t.Helper()
	if got := d.does(mode, step); got != exchanges {
		d.t.Errorf("%s %s: %q, want %q", mode, step, got, exchanges)
	}
	d.says(mode, why)
}

func (d *demo) says(mode, why string) {
	d.t.Helper()
	if got := d.why(mode); !strings.Contains(got, why) {
		d.t.Errorf("%s: %q does not say %q", mode, got, why)
	}
}

// who is whom each side shows.
func (d *demo) who(session, token string) {
	d.t.Helper()
	d.waitFor(`[...document.querySelectorAll(".who")].map((who) => who.textContent)`, session+","+token)
}

// both is what both APIs respond to a call.
func both(from, mode, status string) string {
	return from + " API A GET /" + mode + "/me " + status + "; " + from + " API B GET /" + mode + "/me " + status
}

func TestDemoSessionStory(t *testing.T) {
	d := openDemo(t)
	d.who("not logged in", "not logged in")
	d.wants("session", "call", both("You", "session", "401 Unauthorized"), "It had no cookie")
	d.wants("session", "steal", "Thief has nothing", "nothing to steal")
	d.wants("session", "loot", "Thief has nothing", "nothing yet")
	d.wants("session", "logout", "You Login server POST /session/logout 204 No Content", "There was no login here")
	d.wants("session", "everywhere", "You Login server POST /session/logout-everywhere 401 Unauthorized", "There is no login on this side")

	d.wants("session", "login", "You Login server POST /session/login 200 OK login", "the browser a random number")
	d.who("alice", "not logged in")
	d.wants("session", "call", both("You", "session", "200 OK"), "sent the cookie automatically")
	d.unfold()
	d.shows("hello, alice")
	if stolen := d.does("session", "steal"); !strings.HasPrefix(stolen, "Thief copies the session cookie ") {
		t.Errorf("steal: %q", stolen)
	}
	d.wants("session", "loot", both("Thief", "session", "200 OK"), "Both APIs accept the thief")
	d.wants("session", "everywhere", "You Login server POST /session/logout-everywhere 204 No Content revoked", "All sessions of the user have ended")
	d.who("not logged in", "not logged in")
	d.wants("session", "loot", both("Thief", "session", "401 Unauthorized rejected"), "Both APIs reject the thief")
	d.wants("session", "call", "You API A GET /session/me 401 Unauthorized rejected; You API B GET /session/me 401 Unauthorized", "Both APIs reject the session")
	if cookies := d.cookies(d.url); len(cookies) != 1 || cookies[0].Name != "__Host-Http-visitor" {
		t.Errorf("%d cookies are left", len(cookies))
	}
	d.does("session", "login")
	d.wants("session", "logout", "You Login server POST /session/logout 204 No Content logout", "ended, at once")
	d.who("not logged in", "not logged in")
}

func TestDemoTokenStory(t *testing.T) {
	d := openDemo(t, "-grace", "5s")
	const refresh = "You Login server POST /token/refresh "
	d.wants("token", "call", refresh+"401 Unauthorized; "+both("You", "token", "401 Unauthorized"), "There is no valid access token")
	d.wants("token", "renew", refresh+"401 Unauthorized", "A new login is needed")
	d.wants("token", "steal", "Thief has nothing", "nothing to steal")
	d.wants("token", "login", "You Login server POST /token/login 200 OK login", "The browser has two tokens")
	d.who("not logged in", "alice")
	d.wants("token", "call", both("You", "token", "200 OK"), "A needs no store")
	d.unfold()
	d.shows("hello, alice")
	d.wants("token", "renew", refresh+"200 OK renewed", "Exchanged for new tokens")
	d.wants("token", "renew", refresh+"200 OK", "less than 5 s ago")
	d.wants("token", "logout", "You Login server POST /token/logout 204 No Content logout", "deleted the access token from memory")
	d.who("not logged in", "not logged in")
	d.wants("token", "call", both("You", "token", "401 Unauthorized"), "There is no valid access token")
}

// A thief who is the first to use the token is found out by its owner.
func TestDemoAThiefWhoIsFirstIsFoundOut(t *testing.T) {
	d := openDemo(t)
	d.does("token", "login")
	d.does("token", "steal")
	d.wants("token", "again", "Thief Login server POST /token/refresh 200 OK renewed", "Your next refresh, if it comes more than 1 s later, reveals the theft")
	time.Sleep(1100 * time.Millisecond) // the grace period
	d.wants("token", "renew", "You Login server POST /token/refresh 401 Unauthorized reuse", "A new login is needed")
	d.wants("token", "again", "Thief Login server POST /token/refresh 401 Unauthorized rejected", "The refresh is rejected")
	d.who("not logged in", "not logged in")
}

// The page of the attacker is on 127.0.0.1, which is another site.
func TestDemoRefusesTheOtherSite(t *testing.T) {
	d := openDemo(t)
	const others = "Other site Login server POST /session/transfer 401 Unauthorized; Other site Login server POST /session/logout 403 Forbidden rejected"
	d.wants("session", "probe", "You Login server POST /session/transfer 401 Unauthorized; "+others, "Log in first")
	d.does("session", "login")
	d.does("token", "login")
	d.wants("session", "probe", "You Login server POST /session/transfer 200 OK; "+others, "Scripts cannot read the HttpOnly cookie")
	fields := eval[string](d.tab, `[...document.querySelectorAll("#session .log ol > li:first-child details")].slice(1).map((x) => x.querySelector(".request").textContent).join("\n")`)
	if strings.Contains(fields, "__Host-") || strings.Count(fields, "Sec-Fetch-Site: cross-site") != 2 || strings.Count(fields, "Origin: http://127.0.0.1:") != 2 {
		t.Errorf("the browser has sent %q", fields)
	}
	d.wants("token", "probe", "Other site Login server POST /token/refresh 403 Forbidden rejected; Other site Login server OPTIONS /token/refresh 405 Method Not Allowed", "Scripts find no token")
	d.who("alice", "alice")
	d.wants("session", "call", both("You", "session", "200 OK"), "")
}

// In a frame, a browser may keep back the cookies of all third parties. In a tab of
// the other site's own it is SameSite alone that does.
func TestDemoSameSiteKeepsTheCookieBack(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	label := eval[string](d.tab, `fetch("/state").then((response) => response.json()).then((state) => state.label)`)
	d.visit(strings.Replace(d.url, "localhost", "127.0.0.1", 1) + "elsewhere?mode=none")
	target := d.url + "session/transfer?visitor=" + label + "&step=probe-session-0123456789abcdef"
	eval[any](d.tab, `{ const form = document.querySelector("form"); form.target = "_self"; form.action = "`+target+`"; form.append(document.createElement("button")) }`)
	if status := d.click("button"); status != http.StatusUnauthorized {
		t.Errorf("status %d", status)
	}
	d.load()
	d.shows("POST /session/transfer 401 Unauthorized")
	d.who("alice", "not logged in")
}

func TestDemoWrongPassword(t *testing.T) {
	d := openDemo(t)
	for _, mode := range []string{"session", "token"} {
		d.fill("#"+mode+" input[name=password]", "wrong")
		d.wants(mode, "login", "You Login server POST /"+mode+"/login 401 Unauthorized", "does not say which")
	}
	d.who("not logged in", "not logged in")
}
