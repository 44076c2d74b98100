package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func TestTokensSayWhoHasLoggedIn(t *testing.T) {
	inBubble(func(t *testing.T) {
		claims, err := auth.NewClaims(map[string]any{"org": "acme"})
		must(t, err)
		i := newIssuer(t)
		id := auth.Identity{
			Subject: "alice", Scopes: "read write", Methods: "pwd otp", Claims: claims, LoginID: "ignored", Credential: "ignored",
			AuthTime: time.Now().Add(-time.Hour),
		}
		tokens, err := i.Issue(t.Context(), id)
		must(t, err)
		time.Sleep(time.Minute)
		again := refreshed(t, i, tokens.RefreshToken)
		loginID := ""
		for _, text := range []string{tokens.AccessToken, again.AccessToken} {
			v, err := i.Verify(t.Context(), text)
			must(t, err)
			got := v.Identity()
			if got.Subject != id.Subject || got.Scopes != id.Scopes || got.Methods != id.Methods || got.Claims != id.Claims ||
				got.Issuer != issuerName || got.AuthTime.Unix() != id.AuthTime.Unix() || got.LoginID == "" || got.LoginID == "ignored" ||
				v.ClientID() != "app" || loginID != "" && got.LoginID != loginID {
				t.Errorf("%+v", got)
			}
			loginID = got.LoginID
		}
		list, err := i.List(t.Context(), "alice")
		if err != nil || len(list) != 1 || list[0].ID != loginID || list[0].AuthTime.Unix() != id.AuthTime.Unix() {
			t.Errorf("%+v %v", list, err)
		}
	})(t)
}

func TestAuthTimeIsNowAtTheLatest(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t)
		now := time.Now()
		for rule, c := range map[string]struct{ says, want time.Time }{
			"none is now":      {time.Time{}, now},
			"later is now":     {now.Add(time.Hour), now},
			"earlier holds":    {now.Add(-48 * time.Hour), now.Add(-48 * time.Hour)},
			"of long ago":      {time.Unix(1, 0), time.Unix(1, 0)},
			"a moment earlier": {now.Add(-time.Nanosecond), now.Add(-time.Second)},
		} {
			tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice", AuthTime: c.says})
			must(t, err)
			v, err := i.Verify(t.Context(), tokens.AccessToken)
			must(t, err)
			if got := v.Identity().AuthTime; got.Unix() != c.want.Unix() {
				t.Errorf("%s: %v", rule, got)
			}
		}
	})(t)
}

// A wish for another end is cut to what the configuration allows.
func TestWishedEndIsCut(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for rule, c := range map[string]struct {
		wish, lasts time.Duration
	}{
		"none":                  {0, 12 * hour},
		"a shorter one":         {hour, hour},
		"a very short one":      {1500 * time.Millisecond, 1500 * time.Millisecond},
		"a longer one":          {5 * day, 5 * day},
		"one beyond the limit":  {365 * day, 30 * day},
		"one beyond all limits": {200 * 365 * day, 30 * day},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			i := newIssuer(t, func(c *token.Config) { c.MaxLifetime, c.IdleTimeout, c.Lifetime = 30*day, 3*hour, 12*hour })
			id := alice
			if c.wish > 0 {
				id.Expires = time.Now().Add(c.wish)
			}
			tokens, err := i.Issue(t.Context(), id)
			must(t, err)
			list, err := i.List(t.Context(), "alice")
			if err != nil || len(list) != 1 || list[0].Expires.Sub(time.Now()) != c.lasts {
				t.Errorf("it lasts until %v, %v", list, err)
			}
			if most := min(c.lasts, 10*time.Minute); tokens.ExpiresIn != int64(most/time.Second) {
				t.Errorf("the access token lasts %d s", tokens.ExpiresIn)
			}
			time.Sleep(min(c.lasts, 3*hour))
			wants(t, i, tokens.RefreshToken, refusedAs)
		}))
	}
}

