package conformance

import (
	"strings"
	"testing"
)

var accountProgram = example("account")

// A whole site in a browser: its policy lets its own forms and style through, its
// forms prove themselves, and messages are shown once.
func TestAccountInABrowser(t *testing.T) {
	address, _ := startProgram(t, "examples/account", accountProgram, "-addr", "127.0.0.1:0")
	page := strings.Replace(address, "127.0.0.1", "localhost", 1)
	b := newTab(t)
	if status := b.visit(page + "/register"); status != 200 {
		t.Fatalf("status %d", status)
	}
	b.fill("#name", "Alice")
	b.fill("#new", "short")
	if status := b.click("button"); status != 422 {
		t.Errorf("a short password: status %d", status)
	}
	b.shows("at least 15 characters")
	b.fill("#new", "four words will do")
	b.click("button")
	b.shows("Hello, alice")
	if font := eval[string](b, "getComputedStyle(document.body).fontFamily"); !strings.Contains(font, "system-ui") {
		t.Errorf("no style: %s", font)
	}

	b.fill("#current", "a guess")
	b.fill("#new", "another four words")
	if status := b.click("button"); status != 401 {
		t.Errorf("a wrong password: status %d", status)
	}
	b.fill("#current", "four words will do")
	b.fill("#new", "another four words")
	b.click("button")
	b.shows("Your password is changed")
	b.visit(page + "/")
	if strings.Contains(b.text(), "changed") {
		t.Error("the message is shown twice")
	}

	b.click("button.quiet")
	b.shows("You are logged out")
	b.visit(page + "/")
	b.fill("#name", "alice")
	b.fill("#password", "another four words")
	b.click("button")
	b.shows("Hello, alice")
}
