package conformance

import (
	"net"
	"net/url"
	"strings"
	"testing"

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
	d.scenario(2, 3)
	steps := eval[int](d.tab, `document.querySelectorAll("#token .log ol > li").length`)
	d.load()
	d.who("alice", "alice")
	if got := eval[int](d.tab, `document.querySelectorAll("#token .log ol > li").length`); got != steps+1 {
		t.Errorf("there were %d steps, and are %d", steps, got)
	}
	d.says("token", "only in the memory")
	if got := d.holds("token"); got != hasTokens+" | "+hasStolen+" | 1" {
		t.Error(got)
	}
	d.wants("token", "call", both("You", "token", "200 OK"), "")
	d.does("token", "everywhere")
	d.load()
	d.who("alice", "not logged in")
	d.says("token", "The login of its cookie has ended")
}

func TestDemoTwoTabsShowTheSame(t *testing.T) {
	d := openDemo(t)
	other := d.second()
	d.does("token", "login")
	d.does("session", "login")
	other.who("alice", "alice")
	other.waitFor(heldAccess, "true")
	other.wants("token", "call", both("You", "token", "200 OK"), "")
	d.who("alice", "alice")
	other.does("token", "logout")
	d.who("alice", "not logged in")
	d.waitFor(`document.querySelector("[data-place=memory]").textContent`, "nothing")
}

// Logins end while no step is taken, and the next step says so.
func TestDemoShowsWhatHasExpired(t *testing.T) {
	d := openDemo(t, "-access", "2s", "-idle", "6s")
	d.does("session", "login")
	d.does("token", "login")
	d.waitFor(`document.querySelector("[data-place=memory] small").textContent`, "expired")
	if got := d.does("token", "call"); got != "You Login server POST /token/refresh 200 OK renewed; "+both("You", "token", "200 OK") {
		t.Error(got)
	}
	d.who("not logged in", "not logged in")
	d.waitFor(`document.querySelector("#session [data-place=store]").textContent`, "no active login") // as the server says
	d.wants("session", "call", "You API A GET /session/me 401 Unauthorized expired; You API B GET /session/me 401 Unauthorized", "It has ended")
}

func TestDemoGoesOnAfterTheServerHasRestarted(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	apis := eval[map[string]string](d.tab, `fetch("/state").then((response) => response.json()).then((state) => state.apis)`)
	d.stop()
	d.press(`#session [data-step="call"]`)
	d.waitFor(`document.querySelector("#notice").checkVisibility()`, "true")
	d.waitFor(`document.querySelector("#said").textContent`, "The server cannot be reached. This does not log the user out.")
	var flags []string
	for flag, origin := range map[string]string{"-addr": strings.TrimSuffix(d.url, "/"), "-a": apis["a"], "-b": apis["b"]} {
		address, err := url.Parse(origin)
		if err != nil {
			t.Fatal(err)
		}
		flags = append(flags, flag, net.JoinHostPort("127.0.0.1", address.Port()))
	}
	startProgram(t, "examples/demo", demoProgram, flags...)
	d.waitFor(`document.querySelector("#notice").checkVisibility()`, "false")
	d.wants("session", "call", both("You", "session", "401 Unauthorized rejected"), "The store does not have it")
	d.wants("token", "renew", "You Login server POST /token/refresh 401 Unauthorized expired", "A new login is needed")
	d.who("not logged in", "not logged in")
	d.does("session", "login")
	d.who("alice", "not logged in")
}

// Buttons that are pressed while a step is under way do nothing.
func TestDemoTakesOneStepAtATime(t *testing.T) {
	d := openDemo(t)
	before := d.latest("session")
	eval[any](d.tab, `{ const button = document.querySelector("#session form button"); for (let i = 0; i < 9; i++) button.click() }`)
	if got := d.done("session", before); got != "You Login server POST /session/login 200 OK login" {
		t.Error(got)
	}
	if got := eval[int](d.tab, `document.querySelectorAll("#session .log ol > li").length`); got != 1 {
		t.Errorf("%d steps", got)
	}
}

