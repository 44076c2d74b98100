package main

import (
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// mails are those that a site has sent.
type mails struct{ to, subjects, pages []string }

// siteOver returns a site with accounts in a new SQLite file and logins in a store.
func siteOver(t *testing.T, logins store.Store, limits auth.Limits) (*site, *mails) {
	t.Helper()
	db, err := openDatabase(t.Context(), options{sqlite: filepath.Join(t.TempDir(), "a b?%20.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.close(); err != nil {
			t.Error(err)
		}
	})
	if logins == nil {
		logins = db.store
	}
	sent := &mails{}
	s, err := newSite(config{
		Accounts: accounts{db.SQL}, Messages: messages{db.SQL}, Store: logins, Key: []byte("an even number of 32 bytes in it"), Limits: limits,
		Mail: func(to, subject, text, page string) {
			sent.to, sent.subjects, sent.pages = append(sent.to, to), append(sent.subjects, subject+": "+text), append(sent.pages, page)
		},
		Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, sent
}

// running is a site over TLS.
type running struct {
	*httptest.Server
	site *site
	*mails
}

func open(t *testing.T) *running { return openOver(t, nil) }

func openOver(t *testing.T, logins store.Store) *running {
	t.Helper()
	o := &running{}
	o.site, o.mails = siteOver(t, logins, auth.Limits{})
	o.Server = httptest.NewTLSServer(http.MaxBytesHandler(o.site.routes(), 64<<10))
	t.Cleanup(o.Close)
	return o
}

// tab is a browser that keeps cookies and follows redirects.
type tab struct {
	t    *testing.T
	c    *http.Client
	url  string
	last *http.Response
}

func (o *running) tab(t *testing.T) *tab {
	c := *o.Client()
	c.Jar, _ = cookiejar.New(nil)
	return &tab{t: t, c: &c, url: o.URL}
}

func (b *tab) get(path string) (status int, body string) {
	b.t.Helper()
	r, err := http.NewRequest("GET", b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return b.do(r)
}

func (b *tab) do(r *http.Request) (status int, body string) {
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
	b.last = res
	return res.StatusCode, html.UnescapeString(string(text))
}

var token = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// send fills in the form on a page and sends it.
func (b *tab) send(page, action string, fields ...string) (status int, body string) {
	b.t.Helper()
	return b.post(action, b.csrf(page), fields...)
}

// csrf returns the token of the forms on a page, or "" if they have none.
func (b *tab) csrf(page string) string {
	b.t.Helper()
	_, body := b.get(page)
	if match := token.FindStringSubmatch(body); match != nil {
		return match[1]
	}
	return ""
}

func (b *tab) post(action, csrf string, fields ...string) (status int, body string) {
	b.t.Helper()
	return b.do(b.request(action, csrf, fields...))
}

func (b *tab) request(action, csrf string, fields ...string) *http.Request {
	b.t.Helper()
	form := url.Values{"csrf_token": {csrf}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	r, err := http.NewRequest("POST", b.url+action, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return r
}

// wants is the assertion of these tests.
func (b *tab) wants(status int, text string) func(int, string) {
	b.t.Helper()
	return func(got int, body string) {
		b.t.Helper()
		if got != status || !strings.Contains(body, text) {
			b.t.Fatalf("status %d, want %d and %q: %s", got, status, text, body)
		}
	}
}

func (b *tab) isIn() bool {
	b.t.Helper()
	_, body := b.get("/account")
	return strings.Contains(body, "You are logged in as")
}

const (
	alice  = "alice@example.com"
	first  = "four words will do"
	second = "another four words"
)

// account creates an account of alice with the first password.
func (o *running) account(t *testing.T) account { return o.accountOf(t, alice) }

func (o *running) accountOf(t *testing.T, mail string) account {
	t.Helper()
	hash, err := o.site.passwords.Hash(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if made, err := o.site.accounts.create(t.Context(), mail, hash, ""); err != nil || !made {
		t.Fatal(made, err)
	}
	return o.row(t, mail)
}

func (o *running) row(t *testing.T, mail string) account {
	t.Helper()
	a, err := o.site.accounts.byMail(t.Context(), mail)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// user is a tab in which alice, who has an account, has logged in.
func (o *running) user(t *testing.T) *tab {
	t.Helper()
	o.account(t)
	b := o.tab(t)
	b.login(first)
	return b
}

func (b *tab) login(password string) {
	b.t.Helper()
	b.wants(200, "You are logged in as")(b.post("/login", "", "mail", alice, "password", password, "next", "/account"))
}

// tokenOf returns the token of the latest link.
func (o *running) tokenOf(t *testing.T, page string) string {
	t.Helper()
	u, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

func TestSigningUpTakesALinkInAMail(t *testing.T) {
	o := open(t)
	b := o.tab(t)
	for _, wrong := range []string{"", " ", "alice", "alice@", "a b@example.com", "alice@example.com, bob@example.com", "Alice <alice@example.com>"} {
		b.wants(422, "Enter an email address")(b.post("/signup", "", "mail", wrong))
	}
	b.wants(200, "a link is on its way")(b.post("/signup", "", "mail", " Alice@Example.com"))
	if len(o.to) != 1 || o.to[0] != alice {
		t.Fatalf("mails to %q", o.to)
	}
	given := o.tokenOf(t, o.pages[0])
	b.wants(200, "Choose a password")(b.get(o.pages[0]))
	if got := b.last.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("Referrer-Policy %q", got)
	}
	b.wants(422, "15 characters")(b.post("/set", "", "mail", alice, "token", given, "password", "short"))
	b.wants(422, "easy to guess")(b.post("/set", "", "mail", alice, "token", given, "password", "alice example "+strings.ReplaceAll(siteName, " ", "")))
	b.wants(403, "not valid")(b.post("/set", "", "mail", "bob@example.com", "token", given, "password", first))
	b.wants(200, "is set")(b.post("/set", "", "mail", alice, "token", given, "password", first))
	b.wants(403, "not valid")(b.post("/set", "", "mail", alice, "token", given, "password", second))
	b.login(first)
}

// Neither the response nor the calls of the store reveal whether there is an account.
func TestNothingRevealsWhetherThereIsAnAccount(t *testing.T) {
	db := &counting{}
	o := openOver(t, db)
	o.account(t)
	seen := make(map[string]string)
	for _, mail := range []string{alice, "bob@example.com"} {
		for _, page := range []string{"/signup", "/forgotten", "/login"} {
			b := o.tab(t)
			before := db.calls.Load()
			status, body := b.post(page, "", "mail", mail, "password", "a guess")
			got := fmt.Sprint(status, db.calls.Load()-before, b.last.Request.URL, strings.ReplaceAll(body, mail, "…"))
			if mail != alice && got != seen[page] {
				t.Errorf("%s: %s\nand for an account: %s", page, got, seen[page])
			}
			seen[page] = got
		}
	}
	if want := []string{alice, alice, "bob@example.com"}; fmt.Sprint(o.to) != fmt.Sprint(want) || !strings.Contains(o.subjects[0], "an account already") {
		t.Errorf("mails to %q: %q", o.to, o.subjects)
	}
}

func TestAMailAddressIsNoLineOfAMail(t *testing.T) {
	for mail, want := range map[string]bool{
		"a@b.example": true, "a+b@b.example": true, "o'hara@b.example": true, strings.Repeat("a", 60) + "@b.example": true,
		"": false, "a": false, "a@": false, "@b.example": false, "a@b.example\r\nbcc: b@evil.example": false, "a\n@b.example": false,
		"a\x00@b.example": false, "a\x7f@b.example": false, "zoë@b.example": false, "a@b.example\u2028": false, "\u212a@b.example": false,
		"<a@b.example>": false, "a <a@b.example>": false, strings.Repeat("a", 250) + "@b.example": false,
	} {
		if isMail(mail) != want {
			t.Errorf("%q: %t", mail, !want)
		}
	}
	if got := mailOf(" Alice@Example.COM "); got != alice {
		t.Errorf("%q", got)
	}
}
