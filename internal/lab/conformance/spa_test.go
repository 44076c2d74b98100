package conformance

import (
	"bufio"
	"io"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// example returns a function that builds a program of examples once and returns the
// file.
func example(name string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		file := filepath.Join(lasting, name)
		build := exec.Command("go", "-C", "../../..", "build", "-buildvcs=false", "-o", file, "./examples/"+name)
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		return file, build.Run()
	})
}

var spaProgram = example("spa")

// spa is examples/spa as its users run it, behind a proxy that sees what reaches
// it, and that no refresh token is anywhere but in the cookie.
type spa struct {
	*site
	page   string // its address, on localhost
	meet   *meeting
	bearer atomic.Value // the last access token that has come by, as a string
}

// brief are flags for access tokens that are over soon, and spaExpire waits for
// that. The clock of a token has whole seconds.
var brief = []string{"-access", "3s", "-refresh", "1h"}

func spaExpire() { time.Sleep(3100 * time.Millisecond) }

func openSPA(t *testing.T, flags ...string) *spa {
	t.Helper()
	address, _ := startProgram(t, "examples/spa", spaProgram, append([]string{"-addr", "127.0.0.1:0"}, flags...)...)
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &spa{site: &site{t: t}}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // what the browser asked for
			if bearer, ok := strings.CutPrefix(r.In.Header.Get("Authorization"), "Bearer "); ok {
				s.bearer.Store(bearer)
			}
			if s.meet != nil && r.In.URL.Path == "/refresh" {
				s.meet.wait()
			}
		},
		ModifyResponse: s.note,
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	s.page = strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/"
	return s
}

// startProgram returns the address that a program says it listens on, and what
// ends it before the test does.
func startProgram(t *testing.T, name string, program func() (string, error), flags ...string) (address string, stop func()) {
	t.Helper()
	return startLogged(t, name, program, io.Discard, flags...)
}

// startLogged also writes to log what the program logs after that.
func startLogged(t *testing.T, name string, program func() (string, error), log io.Writer, flags ...string) (address string, stop func()) {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatalf("%s does not build: %v", name, err)
	}
	command := exec.Command(file, flags...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		command.Process.Kill()
		command.Wait()
	})
	t.Cleanup(stop)
	late := time.AfterFunc(hang, func() { command.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	_, address, ok := strings.Cut(line, "listening on ")
	if !ok {
		t.Fatalf("%s does not listen: %q, %v", name, line, err)
	}
	go io.Copy(log, lines)
	return strings.TrimSpace(address), stop
}

// answered returns the statuses of the requests with a method to a path after
// mark.
func (s *spa) answered(mark int, method, path string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var statuses []int
	for _, v := range s.visits[mark:] {
		if v.method == method && v.path == path {
			statuses = append(statuses, v.status)
		}
	}
	return statusesOf(statuses)
}

// open shows the page in a tab, which finally says what status returns.
func (s *spa) open(b tab, status string) tab {
	b.t.Helper()
	b.visit(s.page)
	b.says(status)
	return b
}

// customer is a tab in which alice has logged in.
func (s *spa) customer() tab {
	s.t.Helper()
	b := s.open(newTab(s.t), "Please log in.")
	b.enter()
	return b
}

// enter logs in at the form, by the keyboard alone.
func (b tab) enter() {
	b.t.Helper()
	b.waitFor(`document.activeElement.id`, "user")
	b.keys("alice\tcorrect horse\r")
	b.says("hello, alice")
}

func (b tab) keys(keys string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
		b.t.Fatal(err)
	}
}

// says waits for a text in the line with the status, and for the
// form if no user is logged in, or the buttons.
func (b tab) says(status string) {
	b.t.Helper()
	b.waitFor(`document.getElementById("status").textContent`, status)
	b.waitFor(`["login", "inside"].filter((id) => document.getElementById(id).checkVisibility())`, shown(status))
}

func shown(status string) string {
	if strings.HasPrefix(status, "hello") || strings.HasPrefix(status, "Four calls") {
		return "inside"
	}
	return "login"
}

// waitFor evaluates a script until it says what is expected.
func (b tab) waitFor(script, want string) {
	b.t.Helper()
	var got string
	for start := time.Now(); time.Since(start) < hang; {
		if got = eval[string](b, "String("+script+")"); got == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("%s is %q, not %q", script, got, want)
}

// press clicks on a button that leads to no other page.
func (b tab) press(selector string) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("click on %s: %v", selector, err)
	}
}

func TestSPAKeepsTheLoginOverAReload(t *testing.T) {
	s := openSPA(t)
	b := s.open(newTab(t), "Please log in.")
	b.fill("#user", "alice")
	b.fill("#password", "wrong")
	b.press("#login button")
	b.says("The user name or the password is wrong.")
	b.waitFor(`document.activeElement.id`, "password")
	b.keys("correct horse\r")
	b.says("hello, alice")
	mark := s.mark()
	s.open(b, "hello, alice")
	if got := s.answered(mark, "POST", "/refresh"); got != "200" {
		t.Errorf("a reload makes these refreshes: %q", got)
	}
}

