package token_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 7.4.1 and 10.4.9.
// Logout is 204 for any cookie. It deletes the cookie of an ended login, and leaves a
// cookie that a newer one may have replaced.
func TestLogoutForEachStateOfTheCookie(t *testing.T) {
	for rule, c := range map[string]struct {
		prepare func(t *testing.T, i *token.Issuer, b *browser)
		deletes bool
	}{
		"a live one":      {func(*testing.T, *token.Issuer, *browser) {}, true},
		"a used one":      {func(t *testing.T, i *token.Issuer, b *browser) { refreshed(t, i, b.refresh) }, true},
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
			time.Sleep(gracePeriod + time.Second)
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
			i := newIssuer(t, func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access") })
			b := loggedIn(t, i, "alice")
			c.prepare(t, i, b)
			if b.refresh == "" {
				b.access = ""
			}
			text, _, _ := strings.Cut(b.refresh, ";")
			w := b.post(i.LogoutHandler())
			status := 204
			if rule == "two of them" {
				status = 401 // it is ambiguous which login to end
			}
			if w.Code != status || status == 204 && w.Body.Len() > 0 || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("%d %v", w.Code, w.Header())
			}
			if want := map[bool]int{true: 2, false: 0}[c.deletes]; len(b.set) != want || want > 0 && (b.set[0].MaxAge != -1 || b.set[1].MaxAge != -1) {
				t.Errorf("cookies %v", b.set)
			}
			if rule == "two of them" {
				wants(t, i, text, valid) // it is ambiguous which is ours
				return
			}
			wants(t, i, text, refusedAs)
			left := slices.Contains([]string{"none", "a malformed one", "a forged one", "one that was replaced"}, rule)
			if list, err := i.Logins(t.Context(), "alice"); err != nil || (len(list) == 1) != left {
				t.Errorf("%d logins are left, %v", len(list), err)
			}
		}))
	}
}

// A late response to a logout without cookies deletes no newer cookie.
func TestLogoutDeletesOnlyWhatItWasSent(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access") })
	b := &browser{access: "left over"}
	if w := b.post(i.LogoutHandler()); w.Code != 204 || len(b.set) != 1 || b.set[0].Name != accessCookie {
		t.Errorf("cookies %v", b.set)
	}
}

// An own handler can write any response after a successful logout.
func TestLogoutLeavesTheAnswerToTheHandler(t *testing.T) {
	i := newIssuer(t)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := i.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
			return
		}
		middleware.ClearSiteData(w.Header())
		w.Write([]byte("good bye"))
	})
	b := loggedIn(t, i, "alice")
	text := b.refresh
	w := b.post(handler)
	if w.Code != 200 || w.Body.String() != "good bye" || w.Header().Get("Clear-Site-Data") == "" ||
		w.Header().Get("Cache-Control") != "no-store" || len(b.set) != 1 || b.set[0].MaxAge != -1 {
		t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	wants(t, i, text, refusedAs)

	for rule, c := range map[string]struct {
		method, field, value string
		status               int
	}{
		"another method": {"GET", "", "", 405},
		"another site":   {"POST", "Sec-Fetch-Site", "cross-site", 403},
		"no attempt":     {"POST", token.AttemptHeader, "", 403},
		"two cookies":    {"POST", "Cookie", refreshCookie + "=a; " + refreshCookie + "=b", 401},
	} {
		r := httptest.NewRequest(c.method, "/logout", nil)
		r.Header.Set(token.AttemptHeader, newAttempt())
		r.Header.Set(c.field, c.value)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if w.Code != c.status || w.Header().Get("Clear-Site-Data") != "" || strings.Count(w.Body.String(), `"status"`) != 1 {
			t.Errorf("%s: %d %v %q", rule, w.Code, w.Header(), w.Body)
		}
	}
}

func names(list []auth.Login) (ids []string) {
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

// ASVS 5.0, 7.5.2.
func TestLoginsShowsWhatGoesOn(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.IssuerConfig) {
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
		list, err := i.Logins(t.Context(), "alice")
		must(t, err)
		if len(list) != 2 || list[1].ID != loginIDOf(t, i, kept) {
			t.Fatalf("%+v", list)
		}
		l := list[0]
		if !strings.HasPrefix(l.UserAgent, "Firefoxé") || len(l.UserAgent) > 256 || l.Address != "192.0.2.1" ||
			l.LastUsed.Sub(l.AuthTime) != time.Minute || l.Expires.Sub(l.AuthTime) != 24*time.Hour {
			t.Errorf("%+v", l)
		}
		time.Sleep(time.Hour + time.Second)
		if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) > 0 {
			t.Errorf("after the idle time: %v %v", list, err)
		}
		if list, err := i.Logins(t.Context(), "unknown"); err != nil || len(list) > 0 {
			t.Errorf("%v %v", list, err)
		}
	})(t)
}

