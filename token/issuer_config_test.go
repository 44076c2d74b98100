package token_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 9.2.4.
func TestConfigurationsThatCannotWorkAreRefused(t *testing.T) {
	for rule, change := range map[string]func(*token.IssuerConfig){
		"no keys":                         func(c *token.IssuerConfig) { c.Keys = nil },
		"an empty key set":                func(c *token.IssuerConfig) { c.Keys = new(token.KeySet) },
		"no store":                        func(c *token.IssuerConfig) { c.Store = nil },
		"no issuer":                       func(c *token.IssuerConfig) { c.Issuer = "" },
		"no audience":                     func(c *token.IssuerConfig) { c.Audience = "" },
		"no client":                       func(c *token.IssuerConfig) { c.ClientID = "" },
		"access for a moment":             func(c *token.IssuerConfig) { c.AccessLifetime = time.Second - 1 },
		"access for over an hour":         func(c *token.IssuerConfig) { c.AccessLifetime = time.Hour + 1 },
		"idle before access ends":         func(c *token.IssuerConfig) { c.AccessLifetime, c.Limits.IdleTimeout = 10*time.Minute, 10*time.Minute-1 },
		"a grace period of a moment":      func(c *token.IssuerConfig) { c.GracePeriod = time.Second - 1 },
		"a grace period of over a minute": func(c *token.IssuerConfig) { c.GracePeriod = time.Minute + 1 },
		"a cookie for scripts":            func(c *token.IssuerConfig) { c.Cookie = cookie.New("refresh").ReadableByScripts() },
		"a cookie that is none":           func(c *token.IssuerConfig) { c.Cookie = cookie.New("a b") },
		"an access cookie for scripts": func(c *token.IssuerConfig) {
			c.AccessCookie = cookie.New("access").ReadableByScripts()
		},
		"an access cookie that is none": func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("a b") },
		"two cookies of one name":       func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("refresh").MaxAge(time.Hour) },
		"an origin of native clients":   func(c *token.IssuerConfig) { c.CrossOrigin, c.NativeClients = auth.RequireOrigin(nil), true },
	} {
		c := token.IssuerConfig{Keys: cheapKeys(t), Store: &store.Memory{}, Issuer: issuerName, Audience: audienceName, ClientID: "app"}
		change(&c)
		if i, err := token.NewIssuer(c); err == nil || i != nil || !strings.HasPrefix(err.Error(), "token: ") {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

// A negative field is refused by its own name, not by that of a derived one.
func TestNegativeLimitsAreNamed(t *testing.T) {
	for field, change := range map[string]func(*token.IssuerConfig){
		"AccessLifetime": func(c *token.IssuerConfig) { c.AccessLifetime = -1 },
		"GracePeriod":    func(c *token.IssuerConfig) { c.GracePeriod = -1 },
	} {
		c := token.IssuerConfig{Keys: cheapKeys(t), Store: &store.Memory{}, Issuer: issuerName, Audience: audienceName, ClientID: "app"}
		change(&c)
		if _, err := token.NewIssuer(c); err == nil || !strings.HasPrefix(err.Error(), "token: IssuerConfig."+field+" ") {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// What is left out follows a shorter Lifetime; an IdleTimeout that is set never
// moves the limit.
func TestDefaultsFollowAShorterLifetime(t *testing.T) {
	for _, lifetime := range []time.Duration{time.Second, 5 * time.Minute, time.Hour - 1, 12 * time.Hour} {
		inBubble(func(t *testing.T) {
			i := newIssuer(t, func(c *token.IssuerConfig) { c.Limits.Lifetime = lifetime })
			tokens := issued(t, i)
			if want := min(600, int64(lifetime/time.Second)); tokens.ExpiresIn != want {
				t.Errorf("%v: access for %d s, want %d", lifetime, tokens.ExpiresIn, want)
			}
			time.Sleep(min(lifetime, time.Hour) - time.Millisecond)
			wants(t, i, tokens.RefreshToken, valid)
			time.Sleep(lifetime)
			wants(t, i, tokens.RefreshToken, refusedAs)
		})(t)
	}
}

func TestLimitsOfTheIssuerAreWithin(t *testing.T) {
	for rule, change := range map[string]func(*token.IssuerConfig){
		"the defaults":        func(*token.IssuerConfig) {},
		"access for a second": func(c *token.IssuerConfig) { c.AccessLifetime = time.Second },
		"access for an hour":  func(c *token.IssuerConfig) { c.AccessLifetime = time.Hour },
		"all limits are one": func(c *token.IssuerConfig) {
			c.AccessLifetime, c.Limits.IdleTimeout, c.Limits.Lifetime = time.Hour, time.Hour, time.Hour
		},
		"a grace period of a second": func(c *token.IssuerConfig) { c.GracePeriod = time.Second },
		"a grace period of a minute": func(c *token.IssuerConfig) { c.GracePeriod = time.Minute },
		"a cookie of its own":        func(c *token.IssuerConfig) { c.Cookie = cookie.New("r").Path("/auth").SameSiteLax() },
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
		list, err := i.Logins(t.Context(), "alice")
		must(t, err)
		if time.Until(list[0].Expires) != 24*time.Hour || list[0].Address != "" {
			t.Errorf("%+v", list[0])
		}
		for range 100 {
			issued(t, i)
		}
		if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) != 100 {
			t.Errorf("%d logins, %v", len(list), err)
		}
	})(t)
}

// Clients that started together do not refresh together.
func TestRefreshAfterIsJittered(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.AccessLifetime = time.Hour; c.Limits.MaxLogins = 1000 })
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