func TestSPAGivesNoTokenAway(t *testing.T) {
	s := openSPA(t)
	b := s.customer()
	cookies := b.cookies(s.page)
	if len(cookies) != 1 || cookies[0].Name != refreshCookie {
		t.Fatalf("%d cookies", len(cookies))
	}
	c := cookies[0]
	if !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteStrict {
		t.Errorf("HttpOnly %v, Secure %v, SameSite %s", c.HTTPOnly, c.Secure, c.SameSite)
	}
	if got := eval[string](b, "document.cookie"); got != "" {
		t.Error("a script reads the cookie")
	}
	access, _ := s.bearer.Load().(string)
	if strings.Count(access, ".") != 2 {
		t.Fatal("the call was made without a token")
	}
	kept := eval[string](b, `(async () => JSON.stringify([
		{ ...localStorage }, { ...sessionStorage }, history.state, name, location.href,
		document.documentElement.outerHTML, await indexedDB.databases(), await caches.keys(),
	]))()`)
	for _, secret := range append(strings.Split(access, "."), c.Value) {
		if strings.Contains(kept, secret) {
			t.Error("a part of a token is where a script finds it")
		}
	}
	if !strings.Contains(kept, "authlatch:") || !strings.Contains(kept, "[],[]]") {
		t.Errorf("the page keeps %s", kept)
	}
}

func TestSPAFourCallsMakeOneRefresh(t *testing.T) {
	s := openSPA(t, brief...)
	b := s.customer()
	for _, c := range []struct{ knows, script, calls string }{
		{"the page", `0`, "200 200 200 200"},
		// This clock stands still, as that of a laptop that sleeps (supabase#6464).
		{"the page, by its other clock,", `{ const now = performance.now(); performance.now = () => now }`, "200 200 200 200"},
		{"the server alone", `{ const now = Date.now(); Date.now = () => now }`, "200 200 200 200 401 401 401 401"},
	} {
		eval[any](b, c.script)
		spaExpire()
		mark := s.mark()
		b.press("#four")
		b.says("Four calls, answered 200, 200, 200, 200.")
		if got := s.answered(mark, "POST", "/refresh"); got != "200" {
			t.Errorf("%s knows that the token has expired: refreshes %q", c.knows, got)
		}
		if got := s.answered(mark, "GET", "/me"); got != c.calls {
			t.Errorf("%s knows that the token has expired: calls %q", c.knows, got)
		}
		b.press("#call")
		b.says("hello, alice")
	}
}

func TestSPATwoTabsRefreshAtOnce(t *testing.T) {
	s := openSPA(t, brief...)
	a := s.customer()
	b := s.open(a.another(), "hello, alice")
	spaExpire()
	mark := s.mark()
	s.meet = &meeting{}
	a.press("#four")
	b.press("#four")
	for _, one := range []tab{a, b} {
		one.says("Four calls, answered 200, 200, 200, 200.")
	}
	if got := s.answered(mark, "POST", "/refresh"); got != "200 200" {
		t.Errorf("refreshes: %q", got)
	}
	s.meet = nil
	spaExpire()
	for _, one := range []tab{a, b} {
		one.press("#call")
		one.says("hello, alice")
	}
	if got := s.answered(mark, "GET", "/me"); strings.Contains(got, "401") {
		t.Errorf("calls: %q", got)
	}
}

func TestSPALogoutIsOneInAllTabs(t *testing.T) {
	s := openSPA(t)
	a := s.customer()
	b := s.open(a.another(), "hello, alice")
	a.press("#logout")
	a.says("You are logged out.")
	b.says("Your session has ended: logged out.")
	if len(a.cookies(s.page)) != 0 {
		t.Error("the cookie is still there")
	}
	mark := s.mark()
	s.open(a, "Please log in.")
	if got := s.answered(mark, "GET", "/me"); got != "" {
		t.Errorf("calls: %q", got)
	}
	a.enter()
}

func TestSPAShowsTheFormWhereTheLoginEnds(t *testing.T) {
	s := openSPA(t, "-access", "2s", "-refresh", "2s")
	for _, button := range []string{"#call", "#four"} {
		b := s.customer()
		eval[any](b, `globalThis.stays = true; location.hash = "here"`)
		time.Sleep(2100 * time.Millisecond)
		b.press(button)
		b.says("Your session has ended: expired.")
		if !eval[bool](b, `stays === true && location.hash === "#here"`) {
			t.Errorf("after %s the page is another one", button)
		}
		b.enter()
	}
}
