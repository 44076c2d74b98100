package token_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// worlds returns two issuers that share keys and store, and differ as told.
func worlds(t *testing.T, one, other func(*token.Config)) (a, b *token.Issuer) {
	keys, s := cheapKeys(t), &store.Memory{}
	make := func(change func(*token.Config)) *token.Issuer {
		c := token.Config{Keys: keys, Store: s, Issuer: "https://login.example", Audience: "https://api.example", ClientID: "app"}
		change(&c)
		i, err := token.NewIssuer(c)
		must(t, err)
		return i
	}
	return make(one), make(other)
}

// RFC 6749, 6: a refresh token is for whom it was issued.
func TestRefreshTokenOpensNothingAtAnotherIssuer(t *testing.T) {
	for rule, change := range map[string]func(*token.Config){
		"another issuer":    func(c *token.Config) { c.Issuer = "https://other.example" },
		"another audience":  func(c *token.Config) { c.Audience = "https://admin.example" },
		"another client":    func(c *token.Config) { c.ClientID = "other" },
		"another namespace": func(c *token.Config) { c.Namespace = "staff" },
	} {
		a, b := worlds(t, func(*token.Config) {}, change)
		tokens, err := a.Issue(t.Context(), auth.Identity{Subject: "alice"})
		must(t, err)
		if _, err := b.Refresh(t.Context(), tokens.RefreshToken, newAttempt()); outcome(err) != "bad" {
			t.Errorf("%s: %v", rule, err)
		}
		if err := b.Revoke(t.Context(), tokens.RefreshToken); outcome(err) != "bad" {
			t.Errorf("%s: log-out: %v", rule, err)
		}
		if _, err := a.Refresh(t.Context(), tokens.RefreshToken, newAttempt()); err != nil {
			t.Errorf("%s: it was spent elsewhere: %v", rule, err)
		}
	}
}

// Subjects of two namespaces are two, even where their names and keys are one.
func TestAccessTokenOpensNothingInAnotherNamespace(t *testing.T) {
	for _, live := range []bool{false, true} {
		staff, customers := worlds(t,
			func(c *token.Config) { c.Namespace, c.LiveCheck = "staff", live },
			func(c *token.Config) { c.Namespace, c.LiveCheck = "customers", live })
		tokens, err := customers.Issue(t.Context(), auth.Identity{Subject: "1"})
		must(t, err)
		if _, err := customers.Verify(t.Context(), tokens.AccessToken); err != nil {
			t.Error(err)
		}
		if _, err := staff.Verify(t.Context(), tokens.AccessToken); outcome(err) != "bad" {
			t.Errorf("live %v: %v", live, err)
		}
	}
}

// ASVS 5.0, 4.4.2: the handshake of a WebSocket is a GET that acts.
func TestWebSocketOfASiblingIsRefusedWithTheCookie(t *testing.T) {
	i, _ := worlds(t, func(c *token.Config) { c.AccessCookie = cookie.New("access") }, func(*token.Config) {})
	tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice"})
	must(t, err)
	for origin, want := range map[string]string{"https://evil.app.example": "forbidden", "https://app.example": "ok"} {
		r := httptest.NewRequest(http.MethodGet, "https://app.example/ws", nil)
		r.Header.Set("Upgrade", "websocket")
		r.Header.Set("Origin", origin)
		r.Header.Set("Cookie", "__Host-Http-access="+tokens.AccessToken)
		if _, err := i.Authenticate(r); outcome(err) != want {
			t.Errorf("from %s: %v", origin, err)
		}
	}
}

// An issuer that has lost its secrets locks nobody out of logging in again.
func TestUnknownSecretStopsNoLogin(t *testing.T) {
	s := &store.Memory{}
	issuers := [2]*token.Issuer{}
	for n := range issuers {
		i, err := token.NewIssuer(token.Config{Keys: cheapKeys(t), Store: s, Issuer: "https://login.example", Audience: "a", ClientID: "app"})
		must(t, err)
		issuers[n] = i
	}
	old, err := issuers[0].Issue(t.Context(), auth.Identity{Subject: "alice"})
	must(t, err)
	r := httptest.NewRequest(http.MethodPost, "https://app.example/login", nil)
	r.Header.Set("Cookie", "__Host-Http-refresh="+old.RefreshToken)
	if err := issuers[1].Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}); err != nil {
		t.Error(err)
	}
	if _, err := issuers[1].Refresh(t.Context(), old.RefreshToken, newAttempt()); outcome(err) != "unknown" {
		t.Error(err)
	}
}

// ASVS 5.0, 16.2.5.
func TestTokensAreNotPrinted(t *testing.T) {
	tokens := token.Tokens{AccessToken: "very-secret", RefreshToken: "very-secret", ExpiresIn: 600, Generation: 3}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("tokens", "tokens", tokens, "time", time.Now())
	for _, text := range []string{fmt.Sprint(tokens), fmt.Sprintf("%+v %#v %s %d %x", tokens, tokens, tokens, tokens, tokens), fmt.Sprintf("%v", &tokens), logged.String()} {
		if strings.Contains(text, "very-secret") || strings.Contains(text, fmt.Sprintf("%x", "very-secret")) {
			t.Errorf("printed as %s", text)
		}
	}
}
