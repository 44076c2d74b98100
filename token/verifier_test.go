package token_test

import (
	"context"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 10.3.3.
func TestIdentityIsWhatTheTokenSays(t *testing.T) {
	m := newMinter(t)
	all := with(map[string]any{"role": "editor", "tenant": map[string]any{"id": 7}, "acr": "1", "azp": "app", "nbf": time.Now().Unix()})
	got, err := m.verifier().Verify(t.Context(), m.mint(all))
	must(t, err)
	id := got.Identity()
	want := auth.Identity{
		Subject: "alice", Issuer: issuerName, Scopes: "read write admin", Methods: "pwd", LoginID: "login-1",
		AuthTime: time.Unix(all["auth_time"].(int64), 0), Expires: time.Unix(all["exp"].(int64), 0),
		Claims: `{"role":"editor","tenant":{"id":7}}`, Credential: got,
	}
	if id != want {
		t.Errorf("got  %+v\nwant %+v", id, want)
	}
	if got.ID() != "id-1" || got.ClientID() != "app" || !got.IssuedAt().Equal(time.Unix(all["iat"].(int64), 0)) {
		t.Errorf("ID %q, client %q, issued at %v", got.ID(), got.ClientID(), got.IssuedAt())
	}
	if err := id.Validate(); err != nil {
		t.Error(err)
	}
}

func TestClaimsOfTheApplicationAloneAreKept(t *testing.T) {
	m := newMinter(t)
	got, err := m.verifier().Verify(t.Context(), m.mint(claims()))
	must(t, err)
	if c := got.Identity().Claims; c != "" {
		t.Errorf("claims are %s, want none", c)
	}
}

func TestOptionalClaimsMayBeMissing(t *testing.T) {
	m := newMinter(t)
	for _, name := range []string{"scope", "auth_time", "amr", "sid"} {
		got, err := m.verifier().Verify(t.Context(), m.mint(with(map[string]any{name: nil})))
		if err != nil {
			t.Errorf("without %s: %v", name, err)
			continue
		}
		if id := got.Identity(); name == "auth_time" && !id.AuthTime.IsZero() {
			t.Errorf("without auth_time it is %v", id.AuthTime)
		}
	}
	if _, err := m.verifier().Verify(t.Context(), m.mint(with(map[string]any{"amr": []string{}, "scope": ""}))); err != nil {
		t.Errorf("with empty lists: %v", err)
	}
}

// ASVS 5.0, 9.2.1.
// Each date is tried on both sides of its bound, to the second and, through the
// clock, to the nanosecond.
func TestDatesHoldToTheNanosecond(t *testing.T) {
	const leeway = 30 * time.Second
	for _, c := range []struct {
		name      string
		claim     string
		at        time.Duration // of the claim, from now
		later     time.Duration // when it is verified
		ok        bool
		isExpired bool
	}{
		{"exp: the last moment of the leeway", "exp", time.Minute, time.Minute + leeway - 1, true, false},
		{"exp: the end of the leeway", "exp", time.Minute, time.Minute + leeway, false, true},
		{"exp: long over", "exp", time.Minute, time.Hour, false, true},
		{"iat: the end of the leeway", "iat", leeway, 0, true, false},
		{"iat: a second too early", "iat", leeway + time.Second, 0, false, false},
		{"iat: a nanosecond too early", "iat", leeway + time.Second, time.Second - 1, false, false},
		{"iat: in time by then", "iat", leeway + time.Second, time.Second, true, false},
		{"nbf: the end of the leeway", "nbf", leeway, 0, true, false},
		{"nbf: a nanosecond too early", "nbf", leeway + time.Second, time.Second - 1, false, false},
		{"nbf: in time by then", "nbf", leeway + time.Second, time.Second, true, false},
		{"auth_time: the end of the leeway", "auth_time", leeway, 0, true, false},
		{"auth_time: from the future it would be recent for ever", "auth_time", leeway + time.Second, 0, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMinter(t)
				text := m.mint(with(map[string]any{c.claim: time.Now().Add(c.at).Unix()}))
				// Both ways, by the signature and by the cache, see the same clock.
				v := m.verifier(func(v *token.VerifierConfig) { v.Leeway = leeway })
				v.Verify(t.Context(), text)
				time.Sleep(c.later)
				for _, v := range []*token.Verifier{v, m.verifier()} {
					got, err := v.Verify(t.Context(), text)
					if (err == nil) != c.ok || errors.Is(err, token.ErrExpired) != c.isExpired {
						t.Errorf("error %v", err)
					}
					if err != nil && (got != nil || !errors.Is(err, auth.ErrUnauthenticated)) {
						t.Errorf("token %v, error %v", got, err)
					}
				}
			})
		})
	}
}

