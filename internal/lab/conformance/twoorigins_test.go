package conformance

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// examples/integrations/twoorigins as its users run it: the page as it is built, over TLS
// at hosts of one site, and the page of the development server at ports of localhost.

const (
	pageHost = "app.example.test"
	apiHost  = "api.example.test"
)

// pageFolder is a copy of the page, installed by npm ci as the lock file says. It stands
// where its path to the package is the same.
var pageFolder = sync.OnceValues(func() (string, error) {
	const page = "examples/integrations/twoorigins/page"
	tree := filepath.Join(lasting, "twoorigins")
	for _, name := range []string{page, page + "/src", "token/browser"} {
		if err := copyFiles(filepath.Join(tree, name), filepath.Join("../../..", name)); err != nil {
			return "", err
		}
	}
	folder := filepath.Join(tree, page)
	return folder, npm(folder, "ci")
})

// copyFiles copies the files of a folder, without those of folders in it.
func copyFiles(to, from string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() {
			continue
		}
		content, err := os.ReadFile(filepath.Join(from, entry.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, entry.Name()), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func npm(folder string, arguments ...string) error {
	command := exec.Command("npm", append(arguments, "--ignore-scripts", "--no-audit", "--no-fund")...)
	command.Dir = folder
	if out, err := command.CombinedOutput(); err != nil {
		return errors.New("npm " + strings.Join(arguments, " ") + ": " + err.Error() + "\n" + string(out))
	}
	return nil
}

var twoOriginsProgram = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "twoorigins-api")
	build := exec.Command("go", "-C", "../../../examples/integrations", "build", "-buildvcs=false", "-o", file, "./twoorigins")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})

// twoOriginsAPI starts the API for a page, and returns a proxy to it.
func twoOriginsAPI(t *testing.T, page string) http.Handler {
	t.Helper()
	address, _ := startProgram(t, "examples/integrations/twoorigins", twoOriginsProgram, "-addr", "127.0.0.1:0", "-page", page, "-access", "3s")
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
}

// answered returns the statuses of the requests with a method to a path of the API.
func (s *hosts) answered(host, method, path string) string {
	var statuses []int
	for _, r := range s.requests(host, path) {
		if r.method == method {
			statuses = append(statuses, r.status)
		}
	}
	return statusesOf(statuses)
}

// reads waits for a text of the page.
func (b tab) reads(selector, text string) {
	b.t.Helper()
	b.waitFor(`document.querySelector(`+"`"+selector+"`"+`)?.innerText`, text)
}

const noticeOf = `[role=status]`

// entersPayments logs in by the form of the page.
func (b tab) entersPayments() {
	b.t.Helper()
	b.waitFor(`document.querySelector("form button")?.innerText`, "Log in")
	eval[any](b, `document.querySelector("input[name=user]").focus()`)
	b.keys("alice\tcorrect horse\r")
	b.showsPayments()
}

func (b tab) showsPayments() {
	b.t.Helper()
	b.reads("section p", "Hello, alice.")
	b.reads("li", "rent 700.00")
	b.reads("section [role=alert]", "")
}

func TestTwoOriginsOfABuiltPage(t *testing.T) {
	folder := nodePackages(t)
	s := openHosts(t)
	build := exec.Command("npm", "run", "build")
	build.Dir, build.Env = folder, append(os.Environ(), "VITE_API="+s.url(apiHost, ""))
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	s.set(pageHost, http.FileServer(http.Dir(filepath.Join(folder, "dist"))))
	s.set(apiHost, twoOriginsAPI(t, s.url(pageHost, "")))

	a := newTab(t)
	a.visit(s.url(pageHost, "/"))
	a.entersPayments()
	if got := s.answered(apiHost, "POST", "/login"); got != "200" {
		t.Errorf("logins: %s", got)
	}

	// The server alone knows that the token has expired: 401s at once share a refresh.
	s.forget()
	eval[any](a, `{ const ticks = performance.now(), wall = Date.now(); performance.now = () => ticks; Date.now = () => wall; }`)
	expire()
	eval[any](a, `for (let i = 0; i < 4; i++) document.querySelector("#reload").click()`)
	if !s.eventually(func() bool { return s.answered(apiHost, "GET", "/payments") == "200 200 200 200 401 401 401 401" }) {
		t.Errorf("calls: %s", s.answered(apiHost, "GET", "/payments"))
	}
	a.showsPayments()
	if got := s.answered(apiHost, "POST", "/refresh"); got != "200" {
		t.Errorf("refreshes: %s", got)
	}

	s.forget() // a reload keeps the login
	a.visit(s.url(pageHost, "/"))
	a.showsPayments()
	if got := s.answered(apiHost, "POST", "/refresh"); got != "200" {
		t.Errorf("a reload makes these refreshes: %s", got)
	}

	b := a.another() // a logout in one tab is one in the other
	b.visit(s.url(pageHost, "/"))
	b.showsPayments()
	a.press("#logout")
	a.reads(noticeOf, "You are logged out.")
	b.reads(noticeOf, "Your session has ended: logged out.")
	for _, one := range []tab{a, b} {
		one.waitFor(`document.querySelector("form button")?.innerText`, "Log in")
		one.visit(s.url(pageHost, "/"))
		one.waitFor(`document.querySelector("form button")?.innerText`, "Log in")
	}
	b.entersPayments()
}

