package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestTheRecordHasNoSecrets(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	access := b.login(tokenMode)
	before := b.cookies[refreshCookie.Name()]
	b.refresh()
	b.step("steal", sessionMode, "POST", "/thief/steal", url.Values{"mode": {sessionMode}}, nil)
	b.step("steal", tokenMode, "POST", "/thief/steal", url.Values{"mode": {tokenMode}}, bearer(access))
	b.step("call", tokenMode, "GET", "a:/token/me", nil, bearer(access))
	b.step("call", tokenMode, "GET", "a:/token/me", nil, bearer(strings.Repeat("x", 5000)))
	_, body := b.do("GET", "/state", nil, nil)
	secrets := append(strings.Split(access, "."), before, b.cookies[sessionCookie.Name()], b.cookies[refreshCookie.Name()], b.cookies[visitorCookie.Name()], "correct horse")
	for i, secret := range secrets {
		if secret == "" || strings.Contains(body, secret) {
			t.Errorf("secret %d is in the record", i)
		}
	}
	if !strings.Contains(body, "Bearer eyJh…") || !strings.Contains(body, sessionCookie.Name()+"=") {
		t.Error("the record does not show what was sent")
	}
}

// The claims of an access token are not secret, and are shown unchanged.
func TestTheRecordShowsWhatAnAccessTokenSays(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	b.login(tokenMode)
	b.refresh()
	s := b.state()
	for i, want := range []string{"", "alice", "alice"} {
		x := s.Steps[i].Exchanges[0]
		var says struct {
			Subject string `json:"sub"`
			LoginID string `json:"sid"`
			Expires int64  `json:"exp"`
		}
		err := json.Unmarshal([]byte(x.Claims), &says)
		if says.Subject != want || want != "" && (err != nil || says.LoginID != s.Token.Login.ID || says.Expires == 0) {
			t.Errorf("%s: the claims are %q", x.Path, x.Claims)
		}
	}
	for _, body := range []string{"", "hello", "{}", `{"access_token":1}`, `{"access_token":"a.b"}`, `{"access_token":"a.!.c"}`} {
		if got := claims([]byte(body)); strings.Contains(got, "hello") || len(got) > 1 {
			t.Errorf("%s says %q", body, got)
		}
	}
}

// Headers that were sent but not read are marked.
func TestCookiesThatDoNotCountAreAside(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	access := b.login(tokenMode)
	for _, c := range []struct {
		path   string
		header http.Header
		counts []string
	}{
		{"a:/session/me", nil, []string{sessionCookie.Name()}},
		{"/session/logout-everywhere", nil, []string{sessionCookie.Name()}},
		{"a:/token/me", bearer(access), nil},
		{"a:/token/me", nil, nil},
		{"b:/token/me", nil, nil},
		{"/token/logout-everywhere", nil, nil},
		{"/token/login", nil, []string{refreshCookie.Name()}},
		{"/token/refresh", nil, []string{refreshCookie.Name()}},
		{"/token/logout", nil, []string{refreshCookie.Name()}},
		{"/token/logout", bearer(access), []string{refreshCookie.Name()}},
	} {
		b.step("me", sessionMode, "GET", c.path, nil, c.header)
		steps := b.state().Steps
		var counts []string
		for _, f := range steps[len(steps)-1].Exchanges[0].Sent {
			if name, _, _ := strings.Cut(f.Value, "="); f.Name == "Cookie" && !f.Aside {
				counts = append(counts, name)
			}
		}
		if !slices.Equal(counts, c.counts) {
			t.Errorf("%s: %q count", c.path, counts)
		}
	}
}

func TestNoVisitorSeesTheStepsOfAnother(t *testing.T) {
	_, server := open(t)
	a, b := visit(t, server), visit(t, server)
	a.login(sessionMode)
	a.step("steal", sessionMode, "POST", "/thief/steal", url.Values{"mode": {sessionMode}}, nil)
	if s := b.state(); len(s.Steps) != 0 || s.Session.Stolen != nil || len(s.Session.Logins) != 0 {
		t.Errorf("another browser sees %d steps", len(s.Steps))
	}
	b.step("loot", sessionMode, "POST", "/thief/use", url.Values{"mode": {sessionMode}, "with": {sessionCredential}}, nil)
	b.reports("thief copies") // nothing
	if s := a.state(); len(s.Steps) != 2 {
		t.Errorf("the browser itself sees %d steps", len(s.Steps))
	}
	// Two browsers with the same account see each other's logins.
	b.login(sessionMode)
	if s := b.state().Session; len(s.Logins) != 2 || s.Logins[0].Here || !s.Logins[1].Here {
		t.Errorf("the list shows %d logins", len(s.Logins))
	}
}

