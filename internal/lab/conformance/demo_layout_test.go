package conformance

import (
	"strconv"
	"strings"
	"testing"
)

// Where things are on the page of examples/demo, so that what happens is seen.

var widths = []int64{320, 390, 768, 1024, 1280, 1440}

// The verdicts, and the logins in the stores, are seen beside the controls without scrolling.
func TestDemoShowsVerdictsAndLoginsAboveTheFold(t *testing.T) {
	d := openDemo(t)
	for _, scenario := range [][2]int{{2, 2}, {2, 5}, {1, 2}} {
		d.scenario(scenario[0], scenario[1])
		for _, size := range [][2]int64{{1280, 800}, {1440, 900}, {1920, 1080}} {
			d.size(size[0], size[1])
			for _, language := range []string{"en", "ko"} {
				d.press(`[data-language="` + language + `"]`)
				hidden := eval[string](d.tab, `scrollTo(0, 0), ["h1", "table", "[data-control]", ".verdict", "[data-place=store]"].flatMap((part) => [...document.querySelectorAll(part)])
					.filter((e) => e.getBoundingClientRect().bottom > innerHeight || e.getBoundingClientRect().top < 0).map((e) => e.className + e.textContent).join("; ")`)
				if hidden != "" {
					t.Errorf("%v, %v, %s: not seen: %s", scenario, size, language, hidden)
				}
			}
		}
	}
}

// Nothing covers a button or a field, and nothing makes the page scroll sideways.
func TestDemoFitsEveryWidth(t *testing.T) {
	d := openDemo(t, "-access", "8s")
	d.scenario(1, 1)
	d.scenario(2, 5)
	for _, width := range widths {
		d.size(width, 800)
		for _, language := range []string{"en", "ko"} {
			d.press(`[data-language="` + language + `"]`)
			for _, mode := range []string{"session", "token"} {
				if width < 700 {
					d.press(`[data-show="` + mode + `"]`)
				}
				if eval[bool](d.tab, `document.documentElement.scrollWidth > innerWidth`) {
					t.Errorf("%d, %s, %s: the page scrolls sideways", width, language, mode)
				}
				covered := eval[string](d.tab, `[...document.querySelectorAll("button, input, summary")].filter((e) => e.checkVisibility()).filter((e) => {
					e.scrollIntoView({ block: "center" });
					const { x, y, width, height } = e.getBoundingClientRect();
					const top = document.elementFromPoint(x + width / 2, y + height / 2);
					return !e.contains(top);
				}).map((e) => e.textContent).join("; ")`)
				if covered != "" {
					t.Errorf("%d, %s, %s: covered: %s", width, language, mode, covered)
				}
				wide := eval[string](d.tab, `[...document.querySelectorAll(".box *, button, .verdict")].filter((e) => e.checkVisibility() && !e.matches(".unseen") && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).display !== "inline").map((e) => e.className + " " + e.textContent).join("; ")`)
				if wide != "" {
					t.Errorf("%d, %s, %s: wider than its place: %s", width, language, mode, wide)
				}
			}
		}
	}
}

// On a phone there is one side at a time, and a switch that names both.
func TestDemoShowsOneSideAtATimeOnAPhone(t *testing.T) {
	d := openDemo(t)
	d.size(390, 844)
	visible := `[...document.querySelectorAll(".panel")].filter((panel) => panel.checkVisibility()).map((panel) => panel.id)`
	d.waitFor(visible, "session")
	for _, mode := range []string{"token", "session"} {
		d.press(`[data-show="` + mode + `"]`)
		d.waitFor(visible, mode)
		if pressed := eval[string](d.tab, `document.querySelector("[data-show][aria-pressed=true] span").textContent + document.querySelector("#switch-label").checkVisibility()`); !strings.EqualFold(pressed, mode+"strue") {
			t.Errorf("the switch shows %q", pressed)
		}
		if below := eval[string](d.tab, `scrollTo(0, 0), [...document.querySelectorAll("h1, [data-scenario], [data-control=next]")].filter((e) => e.getBoundingClientRect().bottom > innerHeight).map((e) => e.textContent).join("; ")`); below != "" {
			t.Errorf("%s: below the fold: %s", mode, below)
		}
		d.scenario(1, 2)
		for _, side := range []string{"session", "token"} {
			if label := eval[string](d.tab, `document.querySelector("[data-show=`+side+`] small").textContent`); label == "" || !strings.HasPrefix(d.why(side), label) {
				t.Errorf("the switch says %q of %s", label, side)
			}
		}
		eval[any](d.tab, `document.querySelector("[data-control=next]").scrollIntoView({ block: "center" })`)
		d.next()
		if !eval[bool](d.tab, `document.querySelector("#`+mode+` .verdict strong").getBoundingClientRect().bottom <= innerHeight`) {
			t.Errorf("%s: the verdict is out of sight", mode)
		}
	}
}

// Nothing that can be pressed moves while a scenario runs.
func TestDemoButtonsStayWhereTheyAre(t *testing.T) {
	d := openDemo(t)
	const places = `scrollTo(0, 0), [...document.querySelectorAll("[data-scenario], [data-control], .panel button")].map((e) => [e.getBoundingClientRect().x, e.getBoundingClientRect().y].map(Math.round)).join(" ")`
	eval[any](d.tab, `document.querySelectorAll(".log").forEach((details) => details.open = false)`)
	for _, width := range []int64{1280, 1440} {
		d.size(width, 900)
		for number := range 3 {
			d.scenario(number+1, 1)
			before := eval[string](d.tab, places)
			for step := range 2 {
				d.next()
				if after := eval[string](d.tab, places); after != before {
					t.Errorf("%d px: step %d.%d moves what can be pressed", width, number+1, step+2)
				}
			}
		}
	}
}

