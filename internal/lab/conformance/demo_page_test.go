package conformance

import (
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// Rules of the page of examples/demo that hold after every step.

func (d *demo) size(width, height int64) {
	d.t.Helper()
	if err := chromedp.Do(d.ctx, chromedp.EmulateViewport(width, height)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *demo) prefers(feature, value string) {
	d.t.Helper()
	params := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: feature, Value: value}}}
	if _, err := chromedp.Call(d.ctx, emulation.SetEmulatedMedia, params); err != nil {
		d.t.Fatal(err)
	}
}

func TestDemoShowsTheTruthAfterAReload(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	steps := eval[int](d.tab, `document.querySelectorAll("#log > li").length`)
	d.load()
	d.who("alice", "alice")
	if got := eval[int](d.tab, `document.querySelectorAll("#log > li").length`); got != steps+1 {
		t.Errorf("there were %d steps, and are %d", steps, got)
	}
	if why := d.why(); !strings.Contains(why, "only in the memory") {
		t.Error(why)
	}
	d.wants("token", "me", "You GET /token/me 200 OK", "")
	d.does("token", "steal")
	d.load()
	d.who("alice", "not logged in")
	if why := d.why(); !strings.Contains(why, "a login that has ended") {
		t.Error(why)
	}
}

func TestDemoTwoTabsShowTheSame(t *testing.T) {
	d := openDemo(t)
	other := &demo{tab: d.another(), url: d.url}
	other.load()
	d.does("token", "login")
	d.does("session", "login")
	other.who("alice", "alice")
	other.waitFor(`document.querySelector("[data-value=access]").textContent.startsWith("access token, ")`, "true")
	other.wants("token", "me", "You GET /token/me 200 OK", "")
	d.who("alice", "alice")
	other.does("token", "logout")
	d.who("alice", "not logged in")
	d.waitFor(`document.querySelector("[data-value=access]").textContent`, "no access token")
}

// Logins end while no step is taken, and the next step says so.
func TestDemoShowsWhatHasExpired(t *testing.T) {
	d := openDemo(t, "-access", "2s", "-idle", "6s")
	d.does("session", "login")
	d.does("token", "login")
	d.waitFor(`document.querySelector("[data-value=access]").textContent`, "access token expired; the next call renews it")
	if got := d.does("token", "me"); got != "You POST /token/refresh 200 OK renewed; You GET /token/me 200 OK" {
		t.Error(got)
	}
	d.who("not logged in", "not logged in")
	d.waitFor(`document.querySelector("#logins").textContent`, "none") // as the server says
	d.wants("session", "me", "You GET /session/me 401 Unauthorized expired", "The session of this cookie has ended")
}

func TestDemoGoesOnAfterTheServerHasRestarted(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	address, err := url.Parse(d.url)
	if err != nil {
		t.Fatal(err)
	}
	d.stop()
	d.press(`#session [data-step="me"]`)
	d.waitFor(`document.querySelector("#notice").checkVisibility()`, "true")
	d.waitFor(`document.querySelector("#said").textContent`, "The server cannot be reached. This does not log the user out.")
	startProgram(t, "examples/demo", demoProgram, "-addr", net.JoinHostPort("127.0.0.1", address.Port()))
	d.waitFor(`document.querySelector("#notice").checkVisibility()`, "false")
	d.wants("session", "me", "You GET /session/me 401 Unauthorized rejected", "The server does not know the session of this cookie")
	d.wants("token", "live", "You GET /token/live/me 401 Unauthorized rejected; You POST /token/refresh 401 Unauthorized expired", "There is no valid access token")
	d.wants("token", "me", "You GET /token/me 401 Unauthorized", "There is no valid access token")
	d.who("not logged in", "not logged in")
	d.does("session", "login")
	d.who("alice", "not logged in")
}