func TestBadIdentitiesAreNotLoggedIn(t *testing.T) {
	long, err := auth.NewClaims(map[string]any{"x": strings.Repeat("x", 5000)})
	must(t, err)
	huge, err := auth.NewClaims(map[string]any{"x": strings.Repeat("x", 70_000)})
	must(t, err)
	s, j := &meter{}, &journal{}
	i := newIssuer(t, over(s, cheapKeys(t)), heard(j))
	for rule, id := range map[string]auth.Identity{
		"no subject":                           {},
		"an issuer":                            {Subject: "alice", Issuer: issuerName},
		"a scope in quotes":                    {Subject: "alice", Scopes: `"read"`},
		"claims that shadow":                   {Subject: "alice", Claims: `{"sub":"bob"}`},
		"claims that are none":                 {Subject: "alice", Claims: `[1]`},
		"an end in the past":                   {Subject: "alice", Expires: time.Now().Add(-time.Second)},
		"a subject of 256 bytes":               {Subject: strings.Repeat("a", 256)},
		"claims too long for a token":          {Subject: "alice", Claims: long},
		"claims too long for a token and more": {Subject: "alice", Claims: huge},
	} {
		tokens, err := i.Issue(t.Context(), id)
		if outcome(err) != unavailable || tokens != (token.Tokens{}) {
			t.Errorf("%s: %v", rule, err)
		}
		w := httptest.NewRecorder()
		if err := i.Login(w, (&browser{}).request("POST", "/"), id); outcome(err) != unavailable || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: %v", rule, err)
		}
	}
	if list, err := i.List(t.Context(), "alice"); err != nil || len(list) > 0 {
		t.Errorf("%v %v", list, err)
	}
	if kinds := j.kinds(); len(kinds) > 0 {
		t.Errorf("events %v", kinds)
	}
}

// Log-in ends what the browser had, of whatever generation and subject, and
// nothing that only looks like it.
func TestLoginEndsTheOldLogIn(t *testing.T) {
	for rule, c := range map[string]struct {
		subject string
		cookie  func(t *testing.T, i *token.Issuer, old string) string
		ends    bool
	}{
		"of the same subject": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old }, true},
		"of another subject":  {"bob", func(_ *testing.T, _ *token.Issuer, old string) string { return old }, true},
		"by a spent token":    {"alice", func(t *testing.T, i *token.Issuer, old string) string { refreshed(t, i, old); return old }, true},
		"not by a forged one": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string {
			return respell(old, func(b []byte) { b[20] ^= 1 })
		}, false},
		"not by a malformed one": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old[1:] }, false},
		"not by two of them":     {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old + "; " + refreshCookie + "=" + old }, false},
		"not without a cookie":   {"alice", func(*testing.T, *token.Issuer, string) string { return "" }, false},
	} {
		s, keys := &store.Memory{}, cheapKeys(t)
		i := newIssuer(t, over(s, keys))
		live := newIssuer(t, over(s, keys), func(c *token.Config) { c.LiveCheck = true })
		tokens := issued(t, i)
		b := &browser{refresh: c.cookie(t, i, tokens.RefreshToken)}
		_, err := b.login(i, c.subject)
		must(t, err)
		want := map[bool]string{true: refusedAs, false: valid}[c.ends]
		if _, err := live.Verify(t.Context(), tokens.AccessToken); outcome(err) != want {
			t.Errorf("%s: %v", rule, err)
		}
		if c.ends {
			old := browser{refresh: tokens.RefreshToken}
			if got := problemOf(t, old.post(i.RefreshHandler()), 401); got != "revoked replaced" {
				t.Errorf("%s: %s", rule, got)
			}
		}
		if list, err := i.List(t.Context(), "alice"); err != nil || (len(list) == 1) != (c.ends && c.subject == "alice") && c.subject == "alice" {
			t.Errorf("%s: %v %v", rule, list, err)
		}
		wants(t, i, b.refresh, valid)
	}
}

