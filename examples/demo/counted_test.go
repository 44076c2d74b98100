package main

import (
	"net/http"
	"net/url"
	"testing"
)

// work returns the store calls of the latest exchange of the latest step.
func (b *guest) work() (reads, writes int) {
	b.t.Helper()
	steps := b.state().Steps
	exchanges := steps[len(steps)-1].Exchanges
	x := exchanges[len(exchanges)-1]
	return x.Reads, x.Writes
}

// Each request with a session reads the store. A request with an access token does not,
// unless the API must see a logout at once.
func TestOnlyAnAccessTokenNeedsNoStore(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	if _, writes := b.work(); writes == 0 {
		t.Error("a login is written nowhere")
	}
	access := b.login(tokenMode)
	if _, writes := b.work(); writes == 0 {
		t.Error("a login by token is written nowhere")
	}
	for _, c := range []struct {
		path   string
		header http.Header
		reads  int
	}{
		{"a:/session/me", nil, 1},
		{"b:/session/me", nil, 1},
		{"a:/session/me", http.Header{"Cookie": {visitorCookie.Name() + "=" + b.cookies[visitorCookie.Name()]}}, 0},
		{"a:/token/me", bearer(access), 0},
		{"a:/token/me", nil, 0},
		{"b:/token/me", bearer(access), 1},
		{"b:/token/me", nil, 0},
		{"b:/token/me", bearer(access[:len(access)-4] + "AAAA"), 0},
	} {
		b.step("me", sessionMode, "GET", c.path, nil, c.header)
		if reads, writes := b.work(); reads != c.reads || writes != 0 {
			t.Errorf("%s: %d reads, %d writes", c.path, reads, writes)
		}
	}
	b.refresh()
	if reads, writes := b.work(); reads == 0 || writes == 0 {
		t.Errorf("a refresh: %d reads, %d writes", reads, writes)
	}
	b.refresh() // within the grace period
	if reads, writes := b.work(); reads != 1 || writes != 0 {
		t.Errorf("a refresh within the grace period: %d reads, %d writes", reads, writes)
	}
	b.step("steal", sessionMode, "POST", "/thief/steal", url.Values{"mode": {sessionMode}}, nil)
	b.step("loot", sessionMode, "POST", "/thief/use", url.Values{"mode": {sessionMode}, "with": {sessionCredential}}, nil)
	if reads, writes := b.work(); reads != 1 || writes != 0 {
		t.Errorf("the thief: %d reads, %d writes", reads, writes)
	}
}

// With the store disconnected, all requests that need it get a 503 and keep their cookies.
// A verifies access tokens without it.
func TestWithoutItsStoreOnlyAnAccessTokenIsAccepted(t *testing.T) {
	_, server := open(t)
	b, other := visit(t, server), visit(t, server)
	b.login(sessionMode)
	access := b.login(tokenMode)
	other.login(sessionMode)
	for _, mode := range []string{sessionMode, tokenMode} {
		b.step("away", mode, "POST", "/store", url.Values{"mode": {mode}, "connected": {"no"}}, nil)
		b.reports("store disconnected")
	}
	cookies := len(b.cookies)
	for path, want := range map[string]int{"a:/session/me": 503, "b:/session/me": 503, "a:/token/me": 200, "b:/token/me": 503} {
		header := bearer(access)
		if path[2:10] == "/session" {
			header = nil
		}
		if status, _ := b.step("call", sessionMode, "GET", path, nil, header); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	if status := b.refresh(); status != http.StatusServiceUnavailable || len(b.cookies) != cookies {
		t.Errorf("a refresh: status %d, %d cookies", status, len(b.cookies))
	}
	if status, _ := other.step("call", sessionMode, "GET", "a:/session/me", nil, nil); status != http.StatusOK {
		t.Errorf("the store of another visitor: status %d", status)
	}
	if s := b.state(); !s.Session.Disconnected || !s.Token.Disconnected || s.Session.Login == nil {
		t.Errorf("the state: %+v", s.Session)
	}
	b.step("back", sessionMode, "POST", "/store", url.Values{"mode": {sessionMode}, "connected": {"yes"}}, nil)
	if status, _ := b.step("call", sessionMode, "GET", "b:/session/me", nil, nil); status != http.StatusOK {
		t.Errorf("the store is back: status %d", status)
	}
}
