package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

func TestACartIsKeptThroughLogin(t *testing.T) {
	o := open(t)
	o.account(t)
	b := o.tab(t)
	one, other := goods[0], goods[len(goods)-1]
	b.wants(200, one+" is in your cart")(b.post("/cart", "", "item", one))
	b.wants(200, "<h1>Log in")(b.get("/account")) // a session of a visitor is not authenticated
	b.login(first)
	b.wants(200, other+" is in your cart")(b.send("/", "/cart", "item", other))
	b.wants(200, "<li>"+one+"</li>\n<li>"+other+"</li>")(b.get("/"))
	b.wants(200, "Your cart is empty")(b.send("/", "/cart/empty"))
	b.wants(422, "does not sell that")(b.send("/", "/cart", "item", "none of "+one))
	for range maxItems {
		b.send("/", "/cart", "item", other)
	}
	b.wants(409, "The cart is full")(b.send("/", "/cart", "item", other))
}

func TestRememberMeOutlivesTheBrowser(t *testing.T) {
	o := open(t)
	o.account(t)
	for _, remember := range []string{"", "yes"} {
		b := o.tab(t)
		b.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		b.post("/login", "", "mail", alice, "password", first, "remember", remember)
		lasts := -1 * time.Second
		for _, c := range b.last.Cookies() {
			if strings.Contains(c.Name, "session") {
				lasts = time.Duration(c.MaxAge) * time.Second
			}
		}
		if lasts < 0 || (remember != "") != (lasts > 29*24*time.Hour) || remember == "" && lasts != 0 {
			t.Errorf("remember %q: the cookie lasts for %v", remember, lasts)
		}
	}
}

func TestALoginLeadsBackAndNowhereElse(t *testing.T) {
	o := open(t)
	o.account(t)
	b := o.tab(t)
	if _, body := b.get("/contact"); !strings.Contains(body, `name="next" type="hidden" value="/contact"`) {
		t.Error("the login form does not know what was asked for")
	}
	for next, want := range map[string]string{"/account": "You are logged in as", "//evil.example": goodsTitle, "https://evil.example/": goodsTitle} {
		b.wants(200, want)(b.post("/login", "", "mail", alice, "password", first, "next", next))
	}
}

// Over plain HTTP, browsers drop the Secure cookie.
func TestABrowserThatDropsTheCookieIsTold(t *testing.T) {
	o := open(t)
	o.account(t)
	b := o.tab(t)
	b.c.Jar = nil
	b.wants(200, "your browser has not kept the cookie")(b.post("/login", "", "mail", alice, "password", first))
}

func TestEachDeviceIsListedAndLoggedOut(t *testing.T) {
	o := open(t)
	here, there := o.user(t), o.tab(t)
	there.login(first)
	id := func(b *tab) string {
		_, body := b.get("/account")
		for _, item := range strings.Split(body, "<li>") {
			if strings.Contains(item, "this one") {
				_, after, _ := strings.Cut(item, `name="id" type="hidden" value="`)
				id, _, _ := strings.Cut(after, `"`)
				return id
			}
		}
		t.Fatal("this one is not in the list")
		return ""
	}
	if _, body := here.get("/account"); strings.Count(body, "/logout-one") != 2 || !strings.Contains(body, "From 127.0.0.1, since") {
		t.Error("not two devices")
	}
	other := o.tab(t)
	o.accountOf(t, "bob@example.com")
	other.post("/login", "", "mail", "bob@example.com", "password", first)
	other.wants(200, "is logged out")(other.send("/account", "/logout-one", "id", id(here)))
	if !here.isIn() {
		t.Error("another user has ended a login")
	}
	here.wants(200, "That device is logged out")(here.send("/account", "/logout-one", "id", id(there)))
	if there.isIn() || !here.isIn() {
		t.Error("the wrong device is logged out")
	}
	there.login(first)
	here.wants(200, "You are logged out everywhere")(here.send("/account", "/logout-everywhere"))
	if there.isIn() || here.isIn() {
		t.Error("a device is logged in still")
	}
}

func TestBrowsersAreNamed(t *testing.T) {
	for want, agent := range map[string]string{
		"Edge on Windows":  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
		"Firefox on Linux": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
		"curl":             "curl/8.5.0",
		"another program":  "",
	} {
		if got := browser(agent); got != want {
			t.Errorf("%q is called %q, want %q", agent, got, want)
		}
	}
}