// Buttons that are pressed while a step is under way do nothing.
func TestDemoTakesOneStepAtATime(t *testing.T) {
	d := openDemo(t)
	before := d.latest()
	eval[any](d.tab, `{ const button = document.querySelector("#session form button"); for (let i = 0; i < 9; i++) button.click() }`)
	if got := d.done(before); got != "You POST /session/login 200 OK login" {
		t.Error(got)
	}
	if got := eval[int](d.tab, `document.querySelectorAll("#log > li").length`); got != 1 {
		t.Errorf("%d steps", got)
	}
}

// WCAG 2.2, 2.1.1, 2.4.7 and 4.1.3.
func TestDemoByTheKeyboardAlone(t *testing.T) {
	d := openDemo(t)
	for _, step := range []struct{ selector, why string }{
		{`#session input[name="user"]`, ""},
		{`#session form button`, "sets a cookie with a random number"},
		{`#session [data-step="me"]`, "sent the cookie automatically"},
		{`#session [data-step="steal"]`, "works for the thief"},
		{`#token form button`, "The body has the access token"},
		{`#token [data-step="everywhere"]`, "that is the difference"},
	} {
		d.tabTo(step.selector)
		if step.why == "" {
			continue
		}
		before := d.latest()
		d.keys("\r")
		d.done(before)
		if why := d.why(); !strings.Contains(why, step.why) {
			t.Errorf("%s: %q", step.selector, why)
		}
		if said := eval[string](d.tab, `document.querySelector("[role=status]").textContent`); said != d.why() {
			t.Errorf("%s: a screen reader reads %q", step.selector, said)
		}
		if !eval[bool](d.tab, `document.activeElement.matches('`+step.selector+`')`) {
			t.Errorf("%s has lost the focus", step.selector)
		}
	}
}

// tabTo presses Tab until something has the focus, which can then be seen.
func (d *demo) tabTo(selector string) {
	d.t.Helper()
	for range 60 {
		d.keys("\t")
		if eval[bool](d.tab, `document.activeElement.matches('`+selector+`')`) {
			if !eval[bool](d.tab, `getComputedStyle(document.activeElement).outlineStyle !== "none"`) {
				d.t.Errorf("%s has the focus and does not show it", selector)
			}
			return
		}
	}
	d.t.Fatalf("%s is not reached by Tab", selector)
}

func TestDemoSpeaksKorean(t *testing.T) {
	d := openDemo(t)
	d.language("ko-KR,ko;q=0.9,en;q=0.8")
	d.load()
	d.who("로그인 안 됨", "로그인 안 됨")
	d.does("session", "login")
	d.does("token", "login")
	d.does("token", "steal")
	d.does("session", "elsewhere")
	d.does("session", "everywhere")
	if got := eval[string](d.tab, `document.documentElement.lang + document.title`); got != "ko세션과 토큰, 나란히 보기" {
		t.Error(got)
	}
	// No sentence of the other language is left, nor one without its values.
	left := eval[string](d.tab, `(async () => {
		const { en, ko } = (await import("/text.js")).default;
		const shown = document.documentElement.outerHTML;
		return Object.keys(en).filter((key) => en[key] !== ko[key] && en[key].length > 8 && shown.includes(en[key])).join() + (/undefined|\{\w+\}/.test(document.body.innerText) ? " a value" : "");
	})()`)
	if left != "" {
		t.Errorf("not in Korean: %s", left)
	}
	d.press(`[data-language="en"]`)
	d.who("not logged in", "not logged in")
	d.waitFor(`document.cookie`, "__Host-language=en")
	d.load()
	d.who("not logged in", "not logged in")
	if got := eval[string](d.tab, `document.documentElement.lang`); got != "en" {
		t.Error(got)
	}
}

