package conformance

import (
	"strings"
	"testing"

	"github.com/authlatch/auth"
)

// The cookie becomes that of another account, and a page that is open sends
// nothing as that account.

const whoami = `client.fetch("/whoami").then(async (r) => r.ok ? r.text() : r.status, (e) => e.name).then(String)`

// elsewhere logs in as bob in the same browser, without the client.
func (b tab) elsewhere() {
	b.t.Helper()
	if got := eval[any](b, `fetch("/login?as=bob", {method: "POST"}).then((r) => r.status)`); got != 200.0 {
		b.t.Fatalf("the login of bob ends in %v", got)
	}
}

func TestBrowserClientNeverBecomesAnotherAccount(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually(whoami, "alice")
	b.elsewhere()
	expire()
	for _, tab := range []tab{a, b} {
		if got := eval[string](tab, whoami); got != "401" {
			t.Errorf("a page of alice asks as %q", got)
		}
		tab.eventually(`lost.join()`, "replaced")
	}
	s.load(b, "") // a page that is loaded now asks whose the cookie is
	b.eventually(whoami, "bob")
	if got := eval[string](a, whoami); got != "401" {
		t.Errorf("the page of alice asks as %q", got)
	}
	if s.count(auth.EventReuse) != 0 {
		t.Error("a tab was taken for a thief")
	}
}

// What a reloaded tab has found out reaches the others before they send anything.
func TestBrowserClientAnotherAccountInAReloadedTabEndsTheOthers(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually(whoami, "alice")
	b.elsewhere()
	s.load(b, "")
	b.eventually(whoami, "bob")
	a.eventually(`lost.join()`, "replaced")
	a.eventually("ready()", "false")
}

func TestBrowserClientALogoutAndAnotherAccountInTwoTabs(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually("ready()", "true")
	eval[bool](a, `client.logout().then(() => true)`)
	b.eventually(`lost.join()`, "logged out")
	b.elsewhere()
	for _, tab := range []tab{a, b} {
		tab.eventually(whoami, "401")
	}
	eval[any](b, `client.login("/login?as=bob", {method: "POST"}).then((r) => r.status)`)
	for _, tab := range []tab{a, b} {
		tab.eventually(whoami, "bob")
	}
}

func TestBrowserClientAnUnreadableLoginIsAnEnd(t *testing.T) {
	t.Parallel()
	s := openTokenSite(t)
	a := s.customer("")
	b := s.load(a.another(), "")
	b.eventually("ready()", "true")
	got := eval[string](a, `client.login("/login-cut", {method: "POST"}).then((r) => "status " + r.status, (e) => e.name + " " + e.message)`)
	if !strings.HasPrefix(got, "TypeError authlatch: log in") {
		t.Errorf("the login ends in %q", got)
	}
	for _, tab := range []tab{a, b} {
		tab.eventually(`lost.join()`, "replaced")
		tab.eventually(whoami, "401")
	}
	s.load(a, "")
	a.eventually(whoami, "bob")
}