// ASVS 5.0, 7.4.2, 7.4.3, 7.4.5 and 10.4.9.
// Sessions and tokens of one namespace share a list: Logins shows both, LogoutOne and
// LogoutAll end both.
func TestSessionsAndTokensShareAList(t *testing.T) {
	s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
	tokens := newIssuer(t, over(s, keys), reportTo(j), func(c *token.IssuerConfig) { c.Namespace = "shop" })
	elsewhere := newIssuer(t, over(s, keys))
	sessions, err := session.New(session.Config{Store: s, Namespace: "shop"})
	must(t, err)
	start := func() (a, b token.Tokens, cookies string, sessionID string) {
		a, b = issued(t, tokens), issued(t, tokens)
		w := httptest.NewRecorder()
		must(t, sessions.Login(w, httptest.NewRequest("POST", "https://app.example/", nil), alice))
		cookies, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		list, err := sessions.Logins(t.Context(), "alice")
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
	all := []string{loginIDOf(t, tokens, a), loginIDOf(t, tokens, b), sessionID}
	if list, err := tokens.Logins(t.Context(), "alice"); err != nil || !slices.Equal(names(list), all) {
		t.Errorf("%v %v", list, err)
	}
	if list, err := sessions.Logins(t.Context(), "alice"); err != nil || !slices.Equal(names(list), all) {
		t.Errorf("%v %v", list, err)
	}
	j.take()
	must(t, tokens.LogoutOne(t.Context(), "bob", loginIDOf(t, tokens, a)))
	must(t, tokens.LogoutOne(t.Context(), "bob", sessionID))
	must(t, tokens.LogoutOne(t.Context(), "alice", "nonsense"))
	if !lives(cookies) || len(j.kinds()) > 0 {
		t.Error("LogoutOne of another subject ends something")
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
		t.Error("the session has ended")
	}
	wants(t, tokens, a.RefreshToken, refusedAs)
	wants(t, elsewhere, other.RefreshToken, valid)
}

// ASVS 5.0, 2.3.4.
// MaxLogins counts all logins of a subject, and the oldest is ended.
func TestBoundOfLoginsIsSharedWithSessions(t *testing.T) {
	s, keys := &store.Memory{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.Limits.MaxLogins = 3 })
	sessions, err := session.New(session.Config{Store: s, Limits: auth.Limits{MaxLogins: 3}})
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

// Above MaxLogins the least recently used login is ended.
func TestTheLeastRecentlyRefreshedIsEvictedFirst(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, over(&store.Memory{}, cheapKeys(t)), func(c *token.IssuerConfig) { c.Limits.MaxLogins = 3 })
		phone := issued(t, i)
		for range 5 {
			time.Sleep(time.Minute)
			other := issued(t, i)
			time.Sleep(time.Minute)
			tokens, err := i.Refresh(t.Context(), phone.RefreshToken, newAttempt())
			must(t, err)
			phone = tokens
			wants(t, i, other.RefreshToken, valid)
		}
		wants(t, i, phone.RefreshToken, valid)
	})(t)
}

// Logins of one subject that come at once, and their refreshes. A login waits for its turn
// for some seconds at most, so time is that of a bubble, which a busy machine does not use up.
func TestLoginsAtOnceOfOneSubjectAllSucceed(t *testing.T) {
	inBubble(func(t *testing.T) {
		const n = 300
		s := &meter{before: func(string, string) error {
			time.Sleep(100 * time.Microsecond)
			return nil
		}}
		i := newIssuer(t, over(s, cheapKeys(t)), func(c *token.IssuerConfig) { c.Limits.MaxLogins = 1000 })
		var wg sync.WaitGroup
		for range n {
			wg.Go(func() {
				if _, err := i.Issue(t.Context(), alice); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if calls := s.gets + s.swaps; calls > 5*n {
			t.Errorf("%d calls for %d logins", calls, n)
		}
		if err := i.LogoutAll(t.Context(), "alice"); err != nil {
			t.Error(err)
		}
	})(t)
}

// What a store cannot swap it can delete.
func TestLogoutWorksWhereNothingCanBeSwapped(t *testing.T) {
	s := &store.Memory{}
	keys := cheapKeys(t)
	i, full := newIssuer(t, over(s, keys)), newIssuer(t, over(swapless{s}, keys))
	own, one, all := issued(t, i), issued(t, i), issued(t, i)
	must(t, full.Revoke(t.Context(), own.RefreshToken))
	list, err := i.Logins(t.Context(), "alice")
	must(t, err)
	must(t, full.LogoutOne(t.Context(), "alice", list[0].ID))
	wants(t, i, all.RefreshToken, valid)
	must(t, full.LogoutAll(t.Context(), "alice"))
	for _, tokens := range []token.Tokens{own, one, all} {
		if _, err := i.Refresh(t.Context(), tokens.RefreshToken, newAttempt()); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error(err)
		}
	}
}

type swapless struct{ *store.Memory }

func (swapless) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, store.ErrFull
}

// A store that takes no writes any more must not keep a login alive that was
// detected as stolen.
func TestReuseEndsTheLoginWhereNothingCanBeSwapped(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
		i, full := newIssuer(t, over(s, keys)), newIssuer(t, over(swapless{s}, keys), reportTo(j))
		stolen := issued(t, i).RefreshToken
		current := refreshed(t, i, stolen).RefreshToken
		time.Sleep(gracePeriod + time.Second)
		wants(t, full, stolen, reused)
		if kinds := j.kinds(); !slices.Contains(kinds, auth.EventReuse) {
			t.Errorf("events %v", kinds)
		}
		wants(t, i, current, refusedAs)
	})(t)
}
