package main

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// open returns a shop that is open until the test ends.
func open(t *testing.T) *httptest.Server {
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	sessions, err := session.New(session.Config{Store: &store.Memory{}, Device: device, Events: logEvents(log)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(newShop(sessions).routes())
	t.Cleanup(server.Close)
	return server
}

// client is a browser as far as cookies and redirects go.
type client struct {
	t *testing.T
	*http.Client
	url string
}

func visit(t *testing.T, shop *httptest.Server) client {
	c := *shop.Client()
	c.Jar, _ = cookiejar.New(nil)
	return client{t, &c, shop.URL}
}

func (c client) get(path string) (status int, body string) {
	c.t.Helper()
	return c.do("GET", path, nil, nil)
}

func (c client) post(path string, form url.Values) (status int, body string) {
	c.t.Helper()
	return c.do("POST", path, form, nil)
}

func (c client) do(method, path string, form url.Values, header map[string]string) (status int, body string) {
	c.t.Helper()
	r, err := http.NewRequest(method, c.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := c.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func (c client) login() {
	c.t.Helper()
	if status, body := c.post("/login", alice); status != http.StatusOK || !strings.Contains(body, "Log out") {
		c.t.Fatalf("login: status %d", status)
	}
}

func (c client) wants(path string, want int) {
	c.t.Helper()
	if status, _ := c.get(path); status != want {
		c.t.Errorf("GET %s: status %d, want %d", path, status, want)
	}
}

var alice = url.Values{"user": {"alice"}, "password": {"correct horse"}}

func TestALoginLastsUntilLogout(t *testing.T) {
	c := visit(t, open(t))
	c.wants("/me", http.StatusUnauthorized)
	c.login()
	if status, body := c.get("/me"); status != http.StatusOK || body != "hello, alice\n" {
		t.Errorf("after login: status %d, %q", status, body)
	}
	c.post("/logout", nil)
	c.wants("/me", http.StatusUnauthorized)
}

// Over plain HTTP, browsers drop the Secure cookie.
func TestABrowserThatDropsTheCookieIsTold(t *testing.T) {
	c := visit(t, open(t))
	c.Jar = nil
	if status, body := c.post("/login", alice); status != http.StatusOK || !strings.Contains(body, "not kept the cookie") {
		t.Errorf("status %d, %s", status, body)
	}
}

func TestAWrongPasswordIsRefused(t *testing.T) {
	c := visit(t, open(t))
	for _, password := range []string{"", "battery staple", "correct horse "} {
		status, body := c.post("/login", url.Values{"user": {"alice"}, "password": {password}})
		if status != http.StatusUnauthorized || !strings.Contains(body, `role="alert"`) {
			t.Errorf("%q: status %d", password, status)
		}
		c.wants("/me", http.StatusUnauthorized)
	}
}

func TestRememberMeOutlivesTheBrowser(t *testing.T) {
	c := visit(t, open(t))
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, remember := range []bool{false, true} {
		form := url.Values{"user": {"alice"}, "password": {"correct horse"}}
		if remember {
			form.Set("remember", "yes")
		}
		res, err := c.PostForm(c.url+"/login", form)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		cookies := res.Cookies()
		if len(cookies) != 1 {
			t.Fatalf("%d cookies", len(cookies))
		}
		lasts := time.Duration(cookies[0].MaxAge) * time.Second
		if remember != (lasts > 29*24*time.Hour) || !remember && lasts != 0 {
			t.Errorf("remember me is %v: the cookie lasts for %v", remember, lasts)
		}
	}
}

func TestLoginGoesToThePageThatWasRequested(t *testing.T) {
	shop := open(t)
	navigation := map[string]string{"Sec-Fetch-Mode": "navigate"}
	c := visit(t, shop)
	if _, body := c.do("GET", "/devices", nil, navigation); !strings.Contains(body, `value="/devices"`) {
		t.Error("the login form does not know what was asked for")
	}
	for next, heading := range map[string]string{
		"/devices":           "<h1>Devices</h1>",
		"//evil.example":     "<h1>Hello",
		`/\evil.example`:     "<h1>Hello",
		"https:evil.example": "<h1>Hello",
	} {
		c := visit(t, shop)
		form := url.Values{"user": {"alice"}, "password": {"correct horse"}, "next": {next}}
		if _, body := c.post("/login", form); !strings.Contains(body, heading) {
			t.Errorf("%s does not lead to %s", next, heading)
		}
	}
}

func TestAnotherSiteChangesNothing(t *testing.T) {
	c := visit(t, open(t))
	c.login()
	for _, site := range []string{"cross-site", "same-site"} {
		for _, path := range []string{"/login", "/logout", "/cart", "/logout-one", "/logout-everywhere"} {
			form := url.Values{"item": {"tea"}, "user": alice["user"], "password": alice["password"]}
			status, _ := c.do("POST", path, form, map[string]string{"Sec-Fetch-Site": site})
			if status != http.StatusForbidden {
				t.Errorf("%s %s: status %d", site, path, status)
			}
		}
	}
	c.wants("/me", http.StatusOK)
	if _, body := c.get("/"); strings.Contains(body, "tea") {
		t.Error("another site has filled the cart")
	}
}

func TestPaymentRequiresALoginOfTheLastMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sessions, err := session.New(session.Config{Store: &store.Memory{}})
		if err != nil {
			t.Fatal(err)
		}
		routes := newShop(sessions).routes()
		login := httptest.NewRequest("POST", "/login", strings.NewReader(alice.Encode()))
		login.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		routes.ServeHTTP(answer, login)

		payment := httptest.NewRequest("GET", "/payment", nil)
		payment.Header.Set("Sec-Fetch-Mode", "navigate")
		for _, cookie := range answer.Result().Cookies() {
			payment.AddCookie(cookie)
		}
		for _, want := range []int{http.StatusOK, http.StatusSeeOther} {
			answer := httptest.NewRecorder()
			routes.ServeHTTP(answer, payment)
			if answer.Code != want {
				t.Errorf("status %d, want %d", answer.Code, want)
			}
			time.Sleep(recently + time.Second)
		}
	})
}

func TestEveryPageStaysOutOfCaches(t *testing.T) {
	c := visit(t, open(t))
	c.login()
	for _, path := range []string{"/", "/me", "/devices", "/payment"} {
		res, err := c.Get(c.url + path)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("%s: Cache-Control: %q", path, got)
		}
	}
}