// A role that is given or withdrawn counts at the next request.
func TestOnlyTheStaffSeesItsPage(t *testing.T) {
	o := open(t)
	b := o.user(t)
	b.wants(200, "Your message is sent")(b.send("/contact", "/contact", "text", "Good <b>tea</b>"))
	b.wants(403, "This page is not for you")(b.get("/staff"))
	db := o.site.accounts.db
	if _, err := db.ExecContext(t.Context(), `UPDATE accounts SET roles = 'audit' WHERE mail = $1`, alice); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := o.site.accounts.grant(t.Context(), alice, staffRole); err != nil {
			t.Fatal(err)
		}
		if got := o.row(t, alice).Roles; got != "audit "+staffRole {
			t.Errorf("roles %q", got)
		}
	}
	b.wants(200, "Good <b>tea</b>")(b.get("/staff"))
	if _, err := db.ExecContext(t.Context(), `UPDATE accounts SET roles = '' WHERE mail = $1`, alice); err != nil {
		t.Fatal(err)
	}
	b.wants(403, "This page is not for you")(b.get("/staff"))
	o.tab(t).wants(200, "<h1>Log in")(o.tab(t).get("/staff"))
}

// Only its owner can make the account of an address.
func TestTheConfiguredAddressIsOfTheStaffOnceItHasAnAccount(t *testing.T) {
	o := open(t)
	o.site.staff = "boss@example.com"
	for _, mail := range []string{"boss@example.com", alice} {
		b := o.tab(t)
		b.post("/signup", "", "mail", mail)
		b.post("/set", "", "mail", mail, "token", o.tokenOf(t, o.pages[len(o.pages)-1]), "password", first)
		status, _ := b.post("/login", "", "mail", mail, "password", first, "next", "/staff")
		if (status == 200) != (mail == o.site.staff) {
			t.Errorf("%s: status %d", mail, status)
		}
	}
}