// Requests of the other site have no visitor cookie.
func TestALabelFilesWhatHasNoCookie(t *testing.T) {
	_, server := open(t)
	a, other := visit(t, server), &guest{t: t, url: server.URL}
	tag := func(label, step string) string {
		return "/session/logout?" + url.Values{"visitor": {label}, "step": {step}}.Encode()
	}
	crossSite := http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://127.0.0.1"}}
	for _, path := range []string{
		tag(a.cookies[visitorCookie.Name()], "elsewhere-session-0123456789abcdef"), // the ID is not a label
		tag("", "elsewhere-session-0123456789abcdef"),
		tag(a.state().Label, "elsewhere"),
		tag(a.state().Label, "elsewhere-session-0123456789abcdef\n"),
	} {
		if status, _ := other.do("POST", path, url.Values{}, crossSite); status != http.StatusForbidden {
			t.Errorf("status %d", status)
		}
		a.reports("")
	}
	other.do("POST", tag(a.state().Label, "elsewhere-session-0123456789abcdef"), url.Values{}, crossSite)
	a.reports("site POST /session/logout 403 rejected")
}

func TestTheRecordIsBounded(t *testing.T) {
	d, server := open(t)
	b := visit(t, server)
	for i := range maxSteps + 5 {
		b.step("me", sessionMode, "GET", "/session/"+strings.Repeat("x", i*100), nil, http.Header{"Origin": {strings.Repeat("y ", 500)}})
	}
	for range maxExchanges + 5 {
		b.do("GET", "a:/session/me", nil, http.Header{stepHeader: {"me-session-0123456789abcdef"}})
	}
	steps := b.state().Steps
	if len(steps) != maxSteps || len(steps[maxSteps-1].Exchanges) != maxExchanges {
		t.Errorf("%d steps, the last of %d exchanges", len(steps), len(steps[len(steps)-1].Exchanges))
	}
	for _, s := range steps {
		for _, x := range s.Exchanges {
			for _, text := range append([]string{x.Path, x.Body}, values(x)...) {
				if len(text) > maxText+len("…") {
					t.Errorf("a text of %d bytes", len(text))
				}
			}
		}
	}
	for range maxVisitors {
		visit(t, server)
	}
	if len(d.visitors.byID) != maxVisitors || len(d.visitors.byLabel) != maxVisitors || len(d.visitors.ids) != maxVisitors {
		t.Errorf("%d visitors", len(d.visitors.byID))
	}
	if s := b.state(); s.Known || len(s.Steps) != 0 {
		t.Error("the oldest visitor is still known")
	}
}

func values(x *exchange) (all []string) {
	for _, f := range append(x.Sent, x.Received...) {
		all = append(all, f.Value)
	}
	return all
}

// A browser whose record was dropped is still logged in.
func TestAForgottenVisitorKeepsItsSession(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	b.login(sessionMode)
	b.cookies[visitorCookie.Name()] = "from before the restart"
	if s := b.state(); s.Known {
		t.Error("the visitor is known")
	}
	if s := b.state(); !s.Known || s.Session.Login == nil || s.Session.Login.Subject != "alice" {
		t.Errorf("the state does not show the login: %+v", s.Session)
	}
}

func TestWhatIsLegibleIsShortAndNoSecret(t *testing.T) {
	for _, text := range []string{
		"", "hello, alice", strings.Repeat("x", 31), strings.Repeat("x", 32), strings.Repeat("x", 100_000), strings.Repeat("세", 200),
		"\xff\xfe", "a." + strings.Repeat("b", 40) + " " + strings.Repeat("c", 40), fmt.Sprint(strings.Repeat("é", 150), strings.Repeat("z", 40)),
	} {
		got := legible(text)
		if secret.MatchString(got) || len(got) > maxText+len("…�") || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%d bytes become %q", len(text), got)
		}
	}
}
