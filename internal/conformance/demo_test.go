package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// demoProgram builds examples/demo once and returns the file.
var demoProgram = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "demo")
	build := exec.Command("go", "-C", "../..", "build", "-buildvcs=false", "-o", file, "./examples/demo")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})

// demo is a tab with the page of examples/demo, which its users run as it is.
type demo struct {
	tab
	url string

	mu       sync.Mutex
	bad      []string // what the console tells of errors
	external []string // requests to other hosts
}

// openDemo starts the program and shows its page, in English.
func openDemo(t *testing.T, flags ...string) *demo {
	t.Helper()
	b := newTab(t)
	url, _ := startProgram(t, "examples/demo", demoProgram, append([]string{"-addr", "127.0.0.1:0", "-window", "1s"}, flags...)...)
	d := &demo{tab: b, url: url + "/"}
	d.watch()
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
			// A 401 is an entry as well, and what a step is about.
			if e.Entry.Level == "error" && e.Entry.Source != "network" {
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
	selector := "#" + mode + ` button[data-step="` + step + `"]`
	if step == "login" {
		selector = "#" + mode + " form button"
	}
	before := d.latest()
	d.press(selector)
	return d.done(before)
}

const latestStep = `(document.querySelector("#log > li")?.id ?? "")`

// latest is the ID of the newest step.
func (d *demo) latest() string {
	return eval[string](d.tab, latestStep)
}

// done waits until there is a newer step, and none under way.
func (d *demo) done(before string) string {
	d.t.Helper()
	d.waitFor(latestStep+` !== "`+before+`" && document.querySelector("[data-step]").ariaDisabled === "false"`, "true")
	return eval[string](d.tab, `[...document.querySelectorAll("#log > li:first-child .line")].map((line) => line.innerText.replace(/\s+/g, " ").trim()).join("; ")`)
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