// A log-in that fails at any call of the store leaves never two that work:
// either the old one goes on and there is no new one, or nobody has the new one.
func TestLoginThatFailsLeavesNoSecondLogIn(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for n := 1; ; n++ {
			s := &meter{}
			i := newIssuer(t, over(s, cheapKeys(t)))
			b := loggedIn(t, i, "alice")
			old := b.refresh
			calls, failed := 0, false
			fault := func(string, string) error {
				if calls++; calls >= n { // from then on it stays down
					failed = true
					return errors.New("down")
				}
				return nil
			}
			if s.before = fault; applied {
				s.before, s.after = nil, fault
			}
			w, err := b.login(i, "alice")
			s.before, s.after = nil, nil
			if !failed {
				if n < 8 {
					t.Errorf("only %d calls", n-1)
				}
				break
			}
			if err == nil { // only tidying up has failed
				wants(t, i, b.refresh, valid)
				wants(t, i, old, refusedAs)
				continue
			}
			if outcome(err) != unavailable || w.Body.Len() > 0 || len(w.Header()) > 0 || b.refresh != old {
				t.Errorf("call %d: %v %v", n, err, w.Header())
			}
			// The next one succeeds, whatever was left.
			_, err = b.login(i, "alice")
			must(t, err)
			wants(t, i, b.refresh, valid)
			wants(t, i, old, refusedAs)
		}
	}
}

