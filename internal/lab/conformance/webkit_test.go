package conformance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// webkit is a window of a real WebKit, the engine of Safari, driven by WebDriver (W3C) on a
// display in memory.
type webkit struct {
	t       *testing.T
	session string // URL of the WebDriver session
}

func newWebKit(t *testing.T) webkit {
	t.Helper()
	for _, command := range []string{"Xvfb", "WebKitWebDriver"} {
		if _, err := exec.LookPath(command); err != nil {
			missing(t, command)
		}
	}
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	screen := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp")
	screen.ExtraFiles = []*os.File{write}
	startUntilEnd(t, screen)
	write.Close()
	var display int
	if _, err := fmt.Fscan(read, &display); err != nil {
		t.Fatalf("Xvfb: %v", err)
	}

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	listener.Close()
	driver := exec.Command("WebKitWebDriver", "--host=127.0.0.1", "--port="+port)
	home := t.TempDir()
	driver.Env = append(os.Environ(), fmt.Sprintf("DISPLAY=:%d", display), "HOME="+home, "XDG_RUNTIME_DIR="+home, "WEBKIT_DISABLE_COMPOSITING_MODE=1")
	startUntilEnd(t, driver)
	b := webkit{t: t, session: "http://127.0.0.1:" + port}
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get(b.session + "/status"); err == nil {
			response.Body.Close()
			break
		} else if time.Since(begin) > hang {
			t.Fatal(err)
		}
	}
	var opened struct{ SessionID string }
	b.do("POST", "/session", `{"capabilities": {"alwaysMatch": {"acceptInsecureCerts": true}}}`, &opened)
	b.session += "/session/" + opened.SessionID
	t.Cleanup(func() { b.do("DELETE", "", "", nil) })
	return b
}

// startUntilEnd starts a command that is killed when the test ends.
func startUntilEnd(t *testing.T, command *exec.Cmd) {
	t.Helper()
	command.Stdout, command.Stderr = t.Output(), t.Output()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Kill()
		command.Wait()
	})
}

// do sends a command, and reads the value of its result.
func (b webkit) do(method, path, body string, value any) {
	b.t.Helper()
	r, err := http.NewRequest(method, b.session+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: hang}
	response, err := client.Do(r)
	if err != nil {
		b.t.Fatalf("WebDriver: %s %s: %v", method, path, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		b.t.Fatalf("WebDriver: %s %s: %d %s %v", method, path, response.StatusCode, bytes.TrimSpace(text), err)
	}
	if value != nil {
		if err := json.Unmarshal(text, &struct{ Value any }{value}); err != nil {
			b.t.Fatalf("WebDriver: %s %s: %s: %v", method, path, text, err)
		}
	}
}

func (b webkit) visit(url string) {
	b.t.Helper()
	b.do("POST", "/url", fmt.Sprintf(`{"url": %q}`, url), nil)
}

// eval runs a script in the page and returns its value.
func (b webkit) eval(script string) string {
	b.t.Helper()
	body, _ := json.Marshal(map[string]any{"script": "return String(" + script + ")", "args": []any{}})
	var value string
	b.do("POST", "/execute/sync", string(body), &value)
	return value
}

// waits until a condition holds in the page.
func (b webkit) waits(condition string) {
	b.t.Helper()
	for begin := time.Now(); b.eval(condition) != "true"; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > hang {
			b.t.Fatalf("never: %s, in the page %q", condition, b.eval("document.body.innerText"))
		}
	}
}

// login sends the login form of an example.
func (b webkit) login() {
	b.t.Helper()
	b.waits(`document.querySelector("#user")?.checkVisibility()`)
	b.eval(`(document.querySelector("#user").value = "alice", document.querySelector("#password").value = "correct horse", document.querySelector("#password").form.requestSubmit())`)
}

// WebKit drops Secure cookies from http://localhost (WebKit bug 281149).
func TestWebKitOnLocalhostIsToldWhyItIsLoggedOut(t *testing.T) {
	b := newWebKit(t)
	const event = "WebKit browsers such as Safari drop the cookie"
	t.Run("the page and the log of a site say so", func(t *testing.T) {
		s := openShop(t)
		b.visit(s.at("localhost"))
		b.login()
		b.waits(`document.body.innerText.includes("not kept the cookie") && document.body.innerText.includes("-insecure")`)
		if s.logged(event) == 0 {
			t.Error("the log says nothing")
		}
	})
	t.Run("with -insecure it works", func(t *testing.T) {
		s := openShop(t, "-insecure")
		b.visit(s.at("localhost"))
		b.login()
		b.waits(`document.body.innerText.includes("Hello, alice")`)
		if s.logged(event) > 0 {
			t.Error("the log complains")
		}
	})
	t.Run("over HTTPS it works", func(t *testing.T) {
		s := openShop(t)
		target, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		proxy := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
		}})
		defer proxy.Close()
		b.visit(strings.Replace(proxy.URL, "127.0.0.1", "localhost", 1))
		b.login()
		b.waits(`document.body.innerText.includes("Hello, alice")`)
		if s.logged(event) > 0 {
			t.Error("the log complains")
		}
	})
	t.Run("the page of an API says so", func(t *testing.T) {
		s := openSPA(t)
		b.visit(s.page)
		b.login()
		b.waits(`document.querySelector("#notice").checkVisibility()`)
	})
	t.Run("with -insecure the page of an API stays logged in", func(t *testing.T) {
		s := openSPA(t, "-insecure")
		b.visit(s.page)
		b.login()
		b.waits(`document.querySelector("#inside").checkVisibility() && !document.querySelector("#notice").checkVisibility()`)
		b.visit(s.page)
		b.waits(`document.querySelector("#status").textContent === "hello, alice"`)
	})
	t.Run("the whole road to an account works with -insecure, and is explained without", func(t *testing.T) {
		dir, mails := t.TempDir(), &mailbox{}
		flags := []string{"-db", filepath.Join(dir, "site.db"), "-key", filepath.Join(dir, "site.key")}
		at := func(url string) string { return strings.Replace(url, "127.0.0.1", "localhost", 1) }
		send := func(fields ...string) {
			t.Helper()
			for i := 0; i < len(fields); i += 2 {
				b.eval(fmt.Sprintf("document.querySelector(%q).value = %q", fields[i], fields[i+1]))
			}
			b.eval(`document.querySelector("main form").requestSubmit()`)
		}
		insecure := at(openWebsite(t, mails, append(flags, "-insecure")...))
		b.visit(insecure + "/signup")
		send("#mail", customer)
		b.waits(`document.body.innerText.includes("a link is on its way")`)
		b.visit(at(mails.link(t, 1)))
		send("#new", firstPassword)
		b.waits(`document.body.innerText.includes("Your password is set")`)
		send("#mail", customer, "#password", firstPassword)
		b.waits(`document.querySelector("nav").innerText.includes("Log out")`)
		b.visit(at(openWebsite(t, mails, flags...)) + "/login")
		send("#mail", customer, "#password", firstPassword)
		b.waits(`document.body.innerText.includes("not kept the cookie") && document.body.innerText.includes("-insecure")`)
	})
}
