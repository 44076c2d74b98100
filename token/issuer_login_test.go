package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 9.2.4.
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
		list, err := i.Logins(t.Context(), "alice")
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

// A requested expiry is capped at MaxLifetime.
func TestRequestedExpiryIsCapped(t *testing.T) {
	const hour, day = time.Hour, 24 * time.Hour
	for rule, c := range map[string]struct {
		requested, lasts time.Duration
	}{
		"none":                  {0, 24 * hour},
		"a shorter one":         {hour, hour},
		"a very short one":      {1500 * time.Millisecond, 1500 * time.Millisecond},
		"a longer one":          {5 * day, 5 * day},
		"one beyond the limit":  {365 * day, 30 * day},
		"one beyond all limits": {200 * 365 * day, 30 * day},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			i := newIssuer(t, func(c *token.IssuerConfig) {
				c.Limits.RememberedIdleTimeout = 3 * hour
			})
			id := alice
			if c.requested > 0 {
				id.Expires = time.Now().Add(c.requested)
			}
			tokens, err := i.Issue(t.Context(), id)
			must(t, err)
			list, err := i.Logins(t.Context(), "alice")
			if err != nil || len(list) != 1 || time.Until(list[0].Expires) != c.lasts {
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
	i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
	for rule, id := range map[string]auth.Identity{
		"no subject":                           {},
		"another issuer":                       {Subject: "alice", Issuer: issuerName + "2"},
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
		j.wantsFault(t, rule, id.Subject[:min(len(id.Subject), 255)], err)
		w := httptest.NewRecorder()
		err = i.Login(w, (&browser{}).request("POST", "/"), id)
		if outcome(err) != unavailable || w.Body.Len() > 0 || len(w.Header()) > 0 {
			t.Errorf("%s: %v", rule, err)
		}
		j.wantsFault(t, rule, id.Subject[:min(len(id.Subject), 255)], err)
	}
	if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) > 0 {
		t.Errorf("%v %v", list, err)
	}
}

// A login whose cookie cannot be set is a 503 and is reported.
func TestACookieThatCannotBeSetIsAFault(t *testing.T) {
	s, j := &meter{}, &journal{}
	i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j), func(c *token.IssuerConfig) { c.Cookie = cookie.New("refresh").Insecure() })
	w := httptest.NewRecorder()
	err := i.Login(w, (&browser{}).request("POST", "/"), alice)
	if outcome(err) != unavailable || len(w.Header()) > 0 {
		t.Error(err)
	}
	j.wantsFault(t, "not on loopback", "alice", err)
	if _, swaps, _ := s.reset(); swaps > 0 {
		t.Errorf("%d writes", swaps)
	}
}

// ASVS 5.0, 7.2.4.
// Login ends the browser's previous login, of any generation and subject, and
// nothing that only looks like it.
func TestLoginEndsTheOldLogin(t *testing.T) {
	for rule, c := range map[string]struct {
		subject string
		cookie  func(t *testing.T, i *token.Issuer, old string) string
		ends    bool
	}{
		"of the same subject": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old }, true},
		"of another subject":  {"bob", func(_ *testing.T, _ *token.Issuer, old string) string { return old }, true},
		"by a used token":     {"alice", func(t *testing.T, i *token.Issuer, old string) string { refreshed(t, i, old); return old }, true},
		"not by a forged one": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string {
			return respell(old, func(b []byte) { b[20] ^= 1 })
		}, false},
		"not by a malformed one": {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old[1:] }, false},
		"not by two of them":     {"alice", func(_ *testing.T, _ *token.Issuer, old string) string { return old + "; " + refreshCookie + "=" + old }, false},
		"not without a cookie":   {"alice", func(*testing.T, *token.Issuer, string) string { return "" }, false},
	} {
		s, keys := &store.Memory{}, cheapKeys(t)
		i := newIssuer(t, over(s, keys))
		live := newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.RevocationCheck = true })
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
		if list, err := i.Logins(t.Context(), "alice"); err != nil || (len(list) == 1) != (c.ends && c.subject == "alice") && c.subject == "alice" {
			t.Errorf("%s: %v %v", rule, list, err)
		}
		wants(t, i, b.refresh, valid)
	}
}

// ASVS 5.0, 2.3.3.
// A login that fails at any call of the store never leaves two live logins: either the
// old login is live and there is no new one, or no client has the tokens of the new one.
func TestLoginThatFailsLeavesNoSecondLogin(t *testing.T) {
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
			// The next login succeeds in any case.
			_, err = b.login(i, "alice")
			must(t, err)
			wants(t, i, b.refresh, valid)
			wants(t, i, old, refusedAs)
		}
	}
}

// A failed login does not end the previous login.
func TestLoginThatComesToNothingLeavesTheOldOne(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	b := loggedIn(t, i, "alice")
	for rule, c := range map[string]struct {
		subject string
		header  http.Header
		down    bool
	}{
		"without a subject":   {"", nil, false},
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
			t.Errorf("%s: the previous login has ended", rule)
		}
	}
}

// Each single failure is tolerated, or reported.
func TestLoginToleratesOneFailure(t *testing.T) {
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
			list, listErr := i.Logins(t.Context(), "alice")
			must(t, listErr)
			if err == nil {
				wants(t, i, old, refusedAs)
				wants(t, i, b.refresh, valid)
			} else if len(list) > 1 {
				t.Errorf("call %d: %d logins", n, len(list))
			}
		}
	}
}

// An unreadable family does not prevent a login.
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
			t.Errorf("logout: %d", w.Code)
		}
		wants(t, i, text, refusedAs)
	}
}

// ASVS 5.0, 15.4.1.
// Many at once never see each other.
func TestManyLoginsAtOnceStayApart(t *testing.T) {
	i := newIssuer(t)
	var wg sync.WaitGroup
	for n := range 200 {
		wg.Go(func() {
			subject := fmt.Sprint("user ", n)
			tokens, err := i.Issue(context.Background(), auth.Identity{Subject: subject})
			for range 3 {
				if err != nil {
					t.Error(err)
					return
				}
				v, verifyErr := i.Verify(context.Background(), tokens.AccessToken)
				if verifyErr != nil || v.Identity().Subject != subject {
					t.Errorf("%s sees another: %v", subject, verifyErr)
					return
				}
				tokens, err = i.Refresh(context.Background(), tokens.RefreshToken, newAttempt())
			}
		})
	}
	wg.Wait()
}

// The LoginID stays the same from one refresh to the next, and is that of the
// access token.
func TestTokensNameTheirLogin(t *testing.T) {
	i := newIssuer(t)
	first := issued(t, i)
	second, err := i.Refresh(t.Context(), first.RefreshToken, newAttempt())
	must(t, err)
	got, err := i.Verify(t.Context(), second.AccessToken)
	must(t, err)
	if id := got.Identity().LoginID; id == "" || first.LoginID != id || second.LoginID != id {
		t.Errorf("%q, %q, and the token says %q", first.LoginID, second.LoginID, id)
	}
}