// A log-in that comes to nothing leaves the old one alone.
func TestLoginThatComesToNothingLeavesTheOldOne(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	b := loggedIn(t, i, "alice")
	for rule, c := range map[string]struct {
		subject string
		header  http.Header
		down    bool
	}{
		"of nobody":           {"", nil, false},
		"from another site":   {"alice", http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		"that is not written": {"alice", nil, true},
	} {
		if b.header = c.header; c.down {
			s.before = func(op, _ string) error {
				if op == "swap" {
					return errors.New("down")
				}
				return nil
			}
		}
		if w, err := b.login(i, c.subject); err == nil || len(w.Header()) > 0 {
			t.Errorf("%s: %v", rule, err)
		}
		s.before, b.header = nil, nil
		if w := b.post(i.RefreshHandler()); w.Code != 200 {
			t.Errorf("%s: the old one is over", rule)
		}
	}
}

// Each failure by itself is got over, or told.
func TestLoginGetsOverOneFailure(t *testing.T) {
	for _, applied := range []bool{false, true} {
		for n := 1; n < 16; n++ {
			s := &meter{}
			i := newIssuer(t, over(s, cheapKeys(t)))
			b := loggedIn(t, i, "alice")
			old, calls := b.refresh, 0
			fault := func(string, string) error {
				if calls++; calls == n {
					return errors.New("down")
				}
				return nil
			}
			if s.before = fault; applied {
				s.before, s.after = nil, fault
			}
			_, err := b.login(i, "alice")
			s.before, s.after = nil, nil
			list, listErr := i.List(t.Context(), "alice")
			must(t, listErr)
			if err == nil {
				wants(t, i, old, refusedAs)
				wants(t, i, b.refresh, valid)
			} else if len(list) > 1 {
				t.Errorf("call %d: %d log-ins", n, len(list))
			}
		}
	}
}

// A family that nobody can read any longer locks nobody out.
func TestLoginGoesOverACorruptFamily(t *testing.T) {
	s := &store.Memory{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	b := loggedIn(t, i, "alice")
	raw, _, _ := s.Get(t.Context(), familyKeyOf(b.refresh))
	s.CompareAndSwap(t.Context(), familyKeyOf(b.refresh), raw, []byte{0x20}, time.Hour)
	_, err := b.login(i, "alice")
	must(t, err)
	wants(t, i, b.refresh, valid)
}

// A client that hangs up at any call of the store changes nothing.
func TestLoginAndLogoutGoOnWhenTheClientHangsUp(t *testing.T) {
	for n := range 12 {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		b := loggedIn(t, i, "alice")
		old := b.refresh
		hangUp := func(h http.Handler, path string) *httptest.ResponseRecorder {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls := 0
			s.before = func(string, string) error {
				if calls++; calls > n {
					cancel()
				}
				return nil
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, b.request("POST", path).WithContext(ctx))
			b.obey(w.Header())
			s.before = nil
			return w
		}
		hangUp(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { must(t, i.Login(w, r, alice)) }), "/login")
		wants(t, i, old, refusedAs)
		if w := hangUp(i.RefreshHandler(), "/refresh"); w.Code != 200 {
			t.Errorf("refresh: %d", w.Code)
		}
		text := b.refresh
		if w := hangUp(i.LogoutHandler(), "/logout"); w.Code != 204 {
			t.Errorf("log-out: %d", w.Code)
		}
		wants(t, i, text, refusedAs)
	}
}

// Log-out is 204 whatever the cookie is. It deletes what is dead, and leaves a
// cookie that a newer one may have replaced.
func TestLogoutForEachStateOfTheCookie(t *testing.T) {
	for rule, c := range map[string]struct {
		prepare func(t *testing.T, i *token.Issuer, b *browser)
		deletes bool
	}{
		"a live one":      {func(*testing.T, *token.Issuer, *browser) {}, true},
		"a spent one":     {func(t *testing.T, i *token.Issuer, b *browser) { refreshed(t, i, b.refresh) }, true},
		"none":            {func(_ *testing.T, _ *token.Issuer, b *browser) { b.refresh = "" }, false},
		"a malformed one": {func(_ *testing.T, _ *token.Issuer, b *browser) { b.refresh = "x" }, true},
		"two of them":     {func(_ *testing.T, _ *token.Issuer, b *browser) { b.refresh += "; " + refreshCookie + "=" + b.refresh }, true},
		"a forged one": {func(_ *testing.T, _ *token.Issuer, b *browser) {
			b.refresh = respell(b.refresh, func(b []byte) { b[20]++ })
		}, true},
		"an expired one": {func(*testing.T, *token.Issuer, *browser) { time.Sleep(4 * time.Hour) }, true},
		"a revoked one":  {func(t *testing.T, i *token.Issuer, _ *browser) { must(t, i.LogoutAll(t.Context(), "alice")) }, true},
		"a reused one": {func(t *testing.T, i *token.Issuer, b *browser) {
			refreshed(t, i, b.refresh)
			time.Sleep(window + time.Second)
			wants(t, i, b.refresh, reused)
		}, true},
		"one that was logged out": {func(t *testing.T, i *token.Issuer, b *browser) { must(t, i.Revoke(t.Context(), b.refresh)) }, false},
		"one that was replaced": {func(t *testing.T, i *token.Issuer, b *browser) {
			again := *b
			_, err := again.login(i, "alice")
			must(t, err)
		}, false},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			i := newIssuer(t, func(c *token.Config) { c.AccessCookie = cookie.New("access") })
			b := loggedIn(t, i, "alice")
			c.prepare(t, i, b)
			if b.refresh == "" {
				b.access = ""
			}
			text, _, _ := strings.Cut(b.refresh, ";")
			w := b.post(i.LogoutHandler())
			if w.Code != 204 || w.Body.Len() > 0 || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			if want := map[bool]int{true: 2, false: 0}[c.deletes]; len(b.set) != want || want > 0 && (b.set[0].MaxAge != -1 || b.set[1].MaxAge != -1) {
				t.Errorf("cookies %v", b.set)
			}
			if rule == "two of them" {
				wants(t, i, text, valid) // nobody can tell which is ours
				return
			}
			wants(t, i, text, refusedAs)
			left := slices.Contains([]string{"none", "a malformed one", "a forged one", "one that was replaced"}, rule)
			if list, err := i.List(t.Context(), "alice"); err != nil || (len(list) == 1) != left {
				t.Errorf("%d log-ins are left, %v", len(list), err)
			}
		}))
	}
}

// A slow answer to a log-out without cookies meets no newer cookie.
func TestLogoutDeletesOnlyWhatItWasSent(t *testing.T) {
	i := newIssuer(t, func(c *token.Config) { c.AccessCookie = cookie.New("access") })
	b := &browser{access: "left over"}
	if w := b.post(i.LogoutHandler()); w.Code != 204 || len(b.set) != 1 || b.set[0].Name != accessCookie {
		t.Errorf("cookies %v", b.set)
	}
}

func names(list []token.Login) (ids []string) {
	for _, l := range list {
		ids = append(ids, l.ID)
	}
	return ids
}

