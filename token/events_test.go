package token_test

import (
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// The event of an unauthenticated credential has no subject. The event of an access
// token also has an error.
func TestEventNamesOnlyAnAuthenticatedSubject(t *testing.T) {
	refresh := func(change func([]byte)) func(*testing.T, *token.Issuer, token.Tokens) {
		return func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			i.Refresh(t.Context(), respell(tokens.RefreshToken, change), newAttempt())
		}
	}
	verify := func(t *testing.T, i *token.Issuer, tokens token.Tokens) { i.Verify(t.Context(), tokens.AccessToken) }
	for rule, c := range map[string]struct {
		later    time.Duration
		audience string // that of the issuer that is asked
		do       func(*testing.T, *token.Issuer, token.Tokens)
		kind     auth.EventKind
		reason   string
		subject  bool
		loginID  bool
		err      bool
	}{
		"a refresh token that is not one": {0, audienceName, func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			i.Refresh(t.Context(), tokens.RefreshToken[1:], newAttempt())
		}, auth.EventRejected, "malformed refresh token", false, false, false},
		"a forged one":                {0, audienceName, refresh(func(b []byte) { b[len(b)-1]++ }), auth.EventRejected, "forged refresh token", false, true, false},
		"one of a login that is gone": {0, audienceName, refresh(func(b []byte) { b[1]++ }), auth.EventExpired, "unknown", false, true, false},
		"one that has expired":        {time.Hour + 1, audienceName, refresh(func([]byte) {}), auth.EventExpired, "", true, true, false},
		"an expired access token":     {11 * time.Minute, audienceName, verify, auth.EventExpired, "", true, true, true},
		"one of a login that has ended": {0, audienceName, func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			must(t, i.LogoutAll(t.Context(), "alice"))
			verify(t, i, tokens)
		}, auth.EventRejected, "login has ended", true, true, true},
		"a refresh token of one": {0, audienceName, func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			must(t, i.LogoutAll(t.Context(), "alice"))
			refresh(func([]byte) {})(t, i, tokens)
		}, auth.EventRejected, "login has ended", false, true, false},
		"one of its own logout, of a slow tab": {0, audienceName, func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			must(t, i.Revoke(t.Context(), tokens.RefreshToken))
			refresh(func([]byte) {})(t, i, tokens)
		}, auth.EventLogout, "", true, true, false},
		"one for another audience": {0, "another", verify, auth.EventRejected, "wrong audience", false, false, true},
		"one that is not one": {0, audienceName, func(t *testing.T, i *token.Issuer, tokens token.Tokens) {
			i.Verify(t.Context(), tokens.AccessToken[1:])
		}, auth.EventRejected, "malformed token", false, false, true},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
			tokens := issued(t, newIssuer(t, over(s, keys)))
			time.Sleep(c.later)
			c.do(t, newIssuer(t, over(s, keys), reportTo(j), func(config *token.IssuerConfig) {
				config.Audience, config.RevocationCheck = c.audience, true
			}), tokens)
			events := j.take()
			if len(events) == 0 {
				t.Fatal("no event was emitted")
			}
			e := events[len(events)-1]
			if e.Kind != c.kind || e.Reason != c.reason || (e.Subject == "alice") != c.subject || (len(e.LoginID) == 22) != c.loginID || (e.Err != nil) != c.err {
				t.Errorf("%+v", e)
			}
		}))
	}
}
