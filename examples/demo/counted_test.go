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
		{"/session/me", nil, 1},
		{"/session/me", http.Header{"Cookie": {visitorCookie.Name() + "=" + b.cookies[visitorCookie.Name()]}}, 0},
		{"/token/me", bearer(access), 0},
		{"/token/me", nil, 0},
		{"/token/live/me", bearer(access), 1},
		{"/token/live/me", nil, 0},
		{"/token/live/me", bearer(access[:len(access)-4] + "AAAA"), 0},
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
	b.step("again", sessionMode, "POST", "/thief/use", url.Values{"mode": {sessionMode}}, nil)
	if reads, writes := b.work(); reads != 1 || writes != 0 {
		t.Errorf("the thief: %d reads, %d writes", reads, writes)
	}
}