func loginIDOf(t testing.TB, i *token.Issuer, tokens token.Tokens) string {
	t.Helper()
	v, err := i.Verify(t.Context(), tokens.AccessToken)
	must(t, err)
	return v.Identity().LoginID
}

func TestListShowsWhatGoesOn(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.Config) {
			c.Device = func(r *http.Request) (string, string) { return r.UserAgent(), "192.0.2.1" }
		})
		b := &browser{userAgent: "Fire\x00fox" + strings.Repeat("é", 300)}
		_, err := b.login(i, "alice")
		must(t, err)
		time.Sleep(time.Minute)
		b.userAgent = "Another"
		b.post(i.RefreshHandler())
		gone := issued(t, i)
		kept := issued(t, i)
		must(t, i.Revoke(t.Context(), gone.RefreshToken))
		list, err := i.List(t.Context(), "alice")
		must(t, err)
		if len(list) != 2 || list[1].ID != loginIDOf(t, i, kept) {
			t.Fatalf("%+v", list)
		}
		l := list[0]
		if !strings.HasPrefix(l.UserAgent, "Firefoxé") || len(l.UserAgent) > 256 || l.Address != "192.0.2.1" ||
			l.Used.Sub(l.AuthTime) != time.Minute || l.Expires.Sub(l.AuthTime) != 12*time.Hour {
			t.Errorf("%+v", l)
		}
		time.Sleep(3*time.Hour + time.Second)
		if list, err := i.List(t.Context(), "alice"); err != nil || len(list) > 0 {
			t.Errorf("after the idle time: %v %v", list, err)
		}
		if list, err := i.List(t.Context(), "nobody"); err != nil || len(list) > 0 {
			t.Errorf("%v %v", list, err)
		}
	})(t)
}

// Sessions and tokens of one namespace share a list: LogoutAll ends both, and
// List and LogoutOne are about their own kind.
func TestSessionsAndTokensShareAList(t *testing.T) {
	s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
	tokens := newIssuer(t, over(s, keys), heard(j), func(c *token.Config) { c.Namespace = "shop" })
	elsewhere := newIssuer(t, over(s, keys))
	sessions, err := session.New(session.Config{Store: s, Namespace: "shop"})
	must(t, err)
	start := func() (a, b token.Tokens, cookies string, sessionID string) {
		a, b = issued(t, tokens), issued(t, tokens)
		w := httptest.NewRecorder()
		must(t, sessions.Login(w, httptest.NewRequest("POST", "https://app.example/", nil), alice))
		cookies, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		list, err := sessions.List(t.Context(), "alice")
		must(t, err)
		return a, b, cookies, list[len(list)-1].ID
	}
	lives := func(cookies string) bool {
		r := httptest.NewRequest("GET", "https://app.example/", nil)
		r.Header.Set("Cookie", cookies)
		_, err := sessions.Authenticate(r)
		return err == nil
	}
	other := issued(t, elsewhere)
	a, b, cookies, sessionID := start()
	if list, err := tokens.List(t.Context(), "alice"); err != nil || !slices.Equal(names(list), []string{loginIDOf(t, tokens, a), loginIDOf(t, tokens, b)}) {
		t.Errorf("%v %v", list, err)
	}
	j.take()
	must(t, tokens.LogoutOne(t.Context(), "alice", sessionID))
	must(t, tokens.LogoutOne(t.Context(), "bob", loginIDOf(t, tokens, a)))
	must(t, tokens.LogoutOne(t.Context(), "alice", "nonsense"))
	must(t, sessions.LogoutOne(t.Context(), "alice", loginIDOf(t, tokens, a)))
	if !lives(cookies) || len(j.kinds()) > 0 {
		t.Error("LogoutOne of another kind, or of another subject, ends something")
	}
	must(t, tokens.LogoutOne(t.Context(), "alice", loginIDOf(t, tokens, a)))
	wants(t, tokens, a.RefreshToken, refusedAs)
	wants(t, tokens, b.RefreshToken, valid)
	if kinds := j.kinds(); !slices.Contains(kinds, auth.EventRevoked) {
		t.Errorf("events %v", kinds)
	}
	must(t, tokens.LogoutAll(t.Context(), "alice", loginIDOf(t, tokens, b)))
	if lives(cookies) {
		t.Error("the session lives")
	}
	wants(t, tokens, b.RefreshToken, valid)

	a, b, cookies, _ = start()
	must(t, tokens.LogoutAll(t.Context(), "alice"))
	if lives(cookies) || ends(tokens, a.RefreshToken) == valid || ends(tokens, b.RefreshToken) == valid {
		t.Error("something lives")
	}
	a, _, cookies, sessionID = start()
	must(t, sessions.LogoutAll(t.Context(), "alice", sessionID))
	if !lives(cookies) {
		t.Error("the session is over")
	}
	wants(t, tokens, a.RefreshToken, refusedAs)
	wants(t, elsewhere, other.RefreshToken, valid)
}

