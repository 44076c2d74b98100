package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// steal makes the thief copy the credentials of a mode.
func (b *guest) steal(mode, access string) {
	b.t.Helper()
	header := http.Header{}
	if access != "" {
		header = bearer(access)
	}
	b.step("steal", mode, "POST", "/thief/steal", url.Values{"mode": {mode}}, header)
}

// loot makes the thief send a stolen credential.
func (b *guest) loot(mode, with string) {
	b.t.Helper()
	b.step("loot", mode, "POST", "/thief/use", url.Values{"mode": {mode}, "with": {with}}, nil)
}

func TestAStolenSessionWorksUntilItEnds(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	b.steal(sessionMode, "")
	b.reports("thief copies session")
	if s := b.state(); len(s.Session.Stolen) != 1 || s.Session.Stolen[0].Value != s.Session.Cookie || !s.Session.Stolen[0].Live || s.Token.Stolen != nil {
		t.Errorf("the thief has %+v and %+v", s.Session.Stolen, s.Token.Stolen)
	}
	b.loot(sessionMode, sessionCredential)
	b.reports("thief GET a:/session/me 200; thief GET b:/session/me 200")
	b.step("logout", sessionMode, "POST", "/session/logout", url.Values{}, nil)
	b.reports("browser POST /session/logout 204 logout")
	b.loot(sessionMode, sessionCredential)
	b.reports("thief GET a:/session/me 401; thief GET b:/session/me 401")
	if s := b.state().Session; len(s.Stolen) != 1 || s.Stolen[0].Live {
		t.Errorf("the thief's cookie: %+v", s.Stolen)
	}
}

// A logout does not reach a stolen access token where the store is not checked.
func TestAStolenAccessTokenWorksWhereTheStoreIsNotChecked(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	access := b.login(tokenMode)
	b.steal(tokenMode, access)
	b.reports("thief copies access; thief copies refresh")
	b.loot(tokenMode, accessCredential)
	b.reports("thief GET a:/token/me 200; thief GET b:/token/me 200")
	b.step("everywhere", tokenMode, "POST", "/token/logout-everywhere", url.Values{}, bearer(access))
	b.loot(tokenMode, accessCredential)
	b.reports("thief GET a:/token/me 200; thief GET b:/token/me 401 rejected")
	b.loot(tokenMode, refreshCredential)
	b.reports("thief POST /token/refresh 401 rejected")
	s := b.state().Token.Stolen
	if len(s) != 2 || s[0].What != accessCredential || s[0].Live || s[0].Left <= 0 || s[0].Left > short.access.Milliseconds() {
		t.Errorf("the thief has %+v", s)
	}
}

func TestTheExpiryOfAnAccessTokenIsInItsClaims(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	if left := time.Until(expiry(b.login(tokenMode))); left <= 0 || left > short.access {
		t.Errorf("%v are left", left)
	}
	for _, access := range []string{"", "a", "a.!.c", "a.e30.c"} {
		if left := time.Until(expiry(access)); left > 0 {
			t.Errorf("%q: %v are left", access, left)
		}
	}
}

// Within the grace period the thief is not detected. That the theft is detected after it is
// tested in a browser, in real time.
func TestAThiefWithinTheGracePeriodGetsWhatTheOwnerGets(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.steal(tokenMode, b.login(tokenMode))
	if status := b.refresh(); status != http.StatusOK {
		t.Fatalf("the owner's refresh: status %d", status)
	}
	b.loot(tokenMode, refreshCredential)
	b.reports("thief POST /token/refresh 200")
	if s := b.state().Token; s.Stolen[1].Value != s.Cookie || s.Rest <= 0 || s.Rest > short.grace.Milliseconds() {
		t.Errorf("the thief has %+v, the owner %q", s.Stolen, s.Cookie)
	}
}

