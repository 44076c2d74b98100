package token_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// With its attempt an answer that was lost is got again, however late.
func TestI4LostAnswerIsGotAgainByItsAttempt(t *testing.T) {
	for _, later := range []time.Duration{0, time.Second, gracePeriod, gracePeriod + time.Second, 30 * time.Minute, 50 * time.Minute} {
		t.Run(later.String(), inBubble(func(t *testing.T) {
			j := &journal{}
			i := newIssuer(t, reportTo(j))
			used, attempt := issued(t, i).RefreshToken, newAttempt()
			lost, err := i.Refresh(t.Context(), used, attempt)
			must(t, err)
			j.take()
			time.Sleep(later)
			again, err := i.Refresh(t.Context(), used, attempt)
			must(t, err)
			if again.RefreshToken != lost.RefreshToken || again.Generation != lost.Generation {
				t.Error("it is another answer")
			}
			if want := later > gracePeriod; slices.Contains(j.kinds(), auth.EventRecovered) != want {
				t.Errorf("recovered: %v", !want)
			}
			time.Sleep(gracePeriod + time.Second)
			wants(t, i, again.RefreshToken, valid)
		}))
	}
}

// ASVS 5.0, 11.2.2.
// New keys within a grace period change no response.
func TestI15KeysRotateInsideAGracePeriod(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		a, b := newIssuer(t, over(s, keys)), newIssuer(t, over(s, keys))
		first := issued(t, a).RefreshToken
		second := refreshed(t, a, first).RefreshToken
		must(t, keys.Rotate())
		if refreshed(t, b, first).RefreshToken != second || refreshed(t, a, second).RefreshToken != second {
			t.Error("another successor")
		}
		time.Sleep(gracePeriod + time.Second)
		must(t, keys.Rotate())
		third := refreshed(t, b, second).RefreshToken
		wants(t, a, third, valid)
	})(t)
}

// A dropped secret ends its logins. A host that has missed a rotation does not know the
// secret of later logins, and ends none of them.
func TestI15RetiredSecretRevokesAndUnknownOneWaits(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
		text, err := keys.Bytes()
		must(t, err)
		outdated, err := token.ParseKeySet(text)
		must(t, err)
		elsewhere := newIssuer(t, over(s, outdated), reportTo(j))
		for range 2 { // the first makes a key current that the other host knows
			time.Sleep(time.Hour)
			must(t, keys.Rotate())
		}
		i := newIssuer(t, over(s, keys), reportTo(j))
		b := loggedIn(t, i, "alice")
		j.take()
		wants(t, elsewhere, b.refresh, unavailable)
		if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventFault}) {
			t.Errorf("events %v", kinds)
		}
		if w := b.post(elsewhere.LogoutHandler()); w.Code != http.StatusServiceUnavailable || b.refresh == "" {
			t.Errorf("logout there: %d, and the cookie is %q", w.Code, b.refresh)
		}
		wants(t, i, b.refresh, valid)
		must(t, keys.Rotate())
		wants(t, i, b.refresh, valid)
		_, err = keys.DropFormer(0)
		must(t, err)
		wants(t, i, b.refresh, refusedAs)
	})(t)
}

// InkVisitor#2305, papercups#90: a program that makes new keys at each start, over a store
// that stays, answered every refresh and logout of an earlier login with 503, so its page
// never reached the login form.
func TestNewKeysOverAnOldStoreLeadToTheLoginForm(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, j := &store.Memory{}, &journal{}
		b := loggedIn(t, newIssuer(t, over(s, cheapKeys(t))), "alice")
		second := loggedIn(t, newIssuer(t, over(s, cheapKeys(t))), "alice")
		time.Sleep(time.Second)
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j)) // the restart
		old := b.refresh
		w := b.post(i.RefreshHandler())
		if w.Code != http.StatusUnauthorized || !strings.Contains(w.Body.String(), "urn:authlatch:refresh:invalid") {
			t.Errorf("refresh: %d %s", w.Code, w.Body)
		}
		if events := j.take(); len(events) != 1 || events[0].Kind != auth.EventRejected || events[0].Reason != "refresh secret lost" || events[0].LoginID == "" || events[0].Subject != "" {
			t.Errorf("events %+v", events)
		}
		if w := second.post(i.LogoutHandler()); w.Code != http.StatusNoContent || second.refresh != "" {
			t.Errorf("logout: %d, and the cookie is %q", w.Code, second.refresh)
		}
		_, err := b.login(i, "alice")
		must(t, err)
		if b.refresh == old || b.refresh == "" {
			t.Error("the cookie was not replaced")
		}
		if w := b.post(i.RefreshHandler()); w.Code != http.StatusOK {
			t.Errorf("the new login: %d %s", w.Code, w.Body)
		}
		must(t, i.LogoutAll(t.Context(), "alice"))
		if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) != 0 {
			t.Errorf("after LogoutAll: %v, %v", list, err)
		}
	})(t)
}