// Nothing that can be pressed moves when logins come and go.
func TestDemoButtonsStayWhereTheyAre(t *testing.T) {
	d := openDemo(t)
	const places = `scrollTo(0, 0), [...document.querySelectorAll(".panel button")].map((e) => [e.getBoundingClientRect().x, e.getBoundingClientRect().y].map(Math.round)).join(" ")`
	for _, width := range []int64{1280, 1440} {
		d.size(width, 900)
		before := eval[string](d.tab, places)
		for _, step := range []string{"session login", "token login", "token steal", "session everywhere", "session logout"} {
			mode, step, _ := strings.Cut(step, " ")
			d.does(mode, step)
			if after := eval[string](d.tab, places); after != before {
				t.Errorf("%d px: %s %s moves what can be pressed", width, mode, step)
			}
		}
	}
}

func TestDemoOnAPhone(t *testing.T) {
	d := openDemo(t)
	d.size(360, 740)
	visible := `[...document.querySelectorAll(".panel")].filter((panel) => panel.checkVisibility()).map((panel) => panel.id)`
	d.waitFor(visible, "session")
	for _, language := range []string{"en", "ko"} {
		d.press(`[data-language="` + language + `"]`)
		for _, mode := range []string{"session", "token"} {
			d.press(`[data-show="` + mode + `"]`)
			d.waitFor(visible, mode)
			for _, step := range []string{"login", "me", "elsewhere", "steal", "read"} {
				d.does(mode, step)
				if got := eval[string](d.tab, `document.documentElement.scrollWidth <= innerWidth ? "" : "scrolls"`); got != "" {
					t.Errorf("%s, %s %s: the page scrolls sideways", language, mode, step)
				}
				if !eval[bool](d.tab, `(({ top, bottom }) => top >= 0 && bottom <= innerHeight)(document.querySelector("#said").getBoundingClientRect())`) {
					t.Errorf("%s, %s %s: what happened is out of sight", language, mode, step)
				}
			}
		}
	}
}

// WCAG 2.2, 1.4.3: a contrast of 4.5 for all text.
func TestDemoIsLegibleInLightAndDark(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	d.does("token", "steal")
	d.does("session", "elsewhere")
	for _, scheme := range []string{"light", "dark"} {
		d.prefers("prefers-color-scheme", scheme)
		time.Sleep(300 * time.Millisecond) // transitions
		if got := eval[string](d.tab, contrasts); got != "" {
			t.Errorf("%s: too little contrast: %s", scheme, got)
		}
		dark := eval[bool](d.tab, `/^rgb\((\d|[1-5]\d), /.test(getComputedStyle(document.body).backgroundColor)`)
		if dark != (scheme == "dark") {
			t.Errorf("%s: the page is dark: %v", scheme, dark)
		}
	}
}

const contrasts = `(() => {
	const parse = (color) => color.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] !== 0) return c } };
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility() || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.tagName !== "INPUT") continue;
		const [a, b] = [light(parse(getComputedStyle(e).color)), light(behind(e))];
		if ((Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5) bad.push(e.className + " " + e.textContent.slice(0, 20));
	}
	return bad.join("; ");
})()`

func TestDemoLeadsFrom127001ToLocalhost(t *testing.T) {
	d := openDemo(t)
	d.visit(strings.Replace(d.url, "localhost", "127.0.0.1", 1))
	d.waitFor(`document.body.dataset.ready`, "yes")
	if host := eval[string](d.tab, "location.hostname"); host != "localhost" {
		t.Error(host)
	}
	d.shows("You opened http://127.0.0.1")
}

// Safari sends no Secure cookies to http://localhost.
func TestDemoReportsCookiesThatDoNotComeBack(t *testing.T) {
	d := openDemo(t)
	eval[any](d.tab, `{
		const real = fetch;
		globalThis.fetch = async (...request) => {
			const response = await real(...request);
			return request[0] === "/state" ? Response.json({ ...await response.json(), known: false }) : response;
		};
		document.dispatchEvent(new Event("visibilitychange"));
	}`)
	d.waitFor(`document.querySelector("#notice").checkVisibility() && document.querySelector("#notice").textContent.includes("Safari accepts no Secure cookies")`, "true")
}
