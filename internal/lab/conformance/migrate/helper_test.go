package migrate

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

func isPassword(_, password string) bool {
	return subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}

// A visitor has a browser with the cookies of one host, and a script with the access token.
type visitor struct {
	cookies map[string]string
	bearer  string
}

func (b *visitor) send(site http.Handler, method, path string, form url.Values) (int, string) {
	r := httptest.NewRequest(method, "https://app.example"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	if b.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+b.bearer)
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		} else {
			b.cookies[c.Name] = c.Value
		}
	}
	var tokens struct {
		AccessToken string `json:"access_token"`
	}
	if json.Unmarshal(w.Body.Bytes(), &tokens) == nil && tokens.AccessToken != "" {
		b.bearer = tokens.AccessToken
	}
	return w.Code, strings.TrimSpace(w.Body.String())
}

// copied returns a visitor with the same credentials, such as that of a thief.
func (b *visitor) copied() *visitor {
	c := &visitor{map[string]string{}, b.bearer}
	for name, value := range b.cookies {
		c.cookies[name] = value
	}
	return c
}

// A site is an application before and after the move.
type site struct {
	before, after http.Handler
	credential    string // the name of the old cookie; "" for the Authorization header
	exchange      bool   // by POST /takeover, into tokens
	store         *brittle
}

// me requests a page that needs a login, after the exchange of an old token.
func (s *site) me(b *visitor) (int, string) {
	if s.exchange {
		if code, body := b.send(s.after, "POST", "/takeover", nil); code != 200 {
			return code, body
		}
	}
	return b.send(s.after, "GET", "/me", nil)
}

// brittle is a store that can be switched off, once a take-over has begun.
type brittle struct {
	store.Memory
	down error
}

func (b *brittle) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if b.down != nil {
		return nil, false, b.down
	}
	return b.Memory.Get(ctx, key)
}

func (b *brittle) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if b.down != nil && (old != nil || !strings.HasPrefix(key, "taken-over/")) {
		return false, b.down
	}
	return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func (b *brittle) Delete(ctx context.Context, key string) error {
	if b.down != nil {
		return b.down
	}
	return b.Memory.Delete(ctx, key)
}

func newSessions(t *testing.T, s store.Store) *session.Manager {
	t.Helper()
	sessions, err := session.New(session.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return sessions
}

func newIssuer(t *testing.T, s store.Store) *token.Issuer {
	t.Helper()
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, Issuer: "https://app.example", Audience: "api", ClientID: "web",
	})
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}
