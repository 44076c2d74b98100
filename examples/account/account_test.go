package main

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/authlatch/auth/store"
)

// opened is the site over TLS, and the links that it has sent by email.
type opened struct {
	*httptest.Server
	site  *site
	links []string
}

func open(t *testing.T) *opened { return openOver(t, &store.Memory{}) }

func openOver(t *testing.T, db store.Store) *opened {
	o := &opened{}
	var err error
	if o.site, err = newSite(db, func(to, link string) { o.links = append(o.links, link) }); err != nil {
		t.Fatal(err)
	}
	o.Server = httptest.NewTLSServer(o.site.routes())
	t.Cleanup(o.Close)
	return o
}

// browser keeps cookies and follows redirects.
type browser struct {
	t   *testing.T
	c   *http.Client
	url string
}

func (o *opened) browser(t *testing.T) *browser {
	c := *o.Client()
	c.Jar, _ = cookiejar.New(nil)
	return &browser{t, &c, o.URL}
}

func (b *browser) get(path string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequest("GET", b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

func (b *browser) do(r *http.Request) (status int, body string) {
	b.t.Helper()
	res, err := b.c.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, html.UnescapeString(string(text))
}

var token = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// send fills in the form on a page and sends it.
func (b *browser) send(page, action string, fields ...string) (status int, body string) {
	b.t.Helper()
	return b.post(action, b.form(page), fields...)
}

// form returns the token of the forms on a page, or "" if they have none.
func (b *browser) form(page string) string {
	b.t.Helper()
	_, body := b.get(page)
	if !strings.Contains(body, "<form method=\"post\"") {
		b.t.Fatalf("%s has no form: %s", page, body)
	}
	if match := token.FindStringSubmatch(body); match != nil {
		return match[1]
	}
	return ""
}

func (b *browser) post(action, token string, fields ...string) (status int, body string) {
	b.t.Helper()
	return b.do(b.request(action, token, fields...))
}

func (b *browser) request(action, token string, fields ...string) *http.Request {
	b.t.Helper()
	form := url.Values{"csrf_token": {token}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest("POST", b.url+action, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// wants is the assertion of these tests.
func (b *browser) wants(status int, text string) func(int, string) {
	return func(got int, body string) {
		b.t.Helper()
		if got != status || !strings.Contains(body, text) {
			b.t.Fatalf("status %d, want %d and %q: %s", got, status, text, body)
		}
	}
}

const (
	first  = "four words will do"
	second = "another four words"
)

func (o *opened) registered(t *testing.T) *browser {
	t.Helper()
	b := o.browser(t)
	b.wants(200, "Hello, <span id=\"subject\">alice")(b.send("/register", "/register", "name", " Alice", "password", first))
	return b
}

func TestAPasswordIsChosenWithinThePolicy(t *testing.T) {
	b := open(t).browser(t)
	b.wants(422, "15 characters")(b.send("/register", "/register", "name", "alice", "password", "short"))
	b.wants(422, "easy to guess")(b.send("/register", "/register", "name", "alice", "password", "alice alice alice alice"))
	b.wants(422, "a name")(b.send("/register", "/register", "name", " ", "password", first))
	b.wants(200, "Hello")(b.send("/register", "/register", "name", "alice", "password", first))
}

func TestANameIsTakenOnce(t *testing.T) {
	o := open(t)
	o.registered(t)
	b := o.browser(t)
	b.wants(409, "taken")(b.send("/register", "/register", "name", "ALICE", "password", second))
	b.wants(401, "wrong")(b.send("/login", "/login", "name", "alice", "password", second))
}

func TestAnAttackerIsThrottledAndTheOwnerIsNot(t *testing.T) {
	o := open(t)
	owner, attacker := o.registered(t), o.browser(t)
	owner.wants(200, "logged out")(owner.send("/", "/logout"))
	owner.wants(200, "Hello")(owner.send("/login", "/login", "name", "alice", "password", first)) // the account knows this browser now
	owner.wants(200, "logged out")(owner.send("/", "/logout"))
	for range 5 {
		attacker.wants(401, "wrong")(attacker.send("/login", "/login", "name", "Alice", "password", "a guess"))
	}
	attacker.wants(429, "too many")(attacker.send("/login", "/login", "name", "alice", "password", first))
	owner.wants(200, "Hello")(owner.send("/login", "/login", "name", "alice", "password", first))
}

func TestAChangedPasswordEndsAllOtherLogins(t *testing.T) {
	o := open(t)
	here, there := o.registered(t), o.browser(t)
	there.wants(200, "Hello")(there.send("/login", "/login", "name", "alice", "password", first))
	here.wants(401, "wrong")(here.send("/", "/password", "current", "a guess", "password", second))
	here.wants(422, "15 characters")(here.send("/", "/password", "current", first, "password", "short"))
	there.wants(200, "Hello")(there.get("/"))
	here.wants(200, "logged out everywhere else")(here.send("/", "/password", "current", first, "password", second))
	if _, body := here.get("/"); strings.Contains(body, "everywhere else") {
		t.Error("the message is shown twice")
	}
	there.wants(200, "<h1>Log in")(there.get("/"))
	there.wants(401, "wrong")(there.send("/login", "/login", "name", "alice", "password", first))
	there.wants(200, "Hello")(there.send("/login", "/login", "name", "alice", "password", second))
}

func TestALinkSetsAPasswordOnce(t *testing.T) {
	o := open(t)
	owner, b := o.registered(t), o.browser(t)
	for range 6 { // locked for unrecognized devices for a while
		b.send("/login", "/login", "name", "alice", "password", "a guess")
	}
	b.wants(200, "on its way")(b.send("/forgotten", "/forgotten", "name", "unknown"))
	if len(o.links) > 0 {
		t.Fatal("an unknown user got a mail")
	}
	b.wants(200, "on its way")(b.send("/forgotten", "/forgotten", "name", "Alice"))
	given := tokenOf(t, o.links[0])
	b.wants(200, "Choose a password")(b.get(o.links[0]))
	b.wants(422, "15 characters")(b.send(o.links[0], "/reset", "name", "alice", "token", given, "password", "short"))
	b.wants(403, "not good")(b.send(o.links[0], "/reset", "name", "bob", "token", given, "password", second))
	b.wants(200, "is set")(b.send(o.links[0], "/reset", "name", "alice", "token", given, "password", second))
	b.wants(403, "If you have just set")(b.send(o.links[0], "/reset", "name", "alice", "token", given, "password", first))
	owner.wants(200, "<h1>Log in")(owner.get("/"))
	b.wants(200, "Hello")(b.send("/login", "/login", "name", "alice", "password", second))
}

func tokenOf(t *testing.T, link string) string {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func TestMailsAreBounded(t *testing.T) {
	o := open(t)
	b := o.registered(t)
	for range 5 {
		b.wants(200, "on its way")(b.send("/forgotten", "/forgotten", "name", "alice"))
	}
	b.wants(429, "too many")(b.send("/forgotten", "/forgotten", "name", "alice"))
	if len(o.links) != 5 {
		t.Errorf("%d mails", len(o.links))
	}
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	o := open(t)
	b := o.registered(t)
	for _, action := range []string{"/logout", "/password"} {
		b.wants(403, "out of date")(b.send("/", action, "csrf_token", "", "current", first, "password", second))
	}
	b.wants(200, "Hello")(b.get("/"))
}

// With and without a session and its CSRF token.
func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	o := open(t)
	in, out := o.registered(t), o.browser(t)
	in.send("/forgotten", "/forgotten", "name", "alice")
	for _, action := range []string{"/login", "/register", "/forgotten", "/reset", "/logout", "/password"} {
		for _, b := range []*browser{in, out} {
			token := b.form("/")
			for field, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "X-None": "of them"} {
				if field == "X-None" && action != "/login" && action != "/reset" {
					continue
				}
				r := b.request(action, token, "name", "alice", "current", first, "password", first, "token", tokenOf(t, o.links[0]))
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set(field, value)
				if status, body := b.do(r); status != 403 && !(status == 401 && b == out && (action == "/logout" || action == "/password")) {
					t.Errorf("%s, %s: status %d: %s", action, field, status, body)
				}
			}
		}
	}
	if len(o.links) != 1 || !in.isIn() || out.isIn() {
		t.Error("another site did something")
	}
}

func TestALoginLeadsBackAndNowhereElse(t *testing.T) {
	o := open(t)
	o.registered(t)
	for next, want := range map[string]string{"/register": "Make an account", "//evil.example": "Hello", "https://evil.example/": "Hello"} {
		b := o.browser(t)
		b.wants(200, want)(b.send("/login", "/login", "name", "alice", "password", first, "next", next))
	}
}