// The bound counts all log-ins of a subject, and the oldest goes.
func TestBoundOfLogInsIsSharedWithSessions(t *testing.T) {
	s, keys := &store.Memory{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys), func(c *token.Config) { c.MaxLogins = 3 })
	sessions, err := session.New(session.Config{Store: s, MaxLogins: 3})
	must(t, err)
	oldest, second := issued(t, i), issued(t, i)
	must(t, sessions.Login(httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.example/", nil), alice))
	wants(t, i, oldest.RefreshToken, valid)
	third := issued(t, i)
	wants(t, i, oldest.RefreshToken, refusedAs)
	wants(t, i, second.RefreshToken, valid)
	wants(t, i, third.RefreshToken, valid)
	must(t, sessions.Login(httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.example/", nil), alice))
	wants(t, i, second.RefreshToken, refusedAs)
	// What a browser replaces does not count.
	b := loggedIn(t, i, "alice")
	wants(t, i, third.RefreshToken, valid)
	for range 5 {
		_, err := b.login(i, "alice")
		must(t, err)
	}
	wants(t, i, third.RefreshToken, valid)
}

func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	const day = 24 * time.Hour
	for rule, change := range map[string]func(*token.Config){
		"no keys":                    func(c *token.Config) { c.Keys = nil },
		"an empty key set":           func(c *token.Config) { c.Keys = new(token.KeySet) },
		"no store":                   func(c *token.Config) { c.Store = nil },
		"no issuer":                  func(c *token.Config) { c.Issuer = "" },
		"no audience":                func(c *token.Config) { c.Audience = "" },
		"no client":                  func(c *token.Config) { c.ClientID = "" },
		"a negative access lifetime": func(c *token.Config) { c.AccessLifetime = -1 },
		"a negative idle timeout":    func(c *token.Config) { c.IdleTimeout = -1 },
		"a negative lifetime":        func(c *token.Config) { c.Lifetime = -1 },
		"a negative longest one":     func(c *token.Config) { c.MaxLifetime = -1 },
		"a negative window":          func(c *token.Config) { c.Window = -1 },
		"access for a moment":        func(c *token.Config) { c.AccessLifetime = time.Second - 1 },
		"access for over an hour":    func(c *token.Config) { c.AccessLifetime = time.Hour + 1 },
		"idle before access ends":    func(c *token.Config) { c.IdleTimeout = 10*time.Minute - 1 },
		"a lifetime before idle":     func(c *token.Config) { c.Lifetime = 3*time.Hour - 1 },
		"a longest before it":        func(c *token.Config) { c.MaxLifetime = 12*time.Hour - 1 },
		"longer than browsers keep":  func(c *token.Config) { c.MaxLifetime = 400*day + 1 },
		"a window of a moment":       func(c *token.Config) { c.Window = time.Second - 1 },
		"a window of over a minute":  func(c *token.Config) { c.Window = time.Minute + 1 },
		"fewer log-ins than none":    func(c *token.Config) { c.MaxLogins = -1 },
		"more log-ins than 1000":     func(c *token.Config) { c.MaxLogins = 1001 },
		"a leeway too long":          func(c *token.Config) { c.Leeway = time.Hour },
		"a negative cache":           func(c *token.Config) { c.CacheSize = -2 },
		"a cookie for scripts":       func(c *token.Config) { c.Cookie = cookie.New("refresh").ReadableByScripts() },
		"a cookie that is none":      func(c *token.Config) { c.Cookie = cookie.New("a b") },
		"an access cookie for scripts": func(c *token.Config) {
			c.AccessCookie = cookie.New("access").ReadableByScripts()
		},
		"an access cookie that is none": func(c *token.Config) { c.AccessCookie = cookie.New("a b") },
		"two cookies of one name":       func(c *token.Config) { c.AccessCookie = cookie.New("refresh").MaxAge(time.Hour) },
	} {
		c := token.Config{Keys: cheapKeys(t), Store: &store.Memory{}, Issuer: issuerName, Audience: audienceName, ClientID: "app"}
		change(&c)
		if i, err := token.NewIssuer(c); err == nil || i != nil || !strings.HasPrefix(err.Error(), "token: ") {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestLimitsOfTheIssuerAreWithin(t *testing.T) {
	for rule, change := range map[string]func(*token.Config){
		"the defaults":           func(*token.Config) {},
		"access for a second":    func(c *token.Config) { c.AccessLifetime = time.Second },
		"access for an hour":     func(c *token.Config) { c.AccessLifetime = time.Hour },
		"all limits are one":     func(c *token.Config) { c.AccessLifetime, c.IdleTimeout, c.Lifetime = time.Hour, time.Hour, time.Hour },
		"a long idle time alone": func(c *token.Config) { c.IdleTimeout = 20 * time.Hour },
		"400 days":               func(c *token.Config) { c.MaxLifetime = 400 * 24 * time.Hour },
		"a window of a second":   func(c *token.Config) { c.Window = time.Second },
		"a window of a minute":   func(c *token.Config) { c.Window = time.Minute },
		"one log-in":             func(c *token.Config) { c.MaxLogins = 1 },
		"1000 log-ins":           func(c *token.Config) { c.MaxLogins = 1000 },
		"a cookie of its own":    func(c *token.Config) { c.Cookie = cookie.New("r").Path("/auth").SameSiteLax() },
	} {
		i := newIssuer(t, change)
		if tokens, err := i.Issue(t.Context(), alice); err != nil || ends(i, tokens.RefreshToken) != valid {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// The defaults, by what they do.
func TestDefaultsAreAsDocumented(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t)
		tokens := issued(t, i)
		if tokens.ExpiresIn != 600 || tokens.TokenType != "Bearer" || tokens.Generation != 0 {
			t.Errorf("%+v", tokens)
		}
		if tokens.RefreshAfter < 570 || tokens.RefreshAfter > 594 {
			t.Errorf("refresh after %d", tokens.RefreshAfter)
		}
		if len(tokens.AccessToken) > 4096 || len(tokens.RefreshToken) > 128 {
			t.Errorf("%d and %d bytes", len(tokens.AccessToken), len(tokens.RefreshToken))
		}
		list, err := i.List(t.Context(), "alice")
		must(t, err)
		if list[0].Expires.Sub(time.Now()) != 12*time.Hour || list[0].Address != "" {
			t.Errorf("%+v", list[0])
		}
		for range 100 {
			issued(t, i)
		}
		if list, err := i.List(t.Context(), "alice"); err != nil || len(list) != 100 {
			t.Errorf("%d log-ins, %v", len(list), err)
		}
	})(t)
}

// Clients that started together do not refresh together.
func TestRefreshAfterIsJittered(t *testing.T) {
	i := newIssuer(t, func(c *token.Config) { c.AccessLifetime = time.Hour; c.MaxLogins = 1000 })
	seen := make(map[int64]bool)
	for n := range 300 {
		tokens, err := i.Issue(t.Context(), auth.Identity{Subject: fmt.Sprint(n)})
		must(t, err)
		if tokens.RefreshAfter < 3600-180 || tokens.RefreshAfter > 3600-36 {
			t.Errorf("refresh after %d", tokens.RefreshAfter)
		}
		seen[tokens.RefreshAfter] = true
	}
	if len(seen) < 50 {
		t.Errorf("only %d different times", len(seen))
	}
}