// The host that still has the keys is not affected by one that has lost them.
func TestHostThatHasLostItsKeysEndsNothingInTheStore(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		text := issued(t, i).RefreshToken
		time.Sleep(time.Second)
		other := newIssuer(t, over(s, cheapKeys(t)))
		s.reset()
		wants(t, other, text, refusedAs)
		if err := other.Revoke(t.Context(), text); !errors.Is(err, auth.ErrUnauthenticated) {
			t.Error(err)
		}
		if _, swaps, writes := s.reset(); swaps+writes != 0 {
			t.Errorf("%d writes", writes)
		}
		wants(t, i, text, valid)
	})(t)
}

// A client that sends no attempt is served where that is allowed, and loses its
// login with a lost answer.
func TestAttemptIsRequiredUnlessOptional(t *testing.T) {
	inBubble(func(t *testing.T) {
		strict, lax := newIssuer(t), newIssuer(t, func(c *token.IssuerConfig) { c.AttemptOptional = true })
		for rule, attempt := range map[string]string{
			"none": "", "21 characters": newAttempt()[:21], "129 characters": strings.Repeat("a", 129),
			"a space": newAttempt()[:21] + " ", "a plus": newAttempt()[:21] + "+", "a line feed": newAttempt() + "\n",
			"not ASCII": newAttempt()[:21] + "é", "padded": newAttempt() + "==", "a NUL": newAttempt()[:21] + "\x00",
		} {
			for which, i := range map[string]*token.Issuer{"strict": strict, "lax": lax} {
				text := issued(t, i).RefreshToken
				_, err := i.Refresh(t.Context(), text, attempt)
				if rule == "none" && which == "lax" {
					must(t, err)
				} else if !errors.Is(err, auth.ErrForbidden) {
					t.Errorf("%s, %s: %v", rule, which, err)
				}
			}
		}
		for _, attempt := range []string{newAttempt(), strings.Repeat("_-", 64)} {
			if _, err := strict.Refresh(t.Context(), issued(t, strict).RefreshToken, attempt); err != nil {
				t.Errorf("%d characters: %v", len(attempt), err)
			}
		}
		text := issued(t, lax).RefreshToken
		for range 2 {
			_, err := lax.Refresh(t.Context(), text, "")
			must(t, err)
		}
		time.Sleep(gracePeriod + time.Second)
		if _, err := lax.Refresh(t.Context(), text, ""); !errors.Is(err, token.ErrReused) {
			t.Error(err)
		}
	})(t)
}

// A client that has presented the token which it recovered has not lost it: from then
// on its idempotency key recovers nothing, and to repeat it is reuse.
func TestPresentingTheRecoveredTokenEndsItsRecovery(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		first, attempt := issued(t, i).RefreshToken, newAttempt()
		refresh := func(text, attempt, want string) (tokens token.Tokens) {
			t.Helper()
			tokens, err := i.Refresh(t.Context(), text, attempt)
			if errors.Is(err, token.ErrReused) != (want == reused) || (err == nil) != (want == valid) {
				t.Fatalf("%v, want %s", err, want)
			}
			return tokens
		}
		refresh(first, attempt, valid) // the response is lost
		time.Sleep(gracePeriod + time.Second)
		current := refresh(first, attempt, valid).RefreshToken
		s.reset()
		if again := refresh(current, newAttempt(), valid).RefreshToken; again != current {
			t.Error("it rotates while other responses may be in flight")
		}
		if _, _, writes := s.reset(); writes != 1 {
			t.Errorf("%d writes note the presentation", writes)
		}
		time.Sleep(gracePeriod / 2)
		refresh(first, attempt, valid) // it was in flight
		time.Sleep(gracePeriod)
		refresh(first, attempt, reused)
		refresh(current, newAttempt(), refusedAs)
	})(t)
}