// Within the grace period a used token gets a response any number of times, for any client
// and any idempotency key, so no text says that it gets one response.
func TestAUsedTokenIsAcceptedThroughoutTheGracePeriod(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(tokenMode)
	used, successor := b.cookies[refreshCookie.Name()], ""
	for i := range 4 {
		b.cookies[refreshCookie.Name()] = used
		attempt := http.Header{"Refresh-Attempt": {strings.Repeat(string(rune('a'+i)), 32)}}
		status, _ := b.step("renew", tokenMode, "POST", "/token/refresh", url.Values{}, attempt)
		got := b.cookies[refreshCookie.Name()]
		if status != http.StatusOK || got == used || successor != "" && got != successor {
			t.Errorf("attempt %d: status %d, %q", i, status, got)
		}
		successor = got
	}
	for name, phrase := range map[string]string{"en.json": "once more", "ko.json": "한 번 더"} {
		for key, text := range dictionary(t, name) {
			if strings.Contains(text, phrase) {
				t.Errorf("%s: %s says %q", name, key, phrase)
			}
		}
	}
}

func TestThereIsNothingToStealBeforeTheLogin(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	for mode, with := range map[string]string{sessionMode: sessionCredential, tokenMode: accessCredential} {
		b.steal(mode, "")
		b.reports("thief copies") // nothing, as is shown
		b.loot(mode, with)
		b.reports("thief copies")
	}
}

// A reset takes from the thief what it has, and leaves the logins alone.
func TestAResetLeavesTheThiefNothing(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	b.steal(tokenMode, b.login(tokenMode))
	b.steal(sessionMode, "")
	b.step("login", sessionMode, "POST", "/reset", url.Values{"mode": {sessionMode}}, nil)
	if s := b.state(); s.Session.Stolen != nil || len(s.Token.Stolen) != 2 || len(s.Steps) != 4 || s.Session.Login == nil {
		t.Errorf("the thief has %+v and %+v, of %d steps", s.Session.Stolen, s.Token.Stolen, len(s.Steps))
	}
	b.step("away", tokenMode, "POST", "/store", url.Values{"mode": {tokenMode}, "connected": {"no"}}, nil)
	b.do("POST", "/reset", url.Values{}, nil)
	if s := b.state(); s.Token.Stolen != nil || s.Token.Disconnected || len(s.Steps) != 0 || s.Token.Login == nil {
		t.Errorf("the thief has %+v, of %d steps", s.Token.Stolen, len(s.Steps))
	}
	if status, _ := (&guest{t: t, url: server.URL}).do("POST", "/reset", url.Values{}, nil); status != http.StatusBadRequest {
		t.Errorf("no visitor: status %d", status)
	}
}

func TestTheThiefServesItsVictimAlone(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	good := http.Header{stepHeader: {"steal-session-0123456789abcdef"}}
	for name, c := range map[string]struct {
		browser *guest
		header  http.Header
		mode    string
		want    int
	}{
		"no visitor":        {&guest{t: t, url: server.URL}, good, sessionMode, http.StatusBadRequest},
		"no step":           {b, nil, sessionMode, http.StatusBadRequest},
		"another mode":      {b, good, "basic", http.StatusBadRequest},
		"a step of no kind": {b, http.Header{stepHeader: {"<script>"}}, sessionMode, http.StatusBadRequest},
		"another site":      {b, http.Header{stepHeader: good[stepHeader], "Sec-Fetch-Site": {"cross-site"}}, sessionMode, http.StatusForbidden},
	} {
		for _, path := range []string{"/thief/steal", "/thief/use", "/store"} {
			if status, _ := c.browser.do("POST", path, url.Values{"mode": {c.mode}}, c.header); status != c.want {
				t.Errorf("%s, %s: status %d", name, path, status)
			}
		}
	}
	// The Host header does not redirect the thief to another server.
	header := http.Header{stepHeader: good[stepHeader], "Host": {"localhost:1"}}
	b.do("POST", "/thief/steal", url.Values{"mode": {sessionMode}}, header)
	if status, _ := b.do("POST", "/thief/use", url.Values{"mode": {sessionMode}, "with": {sessionCredential}}, header); status != http.StatusOK {
		t.Errorf("the thief requests the identity: status %d", status)
	}
	b.reports("thief copies session; thief GET a:/session/me 200; thief GET b:/session/me 200")
}
