package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// websiteProgram builds examples/integrations/site once and returns the file.
var websiteProgram = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "website")
	build := exec.Command("go", "-C", "../../../examples/integrations", "build", "-buildvcs=false", "-o", file, "./site")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})

// mailbox has the mails that processes of the site print to their logs.
type mailbox struct {
	mu  sync.Mutex
	log strings.Builder
}

func (m *mailbox) Write(text []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.log.Write(text)
}

// link returns the link of the count-th mail.
func (m *mailbox) link(t *testing.T, count int) string {
	t.Helper()
	for start := time.Now(); time.Since(start) < hang; time.Sleep(10 * time.Millisecond) {
		m.mu.Lock()
		links := regexp.MustCompile(`http://\S+token=\S+`).FindAllString(m.log.String(), -1)
		m.mu.Unlock()
		if len(links) >= count {
			return links[count-1]
		}
	}
	t.Fatalf("there is no mail %d", count)
	return ""
}

// openWebsite runs examples/integrations/site as its users do, and returns its address.
func openWebsite(t *testing.T, mails *mailbox, flags ...string) string {
	t.Helper()
	url, _ := startLogged(t, "examples/integrations/site", websiteProgram, mails, append([]string{"-addr", "127.0.0.1:0", "-staff", customer}, flags...)...)
	return url
}

// A whole site in a browser: its policy lets its own forms and style through, and what a
// customer does works on one process and on two that share a database.
func TestAWebsiteInABrowser(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		dir, mails := t.TempDir(), &mailbox{}
		one := openWebsite(t, mails, "-db", filepath.Join(dir, "site.db"), "-key", filepath.Join(dir, "site.key"))
		customerRoad(t, mails, one, one)
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		key, mails := filepath.Join(t.TempDir(), "site.key"), &mailbox{}
		database := servers.Postgres(t, "", "synchronous_commit=off").URL
		t.Run("is made once by many", func(t *testing.T) {
			for range 4 {
				t.Run("", func(t *testing.T) {
					t.Parallel()
					openWebsite(t, &mailbox{}, "-postgres", database, "-key", filepath.Join(t.TempDir(), "site.key"))
				})
			}
		})
		one := openWebsite(t, mails, "-postgres", database, "-key", key)
		customerRoad(t, mails, one, openWebsite(t, mails, "-postgres", database, "-key", key))
	})
}

// watchErrors fails the test if the console of a tab shows an error, such as that of a
// violated Content-Security-Policy. A status such as 401 is not one.
func watchErrors(b tab) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, log.Enable, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
	var mu sync.Mutex
	var errors []string
	err := chromedp.Listen(b.ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			errors = append(errors, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" && e.Entry.Source != "network" {
				errors = append(errors, e.Entry.Text)
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if len(errors) > 0 {
			b.t.Errorf("the console shows %q", errors)
		}
	})
}

const (
	customer       = "alice@example.com"
	firstPassword  = "four words will do"
	secondPassword = "another four words"
)

// answers clicks, and wants a status and a text of the page that this leads to.
func (b tab) answers(selector string, status int64, text string) {
	b.t.Helper()
	if got := b.click(selector); got != status {
		b.t.Errorf("%s: status %d, want %d", selector, got, status)
	}
	b.shows(text)
}

// register follows a link and sets a password.
func (b tab) register(link, password string) {
	b.t.Helper()
	b.visit(link)
	b.fill("#new", "short")
	b.answers("main button", 422, "at least 15 characters")
	b.waitFor(`document.activeElement.id`, "alert")
	b.fill("#new", password)
	b.answers("main button", 200, "Your password is set")
}

// enterWith logs in at the form, and wants a text of the page that this leads to.
func (b tab) enterWith(password, text string) {
	b.t.Helper()
	b.fill("#mail", customer)
	b.fill("#password", password)
	b.answers("main button", 200, text)
}

// customerRoad walks through one and two, the addresses of two processes or of one.
func customerRoad(t *testing.T, mails *mailbox, one, two string) {
	b, other := newTab(t), newTab(t)
	watchErrors(b)
	watchErrors(other)

	b.visit(one)
	if font := eval[string](b, "getComputedStyle(document.body).fontFamily"); !strings.Contains(font, "system-ui") {
		t.Errorf("no style: %s", font)
	}
	b.answers(".goods button", 200, "Assam is in your cart")
	b.visit(two + "/signup")
	b.fill("#mail", "Alice@example.com")
	b.answers("main button", 200, "a link is on its way")
	b.register(mails.link(t, 1), firstPassword)

	b.visit(one + "/login?next=/account")
	b.fill("#mail", customer)
	b.fill("#password", "a guess")
	b.answers("main button", 401, "is wrong")
	b.press(`[name="remember"]`)
	b.enterWith(firstPassword, "You are logged in as "+customer)
	remembered := false
	for _, cookie := range b.cookies(one) {
		remembered = remembered || cookie.Name == cookieName && !cookie.Session
	}
	if !remembered {
		t.Error("the cookie of a remembered login ends with the browser")
	}
	b.visit(two)
	if got := eval[string](b, `document.querySelector("#items").innerText`); got != "Assam" {
		t.Errorf("after the login the cart has %q", got)
	}

	// The session ends while the customer writes.
	b.visit(one + "/contact")
	b.fill("#text", "Dear shop, my tea is cold.")
	other.visit(two + "/login?next=/account")
	other.enterWith(firstPassword, "You are logged in as")
	if got := eval[int](other, `document.querySelectorAll(".devices li").length`); got != 2 {
		t.Errorf("%d devices", got)
	}
	other.answers(`[action="/logout-everywhere"] button`, 200, "You are logged out everywhere")
	b.answers("main button", 200, "Your text is kept")
	b.enterWith(firstPassword, "Write to us")
	if got := eval[string](b, `document.querySelector("#text").value`); got != "Dear shop, my tea is cold." {
		t.Errorf("the form has %q", got)
	}
	b.answers("main button", 200, "Your message is sent")
	if status := b.visit(two + "/staff"); status != 200 {
		t.Errorf("the page of the staff: status %d", status)
	}
	b.shows("Dear shop, my tea is cold.")

	other.visit(one + "/forgotten")
	other.fill("#mail", customer)
	other.answers("main button", 200, "a link is on its way")
	other.register(mails.link(t, 2), secondPassword)
	b.visit(two + "/account")
	b.enterWith(secondPassword, "You are logged in as")
	b.fill("#current", secondPassword)
	b.fill("#new", firstPassword)
	b.answers(`[action="/password"] button`, 200, "Your password is changed")
	b.answers(`nav [action="/logout"] button`, 200, "You are logged out")
	if status := b.visit(one + "/nothing"); status != 404 {
		t.Errorf("a page that does not exist: status %d", status)
	}
	b.shows("There is no such page")
}
