package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestAStolenSessionWorksUntilItEnds(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	mode := url.Values{"mode": {sessionMode}}
	b.step("steal", sessionMode, "POST", "/thief/steal", mode, nil)
	b.reports("thief copies")
	if s := b.state(); s.Session.Stolen == "" || s.Session.Stolen != s.Session.Cookie || s.Token.Stolen != "" {
		t.Errorf("the thief has %q and %q", s.Session.Stolen, s.Token.Stolen)
	}
	b.step("again", sessionMode, "POST", "/thief/use", mode, nil)
	b.reports("thief GET /session/me 200")
	b.step("logout", sessionMode, "POST", "/session/logout", url.Values{}, nil)
	b.reports("browser POST /session/logout 204 logout")
	b.step("again", sessionMode, "POST", "/thief/use", mode, nil)
	b.reports("thief GET /session/me 401")
}

// Within the grace period the thief is not detected. That the theft is detected after it is
// tested in a browser, in real time.
func TestAThiefWithinTheGracePeriodGetsWhatTheOwnerGets(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(tokenMode)
	mode := url.Values{"mode": {tokenMode}}
	b.step("steal", tokenMode, "POST", "/thief/steal", mode, nil)
	if status := b.refresh(); status != http.StatusOK {
		t.Fatalf("the owner's refresh: status %d", status)
	}
	b.step("again", tokenMode, "POST", "/thief/use", mode, nil)
	b.reports("thief POST /token/refresh 200")
	if s := b.state(); s.Token.Stolen != s.Token.Cookie {
		t.Errorf("the thief has %q, the owner %q", s.Token.Stolen, s.Token.Cookie)
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
	for _, mode := range []string{sessionMode, tokenMode} {
		for _, path := range []string{"/thief/steal", "/thief/use"} {
			if status, body := b.step("steal", mode, "POST", path, url.Values{"mode": {mode}}, nil); status != http.StatusOK {
				t.Errorf("%s of %s: %d %s", path, mode, status, body)
			}
			b.reports("thief copies") // nothing, as is shown
		}
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
		for _, path := range []string{"/thief/steal", "/thief/use"} {
			if status, _ := c.browser.do("POST", path, url.Values{"mode": {c.mode}}, c.header); status != c.want {
				t.Errorf("%s, %s: status %d", name, path, status)
			}
		}
	}
	// The Host header does not redirect the thief to another server.
	header := http.Header{stepHeader: good[stepHeader], "Host": {"localhost:1"}}
	b.do("POST", "/thief/steal", url.Values{"mode": {sessionMode}}, header)
	if status, _ := b.do("POST", "/thief/use", url.Values{"mode": {sessionMode}}, header); status != http.StatusOK {
		t.Errorf("the thief requests the identity: status %d", status)
	}
	b.reports("thief copies; thief GET /session/me 200")
}