// ASVS 5.0, 1.4.2 and 8.3.2.
func TestLifetimeOfATokenIsBounded(t *testing.T) {
	m := newMinter(t)
	now := time.Now().Unix()
	for _, c := range []struct {
		name string
		exp  int64
		ok   bool
	}{
		{"one second", now + 1, true},
		{"no time", now, false},
		{"negative", now - 1, false},
		{"an hour", now + 3600, true},
		{"an hour and a second", now + 3601, false},
		{"for ever", 253402300799, false},
	} {
		_, err := m.verifier().Verify(t.Context(), m.mint(with(map[string]any{"iat": now, "auth_time": now, "exp": c.exp})))
		if (err == nil) != c.ok || errors.Is(err, token.ErrExpired) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
}

// A client refreshes because of ErrExpired, so it must be the only fault.
func TestErrExpiredSaysThatNothingElseIsWrong(t *testing.T) {
	m := newMinter(t)
	past := map[string]any{"iat": time.Now().Unix() - 900, "auth_time": nil, "exp": time.Now().Unix() - 300}
	if _, err := m.verifier().Verify(t.Context(), m.mint(with(past))); !errors.Is(err, token.ErrExpired) {
		t.Errorf("error %v", err)
	}
	for name, value := range map[string]any{"aud": "x", "iss": "x", "sub": "", "jti": nil, "cnf": map[string]any{}, "scope": 1} {
		past := maps.Clone(past)
		past[name] = value
		_, err := m.verifier().Verify(t.Context(), m.mint(with(past)))
		if errors.Is(err, token.ErrExpired) || !errors.Is(err, auth.ErrUnauthenticated) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestConfigurationThatCannotWorkIsRefused(t *testing.T) {
	m := newMinter(t)
	for name, change := range map[string]func(*token.VerifierConfig){
		"no keys":                            func(c *token.VerifierConfig) { c.Keys = nil },
		"a nil key set":                      func(c *token.VerifierConfig) { c.Keys = (*token.KeySet)(nil) },
		"a nil remote key set":               func(c *token.VerifierConfig) { c.Keys = (*token.RemoteKeySet)(nil) },
		"keys behind a wrapper":              func(c *token.VerifierConfig) { c.Keys = struct{ *token.KeySet }{m.keys} },
		"no issuer":                          func(c *token.VerifierConfig) { c.Issuer = "" },
		"no audience":                        func(c *token.VerifierConfig) { c.Audience = "" },
		"a negative leeway":                  func(c *token.VerifierConfig) { c.Leeway = -1 },
		"a leeway over 5 minutes":            func(c *token.VerifierConfig) { c.Leeway = 5*time.Minute + 1 },
		"a cache of -2":                      func(c *token.VerifierConfig) { c.CacheSize = -2 },
		"an endless cache":                   func(c *token.VerifierConfig) { c.CacheSize = 1 << 30 },
		"a broken cookie":                    func(c *token.VerifierConfig) { c.AccessCookie = cookie.New("a b") },
		"a cookie for scripts":               func(c *token.VerifierConfig) { c.AccessCookie = cookie.New("a").ReadableByScripts() },
		"a revocation check without a store": func(c *token.VerifierConfig) { c.RevocationCheck = &token.RevocationCheck{} },
		"a revocation check with a negative interval": func(c *token.VerifierConfig) {
			c.RevocationCheck = &token.RevocationCheck{Store: &store.Memory{}, Every: -1}
		},
		"a revocation check of foreign tokens": func(c *token.VerifierConfig) {
			c.RevocationCheck = &token.RevocationCheck{Store: &store.Memory{}}
			c.Foreign = &token.Foreign{}
		},
		"foreigners back in time": func(c *token.VerifierConfig) { c.Foreign = &token.Foreign{MaxLifetime: -1} },
		"sub in the place of aud": func(c *token.VerifierConfig) { c.Foreign = &token.Foreign{AudienceClaim: "sub"} },
	} {
		c := token.VerifierConfig{Keys: m.keys, Issuer: issuerName, Audience: audienceName}
		change(&c)
		if v, err := token.NewVerifier(c); err == nil || v != nil {
			t.Errorf("%s: %v, error %v", name, v, err)
		}
	}
}

func TestLimitsOfTheConfigurationAreWithin(t *testing.T) {
	m := newMinter(t)
	for _, change := range []func(*token.VerifierConfig){
		func(c *token.VerifierConfig) { c.Leeway = 5 * time.Minute },
		func(c *token.VerifierConfig) { c.CacheSize = token.NoCache },
		func(c *token.VerifierConfig) { c.CacheSize = 1 },
	} {
		for range 2 {
			if _, err := m.verifier(change).Verify(t.Context(), m.mint(claims())); err != nil {
				t.Error(err)
			}
		}
	}
}

// Without keys a token can be neither accepted nor refused: it is not a 401.
func TestNoKeysIsNeitherYesNorNo(t *testing.T) {
	m := newMinter(t)
	// The file of keys whose signer is elsewhere has no signing key.
	path := filepath.Join(t.TempDir(), "keys.json")
	must(t, m.keys.Save(path))
	loaded, err := token.LoadKeySet(path)
	must(t, err)
	for name, keys := range map[string]*token.KeySet{"the zero set": {}, "a set without its signer": loaded} {
		v := m.verifier(func(c *token.VerifierConfig) { c.Keys = keys })
		for _, text := range []string{m.mint(claims()), "garbage"} {
			if got, err := v.Verify(t.Context(), text); got != nil || outcome(err) != "unknown" {
				t.Errorf("%s: %v, error %v", name, got, err)
			}
		}
	}
}

// ASVS 5.0, 16.3.1 and 16.3.3.
func TestRefusalsAreEvents(t *testing.T) {
	m := newMinter(t)
	var received []auth.Event
	v := m.verifier(func(c *token.VerifierConfig) {
		c.Events = func(_ context.Context, e auth.Event) { received = append(received, e) }
	})
	past := map[string]any{"iat": time.Now().Unix() - 900, "auth_time": nil, "exp": time.Now().Unix() - 300}
	good := m.mint(claims())
	for _, text := range []string{good, "x", m.mint(with(past)), m.mint(with(map[string]any{"aud": "x"})), newMinter(t).mint(claims()), good[:len(good)-8] + "AAAAAAAA"} {
		v.Verify(t.Context(), text)
	}
	var got []string
	for _, e := range received {
		if e.Source != "token" || e.Time.IsZero() {
			t.Errorf("%+v", e)
		}
		got = append(got, strings.TrimSpace(string(e.Kind)+" "+e.Reason+" "+e.Subject))
	}
	want := []string{"rejected malformed token", "expired  alice", "rejected wrong audience", "rejected unknown key", "rejected wrong signature"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