// WCAG 2.2, 2.1.1, 2.4.1, 2.4.7 and 4.1.3.
func TestDemoByTheKeyboardAlone(t *testing.T) {
	d := openDemo(t)
	d.keys("\t")
	if skip := eval[string](d.tab, `document.activeElement.textContent + document.activeElement.getBoundingClientRect().top`); !strings.HasPrefix(skip, "Skip to the demo") || strings.Contains(skip, "-") {
		t.Errorf("the first thing with the focus is %q", skip)
	}
	d.keys("\r")
	if focus := eval[string](d.tab, `document.activeElement.id`); focus != "stage" {
		t.Errorf("the skip link leads to %q", focus)
	}
	for _, step := range []struct{ selector, mode, why string }{
		{`[data-scenario="1"]`, "", ""},
		{`[data-control="next"]`, "session", "the browser a random number"},
		{`[data-control="next"]`, "token", "No credential is lost"},
		{`#session input[name="user"]`, "", ""},
		{`#session [data-step="steal"]`, "session", "The thief has the session cookie"},
		{`#token [data-step="everywhere"]`, "token", "All logins of the user are revoked"},
	} {
		if !eval[bool](d.tab, `document.activeElement.matches('`+step.selector+`')`) {
			d.tabTo(step.selector)
		}
		if step.mode == "" {
			d.keys("\r")
			d.waitFor(`document.querySelector("#stage").ariaBusy`, "false")
			continue
		}
		before := d.latest(step.mode)
		d.keys("\r")
		d.ended(step.mode, before)
		d.says(step.mode, step.why)
		if said := eval[string](d.tab, `document.querySelector("[role=status]").textContent`); !strings.Contains(said, d.why(step.mode)) {
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
	for range 90 {
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
	d.scenario(1, 4)
	d.scenario(2, 5)
	d.does("session", "everywhere")
	if got := eval[string](d.tab, `document.documentElement.lang + document.title`); got != "ko세션이냐, 토큰이냐" {
		t.Error(got)
	}
	if chips := eval[string](d.tab, `[...new Set([...document.querySelectorAll(".chip:not(.work)")].map((chip) => chip.textContent))].sort().join()`); chips != "갱신됨,거부됨,로그인,오류,재사용 감지,폐기됨" {
		t.Errorf("the events are %q", chips)
	}
	if fonts := eval[string](d.tab, `getComputedStyle(document.body).fontFamily`); !strings.Contains(fonts, "Noto Sans KR") || !strings.Contains(fonts, "Malgun Gothic") || !strings.Contains(fonts, "Apple SD Gothic Neo") {
		t.Errorf("the fonts are %s", fonts)
	}
	// No sentence of the other language is left, nor one without its values.
	left := eval[string](d.tab, `(async () => {
		const { en, ko } = (await import("/text.js")).default;
		const copy = document.documentElement.cloneNode(true);
		for (const event of copy.querySelectorAll(".event")) event.remove(); // as the library words it
		const shown = copy.outerHTML;
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
	d.visit(d.url + "?lang=ko")
	d.waitFor(`document.body.dataset.ready`, "yes")
	d.who("로그인 안 됨", "로그인 안 됨")
	d.press(`[data-language="en"]`)
	d.who("not logged in", "not logged in")
	if got := eval[string](d.tab, `location.search`); got != "?lang=en" {
		t.Errorf("after the switch, the address has %q", got)
	}
}

// WCAG 2.2, 1.4.3: a contrast of 4.5 for all text.
func TestDemoIsLegibleInLightAndDark(t *testing.T) {
	d := openDemo(t)
	d.scenario(1, 3)
	d.legible()
	d.scenario(2, 5)
	d.legible()
}

// legible also checks WCAG 2.2, 1.4.11: a contrast of 3 for all borders.
func (d *demo) legible() {
	d.t.Helper()
	d.unfold()
	for _, scheme := range []string{"light", "dark"} {
		d.prefers("prefers-color-scheme", scheme)
		d.waitFor(`document.getAnimations().length`, "0")
		if got := eval[string](d.tab, contrasts); got != "" {
			d.t.Errorf("%s: too little contrast: %s", scheme, got)
		}
		dark := eval[bool](d.tab, `/^rgb\((\d|[1-5]\d), /.test(getComputedStyle(document.body).backgroundColor)`)
		if dark != (scheme == "dark") {
			d.t.Errorf("%s: the page is dark: %v", scheme, dark)
		}
	}
}

const contrasts = `(() => {
	const parse = (color) => color.match(/[\d.]+/g).map(Number);
	const light = ([r, g, b]) => [r, g, b].map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
		.reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
	const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] !== 0) return c } };
	const contrast = (color, ground) => { const [a, b] = [light(color), light(ground)]; return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) };
	const bad = [];
	for (const e of document.querySelectorAll("body *")) {
		if (!e.checkVisibility()) continue;
		const style = getComputedStyle(e);
		for (const side of ["Top", "Left"]) {
			const color = parse(style["border" + side + "Color"]);
			const filled = parse(style.backgroundColor)[3] !== 0 && contrast(parse(style.backgroundColor), behind(e.parentElement)) >= 3;
			if (parseFloat(style["border" + side + "Width"]) && color[3] !== 0 && !filled && contrast(color, behind(e.parentElement)) < 3) bad.push("the border of " + e.className + " " + e.textContent.slice(0, 20));
		}
		if (![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && e.tagName !== "INPUT") continue;
		if (contrast(parse(style.color), behind(e)) < 4.5) bad.push(e.className + " " + e.textContent.slice(0, 20));
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
