package token_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// worlds returns two issuers that share keys and store, and differ as given.
func worlds(t *testing.T, one, other func(*token.IssuerConfig)) (a, b *token.Issuer) {
	keys, s := cheapKeys(t), &store.Memory{}
	make := func(change func(*token.IssuerConfig)) *token.Issuer {
		c := token.IssuerConfig{Keys: keys, Store: s, Issuer: "https://login.example", Audience: "https://api.example", ClientID: "app"}
		change(&c)
		i, err := token.NewIssuer(c)
		must(t, err)
		return i
	}
	return make(one), make(other)
}

// RFC 6749, 6: a refresh token is bound to the client to which it was issued.
func TestRefreshTokenIsInvalidAtAnotherIssuer(t *testing.T) {
	for rule, change := range map[string]func(*token.IssuerConfig){
		"another issuer":    func(c *token.IssuerConfig) { c.Issuer = "https://other.example" },
		"another audience":  func(c *token.IssuerConfig) { c.Audience = "https://admin.example" },
		"another client":    func(c *token.IssuerConfig) { c.ClientID = "other" },
		"another namespace": func(c *token.IssuerConfig) { c.Namespace = "staff" },
	} {
		a, b := worlds(t, func(*token.IssuerConfig) {}, change)
		tokens, err := a.Issue(t.Context(), auth.Identity{Subject: "alice"})
		must(t, err)
		if _, err := b.Refresh(t.Context(), tokens.RefreshToken, newAttempt()); outcome(err) != "bad" {
			t.Errorf("%s: %v", rule, err)
		}
		if err := b.Revoke(t.Context(), tokens.RefreshToken); outcome(err) != "bad" {
			t.Errorf("%s: logout: %v", rule, err)
		}
		if _, err := a.Refresh(t.Context(), tokens.RefreshToken, newAttempt()); err != nil {
			t.Errorf("%s: another issuer has used it: %v", rule, err)
		}
	}
}

// Subjects of two namespaces are distinct, even with the same names and keys.
func TestAccessTokenIsInvalidInAnotherNamespace(t *testing.T) {
	for _, live := range []bool{false, true} {
		staff, customers := worlds(t,
			func(c *token.IssuerConfig) { c.Namespace, c.RevocationCheck = "staff", live },
			func(c *token.IssuerConfig) { c.Namespace, c.RevocationCheck = "customers", live })
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
	i, _ := worlds(t, func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access") }, func(*token.IssuerConfig) {})
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

// An issuer that has lost its secrets still lets users log in again.
func TestUnknownSecretStopsNoLogin(t *testing.T) {
	s := &store.Memory{}
	text := issued(t, newIssuer(t, over(s, cheapKeys(t)))).RefreshToken
	i := newIssuer(t, over(s, cheapKeys(t)))
	r := httptest.NewRequest(http.MethodPost, "https://app.example/login", nil)
	r.Header.Set("Cookie", "__Host-Http-refresh="+text)
	if err := i.Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}); err != nil {
		t.Error(err)
	}
	wants(t, i, text, refusedAs)
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

// The same name at two issuers is two subjects: the token of one does not
// verify with the keys of the other, and a verified token names its issuer.
//
// ASVS 5.0, 6.8.1 and 10.3.3.
func TestSubjectsOfTwoIssuersAreTwo(t *testing.T) {
	one, other := newMinter(t), newMinter(t)
	const elsewhere = "https://other.test"
	ours, theirs := one.verifier(), other.verifier(func(c *token.VerifierConfig) { c.Issuer = elsewhere })
	seen := make(map[auth.Identity]bool)
	for _, c := range []struct {
		text     string
		accepts  *token.Verifier
		refused  *token.Verifier
		identity string
	}{
		{one.mint(claims()), ours, theirs, issuerName},
		{other.mint(with(map[string]any{"iss": elsewhere})), theirs, ours, elsewhere},
	} {
		refuses(t, c.refused, c.text)
		got, err := c.accepts.Verify(t.Context(), c.text)
		must(t, err)
		id := got.Identity()
		if id.Subject != "alice" || id.Issuer != c.identity {
			t.Errorf("%+v", id)
		}
		seen[auth.Identity{Issuer: id.Issuer, Subject: id.Subject}] = true
	}
	refuses(t, ours, other.mint(claims())) // which claims to be from the other
	if len(seen) != 2 {
		t.Error("they are one subject")
	}
}

// reentrant is a signer that calls the key set for which it signs.
type reentrant struct {
	crypto.Signer
	keys *token.KeySet
}

func (s reentrant) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	s.keys.JWKSHandler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	if err := s.keys.Rotate(); err != nil {
		return nil, err
	}
	return s.Signer.Sign(random, digest, opts)
}

// Hooks and signers may call their caller: no lock is held meanwhile.
//
// ASVS 5.0, 15.4.3.
func TestHooksAndSignersMayCallBack(t *testing.T) {
	keys := newKeys(t, token.Ed25519)
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	must(t, keys.SetSigner(reentrant{private, keys}))
	var i *token.Issuer
	calls := 0
	i = newIssuer(t, func(c *token.IssuerConfig) {
		c.Keys, c.Limits.MaxLogins = keys, 1
		c.Events = func(ctx context.Context, e auth.Event) {
			if calls++; calls > 20 {
				return
			}
			i.Verify(ctx, "x")
			i.Logins(ctx, "alice")
			i.LogoutOne(ctx, "alice", e.LoginID)
		}
	})
	for range 3 {
		issued(t, i)
	}
	must(t, i.LogoutAll(t.Context(), "alice"))
	if calls < 20 {
		t.Errorf("%d calls of the hook", calls)
	}

	host := httptest.NewTLSServer(http.NotFoundHandler())
	defer host.Close()
	var remote atomic.Pointer[token.RemoteKeySet]
	outputs := make(chan error, 100)
	set, err := token.NewRemoteKeySet(host.URL, token.RemoteConfig{Events: func(context.Context, auth.Event) {
		if set := remote.Load(); set != nil {
			outputs <- set.Ready()
		}
	}})
	must(t, err)
	defer set.Close()
	remote.Store(set)
	if err := <-outputs; err == nil { // the first failure, or that a second later
		t.Error("there are keys")
	}
}