func TestAMessageSurvivesAnEndedSession(t *testing.T) {
	o := open(t)
	b := o.user(t)
	a := o.row(t, alice)
	csrf := b.csrf("/contact")
	if err := o.site.sessions.LogoutAll(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	const text = "Dear <i>shop</i>,\r\nmy tea is cold."
	b.wants(200, "Your text is kept")(b.post("/contact", csrf, "author", a.ID, "text", text))
	if got := b.last.Request.URL.RequestURI(); got != "/login?next=/contact" {
		t.Errorf("%s", got)
	}
	b.wants(401, "is wrong")(b.post("/login", "", "mail", alice, "password", "a guess", "next", "/contact"))
	b.wants(200, text+"</textarea>")(b.post("/login", "", "mail", alice, "password", first, "next", "/contact"))
	if list, err := o.site.messages.latest(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("it was sent by itself: %v, %v", list, err)
	}
	b.wants(200, "Your message is sent")(b.send("/contact", "/contact", "author", a.ID, "text", text))
	if _, body := b.get("/contact"); strings.Contains(body, "my tea") {
		t.Error("the text is kept after it was sent")
	}
	if list, err := o.site.messages.latest(t.Context()); err != nil || len(list) != 1 || list[0].Text != text || list[0].From != alice {
		t.Errorf("%v, %v", list, err)
	}
}

func TestAMessageIsNotShownToTheNextUserOfTheBrowser(t *testing.T) {
	o := open(t)
	b := o.user(t)
	a := o.row(t, alice)
	o.accountOf(t, "bob@example.com")
	csrf := b.csrf("/contact")
	if err := o.site.sessions.LogoutAll(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	b.post("/contact", csrf, "author", a.ID, "text", "a secret of alice")
	_, body := b.post("/login", "", "mail", "bob@example.com", "password", first, "next", "/contact")
	if !strings.Contains(body, "Your message") || strings.Contains(body, "secret") {
		t.Errorf("bob sees %s", body)
	}
}

// The text of a page that was loaded before another login is on the page of the refusal.
func TestAMessageOfAnotherSessionIsShownAgain(t *testing.T) {
	o := open(t)
	b := o.user(t)
	old := b.csrf("/contact")
	b.login(first)
	b.wants(403, "my text</textarea>")(b.post("/contact", old, "text", "my text"))
	if list, err := o.site.messages.latest(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("it was sent: %v, %v", list, err)
	}
	b.wants(200, "is sent")(b.post("/contact", b.csrf("/contact"), "text", "my text"))
}

func TestWhatIsKeptOfAMessageIsBounded(t *testing.T) {
	o := open(t)
	id := o.account(t).ID
	b := o.tab(t)
	b.wants(422, "at most 2000 characters")(b.post("/contact", "", "author", id, "text", strings.Repeat("x", maxText+1)))
	b.wants(422, "at most 2000 characters")(b.post("/contact", "", "author", id, "text", "\xff"))
	b.wants(422, "at most 2000 characters")(b.post("/contact", "", "author", id, "text", " "))
	if len(b.c.Jar.Cookies(b.last.Request.URL)) > 0 {
		t.Error("a session for nothing")
	}
	r := b.request("/contact", "", "author", id, "text", "of another site")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	if status, _ := b.do(r); status != 403 || len(b.c.Jar.Cookies(b.last.Request.URL)) > 0 {
		t.Errorf("another site: status %d", status)
	}
	b.wants(200, "Your text is kept")(b.post("/contact", "", "author", id, "text", strings.Repeat("€", maxText/3)))
}

// A stranger, who has never seen the form, cannot fill the store.
func TestNoMessageOfAStrangerIsKept(t *testing.T) {
	o := open(t)
	o.account(t)
	for _, author := range []string{"", "\x00", "\xff", alice, strings.Repeat("x", 20000)} {
		b := o.tab(t)
		b.wants(200, "Your session has ended. Log in again.")(b.post("/contact", "", "author", author, "text", "a text"))
		if got := b.c.Jar.Cookies(b.last.Request.URL); len(got) > 0 {
			t.Errorf("author %.10q: a session: %v", author, got)
		}
	}
}

// An idle timeout is an end like any other.
func TestAMessageSurvivesTheIdleTimeout(t *testing.T) {
	s, _ := siteOver(t, &store.Memory{}, auth.Limits{IdleTimeout: time.Minute})
	routes := s.routes()
	jar := make(map[string]*http.Cookie)
	send := func(method, path string, fields url.Values) (status int, body string) {
		r := httptest.NewRequest(method, "https://shop.example"+path, strings.NewReader(fields.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		r.Header.Set("Sec-Fetch-Mode", "navigate")
		for _, c := range jar {
			r.AddCookie(c)
		}
		w := httptest.NewRecorder()
		routes.ServeHTTP(w, r)
		for _, c := range w.Result().Cookies() {
			if jar[c.Name] = c; c.MaxAge < 0 {
				delete(jar, c.Name)
			}
		}
		return w.Code, w.Body.String()
	}
	hash, err := s.passwords.Hash(t.Context(), first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.accounts.create(t.Context(), alice, hash, ""); err != nil {
		t.Fatal(err)
	}
	a, err := s.accounts.byMail(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		login := url.Values{"mail": {alice}, "password": {first}, "next": {"/contact"}}
		if status, body := send("POST", "/login", login); status != 303 {
			t.Fatal(status, body)
		}
		time.Sleep(2 * time.Minute)
		if status, body := send("POST", "/contact", url.Values{"author": {a.ID}, "text": {"my tea is cold"}}); status != 303 {
			t.Fatal(status, body)
		}
		if status, body := send("POST", "/login", login); status != 303 {
			t.Fatal(status, body)
		}
		if status, body := send("GET", "/contact", nil); status != 200 || !strings.Contains(body, "my tea is cold") {
			t.Error(status, body)
		}
	})
}

func TestEachErrorIsAPageOfTheSite(t *testing.T) {
	f := &faulty{replaced: func() bool { return true }}
	o := openOver(t, f)
	b := o.user(t)
	page := func(status int, text string) func(int, string) {
		return func(got int, body string) {
			t.Helper()
			b.wants(status, text)(got, body)
			for _, part := range []string{"/static/style.css", `<main id="main"`, `role="alert"`, "</html>"} {
				if !strings.Contains(body, part) {
					t.Errorf("%d: no %s", status, part)
				}
			}
			if b.last.Header.Get("Cache-Control") != "no-store" || b.last.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%d: headers %v", status, b.last.Header)
			}
		}
	}
	page(404, "no such page")(b.get("/nothing"))
	page(404, "no such page")(b.get("/account/nothing"))
	page(403, "not for you")(b.get("/staff"))
	r := b.request("/contact", b.csrf("/contact"))
	r.URL.RawQuery = "a=%zz"
	page(400, "cannot be read")(b.do(r))
	page(413, "too much at once")(b.post("/login", "", "password", strings.Repeat("x", 80<<10)))
	page(401, "is wrong")(b.post("/login", "", "mail", alice, "password", "a guess"))
	stranger := o.tab(t)
	for range 5 {
		stranger.post("/login", "", "mail", alice, "password", "a guess")
	}
	got, body := stranger.post("/login", "", "mail", alice, "password", "a guess")
	b.last = stranger.last
	page(429, "too many attempts")(got, body)

	f.at, f.fault = 1, "down"
	f.calls.Store(0)
	for _, path := range []string{"/", "/account", "/contact", "/staff"} {
		page(503, "Try again in a moment")(b.get(path))
		if b.last.Header.Get("Retry-After") == "" {
			t.Errorf("%s: no Retry-After", path)
		}
	}
	page(503, "Try again in a moment")(b.post("/login", "", "mail", alice, "password", first))
	page(503, "Try again in a moment")(b.post("/signup", "", "mail", alice))
	f.fault = ""
	if !b.isIn() {
		t.Error("an outage has ended the login")
	}
}

// Cookies that were sent twice or are broken keep a user neither out nor from the pages.
func TestABrowserWithBrokenCookiesCanLogIn(t *testing.T) {
	o := open(t)
	o.account(t)
	b := o.tab(t)
	b.c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	broken := func(r *http.Request) *http.Request {
		r.Header.Set("Accept", "text/html")
		r.Header.Set("Cookie", "__Host-Http-session=a; __Host-Http-session=b; __Host-Http-notice=a; __Host-Http-notice=b; __Host-Http-device=a")
		return r
	}
	for path, want := range map[string]int{"/": 303, "/account": 303, "/login": 200, "/signup": 200, "/forgotten": 200, "/nothing": 404} {
		r, err := http.NewRequest("GET", o.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := b.do(broken(r)); status != want || want == 303 && !strings.HasPrefix(b.last.Header.Get("Location"), "/login") {
			t.Errorf("%s: status %d: %s", path, status, body)
		}
	}
	b.c.CheckRedirect = nil
	if status, _ := b.do(broken(b.request("/login", "", "mail", alice, "password", first))); status != 200 || !b.isIn() {
		t.Errorf("status %d", status)
	}
}

// A program gets no page to log in, but a status.
func TestAProgramWithoutALoginGetsAStatus(t *testing.T) {
	o := open(t)
	r, err := http.NewRequest("GET", o.URL+"/account", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := o.tab(t)
	if status, body := b.do(r); status != 401 || !strings.Contains(body, `"status":401`) {
		t.Error(status, body)
	}
}

func TestAFormWithoutItsTokenIsRefused(t *testing.T) {
	o := open(t)
	b := o.user(t)
	for _, action := range []string{"/logout", "/password", "/logout-everywhere", "/logout-one", "/contact", "/cart", "/cart/empty"} {
		b.wants(403, "out of date")(b.post(action, "", "current", first, "password", second, "text", "text", "item", goods[0]))
	}
	if !b.isIn() {
		t.Error("a form without its token did something")
	}
}

// With and without a session and its CSRF token.
func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	o := open(t)
	in, out := o.user(t), o.tab(t)
	in.post("/forgotten", "", "mail", alice)
	link := o.tokenOf(t, o.pages[0])
	guarded := []string{"/logout", "/password", "/logout-everywhere", "/logout-one", "/contact"}
	for _, action := range append([]string{"/login", "/signup", "/forgotten", "/set", "/cart", "/cart/empty"}, guarded...) {
		for _, b := range []*tab{in, out} {
			csrf := b.csrf("/")
			for field, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example", "X-None": "of them"} {
				r := b.request(action, csrf, "mail", alice, "current", first, "password", first, "token", link, "text", "text", "item", goods[0])
				r.Header.Del("Sec-Fetch-Site")
				r.Header.Set(field, value)
				if status, body := b.do(r); status != 403 && !(b == out && slices.Contains(guarded, action) && strings.Contains(body, "<h1>Log in")) {
					t.Errorf("%s, %s: status %d: %s", action, field, status, body)
				}
			}
		}
	}
	if len(o.to) != 1 || !in.isIn() || out.isIn() || len(out.c.Jar.Cookies(in.last.Request.URL)) > 1 {
		t.Errorf("another site did something: %v", fmt.Sprint(out.c.Jar))
	}
}
