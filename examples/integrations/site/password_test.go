package main

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAnAttackerIsThrottledAndTheOwnerIsNot(t *testing.T) {
	o := open(t)
	owner, attacker := o.user(t), o.tab(t) // the account knows the browser of the owner now
	owner.wants(200, "You are logged out")(owner.send("/account", "/logout"))
	for range 5 {
		attacker.wants(401, "is wrong")(attacker.post("/login", "", "mail", "ALICE@example.com", "password", "a guess"))
	}
	attacker.wants(429, "too many attempts")(attacker.post("/login", "", "mail", alice, "password", first))
	if attacker.last.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	owner.login(first)
}

func TestAChangedPasswordEndsAllOtherLogins(t *testing.T) {
	o := open(t)
	here, there := o.user(t), o.tab(t)
	there.login(first)
	here.wants(401, "is wrong")(here.send("/account", "/password", "current", "a guess", "password", second))
	here.wants(422, "15 characters")(here.send("/account", "/password", "current", first, "password", "short"))
	if !there.isIn() {
		t.Error("a refused change has ended a login")
	}
	here.wants(200, "logged out everywhere else")(here.send("/account", "/password", "current", first, "password", second))
	if _, body := here.get("/account"); strings.Contains(body, "everywhere else") || !here.isIn() {
		t.Error("the message is shown twice, or the user is out")
	}
	there.wants(200, "<h1>Log in")(there.get("/account"))
	there.wants(401, "is wrong")(there.post("/login", "", "mail", alice, "password", first))
	there.login(second)
}

// A change of the password neither forgets the user nor remembers them for longer.
func TestAChangedPasswordKeepsTheLifetimeOfTheLogin(t *testing.T) {
	o := open(t)
	a := o.account(t)
	for _, remember := range []string{"", "yes"} {
		b := o.tab(t)
		b.post("/login", "", "mail", alice, "password", first, "remember", remember)
		expires := func() time.Time {
			list, err := o.site.sessions.Logins(t.Context(), a.ID)
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			return list[0].Expires
		}
		before := expires()
		b.send("/account", "/password", "current", first, "password", second)
		if after := expires(); after.Sub(before).Abs() > time.Minute {
			t.Errorf("remember %q: the login ends at %v, and after the change at %v", remember, before, after)
		}
		b.wants(200, "is changed")(b.send("/account", "/password", "current", second, "password", first))
		b.send("/account", "/logout")
	}
}

func TestALinkReplacesThePasswordOnce(t *testing.T) {
	o := open(t)
	owner, b := o.user(t), o.tab(t)
	for range 6 { // locked for unrecognized devices for a while
		b.post("/login", "", "mail", alice, "password", "a guess")
	}
	b.wants(200, "a link is on its way")(b.post("/forgotten", "", "mail", "bob@example.com"))
	if len(o.to) > 0 {
		t.Fatal("an address without an account has got a mail")
	}
	b.wants(200, "a link is on its way")(b.post("/forgotten", "", "mail", alice))
	given := o.tokenOf(t, o.pages[0])
	b.wants(422, "15 characters")(b.post("/set", "", "mail", alice, "token", given, "password", "short"))
	b.wants(200, "is set")(b.post("/set", "", "mail", alice, "token", given, "password", second))
	b.wants(403, "If you have just set")(b.post("/set", "", "mail", alice, "token", given, "password", first))
	if owner.isIn() {
		t.Error("a login by the old password outlived the reset")
	}
	b.login(second)
}

// An attacker who reads an earlier link in a mailbox or a log cannot use it.
func TestANewPasswordEndsEarlierLinks(t *testing.T) {
	for name, set := range map[string]func(o *running, owner *tab){
		"changed": func(o *running, owner *tab) {
			owner.wants(200, "is changed")(owner.send("/account", "/password", "current", first, "password", second))
		},
		"reset": func(o *running, owner *tab) {
			owner.wants(200, "is set")(owner.post("/set", "", "mail", alice, "token", o.tokenOf(t, o.pages[1]), "password", second))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t)
			owner, thief := o.user(t), o.tab(t)
			owner.post("/forgotten", "", "mail", alice)
			owner.post("/signup", "", "mail", alice)
			set(o, owner)
			thief.wants(403, "not valid")(thief.post("/set", "", "mail", alice, "token", o.tokenOf(t, o.pages[0]), "password", "a third one of four"))
			thief.login(second)
		})
	}
}

func TestACopiedCookieDoesNotOutliveAChange(t *testing.T) {
	o := open(t)
	owner, thief := o.user(t), o.tab(t)
	u, err := url.Parse(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	thief.c.Jar.SetCookies(u, owner.c.Jar.Cookies(u))
	if !thief.isIn() {
		t.Fatal("the copy does not work")
	}
	owner.wants(200, "logged out everywhere else")(owner.send("/account", "/password", "current", first, "password", second))
	if thief.isIn() {
		t.Error("the copy works still")
	}
	if !owner.isIn() {
		t.Error("the owner is out")
	}
}
