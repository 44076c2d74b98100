package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// short are limits that are short enough for a test.
var short = limits{access: time.Minute, grace: 3 * time.Second, idle: 3 * time.Minute, lifetime: 15 * time.Minute}

var alice = url.Values{"user": {"alice"}, "password": {"correct horse"}}

// open starts the three servers, and returns the login server.
func open(t *testing.T) (*demo, *httptest.Server) {
	t.Helper()
	var servers [3]*httptest.Server
	var origins [3]string
	for i := range servers {
		servers[i] = httptest.NewUnstartedServer(nil)
		_, port, _ := net.SplitHostPort(servers[i].Listener.Addr().String())
		origins[i] = "http://localhost:" + port
		t.Cleanup(servers[i].Close)
	}
	d, err := newDemo(short, addresses{origins[0], origins[1], origins[2]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	for i, handler := range []http.Handler{d.handler(), d.api(0), d.api(1)} {
		servers[i].Config.Handler = handler
		servers[i].Start()
	}
	return d, servers[0]
}

// guest is a browser as far as cookies go. It sends Secure ones to http://localhost,
// as Chromium and Firefox do.
type guest struct {
	t       *testing.T
	url     string
	apis    map[string]string // their origins, by name
	cookies map[string]string
	steps   int
}

// visit returns a guest who has opened the page.
func visit(t *testing.T, server *httptest.Server) *guest {
	b := &guest{t: t, url: server.URL, cookies: make(map[string]string)}
	if status, _ := b.do("GET", "/", nil, nil); status != http.StatusOK {
		t.Fatalf("the page: status %d", status)
	}
	b.apis = b.state().APIs
	return b
}

// do sends a request to the login server, or to an API: "a:/session/me".
func (b *guest) do(method, path string, form url.Values, header http.Header) (status int, body string) {
	b.t.Helper()
	url := b.url + path
	if api, path, ok := strings.Cut(path, ":"); ok {
		url = b.apis[api] + path
	}
	r, err := http.NewRequest(method, url, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Host = "localhost"
	for name, value := range b.cookies {
		r.Header.Add("Cookie", name+"="+value)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range header {
		if name == "Host" {
			r.Host = values[0]
			continue
		}
		r.Header[name] = values
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range response.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return response.StatusCode, string(text)
}

// step sends a request under a new step, and returns the body of the response.
func (b *guest) step(name, mode, method, path string, form url.Values, header http.Header) (status int, body string) {
	b.t.Helper()
	b.steps++
	all := header.Clone()
	if all == nil {
		all = make(http.Header)
	}
	all.Set(stepHeader, fmt.Sprintf("%s-%s-%016x", name, mode, b.steps))
	return b.do(method, path, form, all)
}

// login logs in with a mode, and returns the access token, if any.
func (b *guest) login(mode string) (access string) {
	b.t.Helper()
	status, body := b.step("login", mode, "POST", "/"+mode+"/login", alice, nil)
	if status != http.StatusOK {
		b.t.Fatalf("login by %s: status %d", mode, status)
	}
	var tokens struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal([]byte(body), &tokens); mode == tokenMode && tokens.Access == "" {
		b.t.Fatalf("no access token in %q", body)
	}
	return tokens.Access
}

// refresh does what the client of the page does.
func (b *guest) refresh() (status int) {
	b.t.Helper()
	status, _ = b.step("renew", tokenMode, "POST", "/token/refresh", url.Values{}, http.Header{"Refresh-Attempt": {strings.Repeat("a", 32)}})
	return status
}

func (b *guest) state() (s state) {
	b.t.Helper()
	status, body := b.do("GET", "/state", nil, nil)
	if err := json.Unmarshal([]byte(body), &s); err != nil || status != http.StatusOK {
		b.t.Fatalf("state: status %d, %v", status, err)
	}
	return s
}

// summary summarizes the record of the latest step.
func (b *guest) summary() string {
	b.t.Helper()
	steps := b.state().Steps
	if len(steps) == 0 {
		return ""
	}
	var words []string
	for _, x := range steps[len(steps)-1].Exchanges {
		if x.Copied != nil {
			words = append(words, strings.TrimSpace(x.From+" copies "+x.What))
			continue
		}
		if x.From == "store" {
			words = append(words, "store "+x.What)
			continue
		}
		if x.At != "login" {
			x.Path = x.At + ":" + x.Path
		}
		word := fmt.Sprintf("%s %s %s %d", x.From, x.Method, x.Path, x.Status)
		for _, e := range x.Events {
			word += " " + e.Kind
		}
		words = append(words, word)
	}
	return strings.Join(words, "; ")
}

func (b *guest) reports(want string) {
	b.t.Helper()
	if got := b.summary(); got != want {
		b.t.Errorf("the record is %q, want %q", got, want)
	}
}