// eventually waits for what requests bring about.
func (s *hosts) eventually(happened func() bool) bool {
	for start := time.Now(); time.Since(start) < hang; time.Sleep(25 * time.Millisecond) {
		if happened() {
			return true
		}
	}
	return false
}

// startVite starts the development server, and returns its port.
func startVite(t *testing.T, folder, api string) (port string) {
	t.Helper()
	command := exec.Command("node", "node_modules/vite/bin/vite.js", "--host", "127.0.0.1") // at the first free port
	command.Dir, command.Env = folder, append(os.Environ(), "VITE_API="+api, "NO_COLOR=1")
	stdout, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
	late := time.AfterFunc(hang, func() { command.Process.Kill() })
	defer late.Stop()
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if found := regexp.MustCompile(`http://127\.0\.0\.1:(\d+)`).FindStringSubmatch(lines.Text()); found != nil {
			go io.Copy(io.Discard, stdout)
			return found[1]
		}
	}
	t.Fatal("Vite does not start")
	return ""
}

// edit replaces text in a file of the page for the duration of the test.
func edit(t *testing.T, file, old, new string) {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(content), old) {
		t.Fatalf("%s has no %q: %v", file, old, err)
	}
	t.Cleanup(func() { write(t, file, string(content)) })
	write(t, file, strings.Replace(string(content), old, new, 1))
}

// StrictMode runs each effect twice, and Vite replaces modules in the running page.
func TestTwoOriginsOfTheDevelopmentServer(t *testing.T) {
	folder := nodePackages(t)
	s := openPlainHosts(t)
	api := "http://localhost:" + s.port
	port := startVite(t, folder, api)
	page := "http://localhost:" + port + "/"
	s.set("localhost", twoOriginsAPI(t, strings.TrimSuffix(page, "/")))
	refreshes := func() string { return s.answered("localhost", "POST", "/refresh") }

	b := newTab(t)
	b.visit(page)
	b.entersPayments()
	s.forget()
	b.visit(page)
	b.showsPayments()
	if !s.eventually(func() bool { return len(s.requests("localhost", "/me")) >= 2 }) {
		t.Error("StrictMode has not run the effects twice")
	}
	if got := refreshes(); got != "200" {
		t.Errorf("a reload under StrictMode makes these refreshes: %s", got)
	}

	s.forget() // a component is replaced, and the client stays
	eval[any](b, `globalThis.same = "page"`)
	edit(t, filepath.Join(folder, "src/App.tsx"), "<h1>Payments</h1>", "<h1>Your payments</h1>")
	b.reads("h1", "Your payments")
	b.press("#reload")
	b.showsPayments()
	expire()
	b.press("#reload")
	b.showsPayments()
	if !s.eventually(func() bool { return refreshes() == "200" }) {
		t.Errorf("after a component was replaced: refreshes %s", refreshes())
	}

	s.forget() // the client itself is replaced
	edit(t, filepath.Join(folder, "src/session.ts"), "baseURL: url,", "baseURL: url, headers: { 'Accept-Language': 'ko' },")
	replaced := func() bool {
		b.press("#reload")
		for _, r := range s.requests("localhost", "/me") {
			if r.method == http.MethodGet && r.status == http.StatusOK && r.header.Get("Accept-Language") == "ko" {
				return true
			}
		}
		return false
	}
	if !s.eventually(replaced) {
		t.Error("the client was not replaced")
	}
	b.showsPayments()
	if got := eval[string](b, `String(globalThis.same)`); got != "page" {
		t.Error("the page was loaded anew")
	}
	if strings.Contains(refreshes(), "401") {
		t.Errorf("after the client was replaced: refreshes %s", refreshes())
	}
	b.press("#logout")
	b.reads(noticeOf, "You are logged out.")
}