// Every verdict fits into the room that is reserved for it, so none moves what is below it.
func TestDemoReservesRoomForEachVerdict(t *testing.T) {
	d := openDemo(t)
	for _, language := range []string{"en", "ko"} {
		d.press(`[data-language="` + language + `"]`)
		for _, width := range []int64{1280, 1440} {
			d.size(width, 900)
			high := eval[string](d.tab, `(async () => {
				const texts = (await import("/text.js")).default[document.documentElement.lang];
				const verdict = document.querySelector("#token .verdict").cloneNode();
				document.querySelector("#token .head").after(verdict);
				const room = verdict.getBoundingClientRect().height;
				const high = Object.keys(texts).filter((key) => /^(why|lead)/.test(key)).filter((key) => {
					const [, lead, rest] = /^(.+?[.])(\s.*)?$/s.exec(texts[key]);
					const bold = document.createElement("strong");
					bold.textContent = lead;
					verdict.replaceChildren(bold, rest ?? "");
					return verdict.getBoundingClientRect().height > room;
				});
				verdict.remove();
				return high.join(" ");
			})()`)
			if high != "" {
				t.Errorf("%s, %d px: too long: %s", language, width, high)
			}
		}
	}
}

// A step in another tab takes the focus from nothing here.
func TestDemoKeepsTheFocusInTheRecord(t *testing.T) {
	d := openDemo(t)
	other := d.second()
	d.does("session", "login")
	d.does("session", "call")
	for _, step := range []string{"first", "last"} {
		eval[any](d.tab, `document.querySelector("#session .log ol > li:`+step+`-child summary").focus()`)
		before := d.latest("session")
		other.does("session", "call")
		d.waitFor(latestStep("session")+` !== "`+before+`"`, "true")
		if focus := eval[string](d.tab, `document.activeElement.tagName`); focus != "SUMMARY" {
			t.Errorf("of the %s step, the focus is on %s", step, focus)
		}
	}
}

// While a step waits, the message counts down and the other buttons are dimmed. It can be
// closed, and the focus then stays on the page.
func TestDemoSaysThatItWaits(t *testing.T) {
	d := openDemo(t, "-grace", "5s")
	const opacity = `getComputedStyle(document.querySelector("[data-control=next]")).opacity`
	const message = `document.querySelector("#message").checkVisibility()`
	d.scenario(2, 4)
	before := d.latest("token")
	d.press(`[data-control="next"]`)
	d.waitFor(message, "true")
	const marks = `document.querySelectorAll("#steps .done").length + " " + document.querySelector("#steps .running")?.textContent`
	if got := eval[string](d.tab, marks); got != "4 You continue, then the thief does (running)" {
		t.Errorf("during a wait, the steps done and the running one are %q", got)
	}
	if got := eval[string](d.tab, opacity); got != "0.55" {
		t.Errorf("during a wait, the opacity is %s", got)
	}
	if seconds := eval[string](d.tab, `document.querySelector("[data-value=seconds]").textContent`); !strings.HasSuffix(seconds, " s") || seconds > "5 s" {
		t.Errorf("the countdown is %q", seconds)
	}
	d.ended("token", before)
	d.waitFor(message, "false")
	d.waitFor(marks, "5 undefined")
	d.waitFor(opacity, "1")
	d.press(`[data-control="reset"]`)
	d.waitFor(message, "true")
	eval[any](d.tab, `document.querySelector(".close").focus()`)
	d.keys("\r")
	d.waitFor(message, "false")
	if !eval[bool](d.tab, `document.activeElement.matches("[data-control=next]")`) {
		t.Error("the closed message takes the focus with it")
	}
}

func TestDemoMessageEndsByItself(t *testing.T) {
	d := openDemo(t)
	const message = `document.querySelector("#message").checkVisibility()`
	d.press(`[data-control="reset"]`)
	d.waitFor(message, "true")
	eval[any](d.tab, `document.activeElement.blur()`)
	d.waitFor(message, "false")
}

// Nothing moves for a reader who asked for reduced motion.
func TestDemoMovesNothingForThoseWhoAskedForThat(t *testing.T) {
	d := openDemo(t)
	for preference, want := range map[string]string{"reduce": "none 0s", "no-preference": "changed 0.15s"} {
		d.prefers("prefers-reduced-motion", preference)
		d.waitFor(`(() => {
			const place = document.querySelector("[data-place=jar]");
			place.classList.add("changed");
			return getComputedStyle(place).animationName + " " + getComputedStyle(document.querySelector(".bar"), "::after").transitionDuration;
		})()`, want)
	}
}

// Forced colours take backgrounds away, and dots have nothing else.
func TestDemoIsLegibleInForcedColours(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.prefers("forced-colors", "active")
	dot := eval[string](d.tab, `getComputedStyle(document.querySelector("#session .who"), "::before").backgroundColor`)
	if page := eval[string](d.tab, `getComputedStyle(document.body).backgroundColor`); dot == page || strings.Contains(dot, "rgba") {
		t.Errorf("on %s, the dot is %s", page, dot)
	}
	for _, box := range []string{".box", ".cred"} {
		if width := eval[string](d.tab, `getComputedStyle(document.querySelector("#session `+box+`")).borderTopWidth`); width != "1px" {
			t.Errorf("the border of %s is %s wide", strconv.Quote(box), width)
		}
	}
}
