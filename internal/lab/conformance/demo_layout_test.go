package conformance

import (
	"strings"
	"testing"
)

// Where things are on the page of examples/demo, so that what happens is seen.

// The record is beside the buttons however far the page is scrolled.
func TestDemoShowsWhatHappensBesideTheButtons(t *testing.T) {
	d := openDemo(t)
	for _, size := range [][2]int64{{1280, 800}, {1440, 900}, {1920, 1080}} {
		d.size(size[0], size[1])
		for _, language := range []string{"en", "ko"} {
			d.press(`[data-language="` + language + `"]`)
			before := d.latest()
			eval[any](d.tab, `scrollTo(0, document.body.scrollHeight), document.querySelector("#session [data-step=logout]").click()`)
			d.done(before)
			if top := eval[float64](d.tab, `document.querySelector("#log-title").getBoundingClientRect().top`); top < 0 {
				t.Errorf("%d, %s: the record is %v px above what is seen", size, language, -top)
			}
			if bottom := eval[float64](d.tab, `document.querySelector("#log .why").getBoundingClientRect().bottom - innerHeight`); bottom > 0 {
				t.Errorf("%d, %s: what happened is %v px below what is seen", size, language, bottom)
			}
			eval[any](d.tab, `scrollTo(0, 0)`)
		}
	}
}

func TestDemoScrollsTheRecordToTheNewestStep(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.does("token", "login")
	d.does("session", "elsewhere")
	eval[any](d.tab, `document.querySelector(".log").scrollTop = 200`)
	before := d.latest()
	d.press(button("session", "elsewhere"))
	d.done(before)
	if top := eval[int](d.tab, `document.querySelector(".log").scrollTop`); top != 0 {
		t.Errorf("the record is scrolled by %d px", top)
	}
}

// A step in another tab takes the focus from nothing here.
func TestDemoKeepsTheFocusInTheRecord(t *testing.T) {
	d := openDemo(t)
	other := d.second()
	d.does("session", "login")
	d.does("session", "me")
	for _, step := range []string{"first", "last"} {
		eval[any](d.tab, `document.querySelector("#log > li:`+step+`-child summary").focus()`)
		before := d.latest()
		other.does("session", "me")
		d.waitFor(latestStep+` !== "`+before+`"`, "true")
		if focus := eval[string](d.tab, `document.activeElement.tagName`); focus != "SUMMARY" {
			t.Errorf("of the %s step, the focus is on %s", step, focus)
		}
	}
	if open := eval[int](d.tab, `document.querySelectorAll("#log > li:not(:first-child) details[open]").length`); open != 0 {
		t.Errorf("%d older exchanges are unfolded", open)
	}
}

func TestDemoShowsThatButtonsRestDuringAWait(t *testing.T) {
	d := openDemo(t)
	const opacity = `getComputedStyle(document.querySelector("#session [data-step=me]")).opacity`
	d.does("token", "login")
	d.press(button("token", "steal"))
	d.waitFor(`document.querySelector("#wait").checkVisibility()`, "true")
	if got := eval[string](d.tab, opacity); got != "0.55" {
		t.Errorf("during a wait, the opacity is %s", got)
	}
	d.waitFor(`document.querySelector("#wait").checkVisibility()`, "false")
	d.waitFor(opacity, "1")
}

// Forced colours take backgrounds away, and bars have nothing else.
func TestDemoIsLegibleInForcedColours(t *testing.T) {
	d := openDemo(t)
	d.does("session", "login")
	d.prefers("forced-colors", "active")
	seen := eval[string](d.tab, `[
		getComputedStyle(document.querySelector("#session [data-bar=idle]"), "::after").backgroundColor,
		getComputedStyle(document.querySelector("#session .who"), "::before").backgroundColor,
	].join()`)
	if page := eval[string](d.tab, `getComputedStyle(document.body).backgroundColor`); strings.Contains(seen, page) || strings.Contains(seen, "rgba") {
		t.Errorf("on %s, bar and dot are %s", page, seen)
	}
}
