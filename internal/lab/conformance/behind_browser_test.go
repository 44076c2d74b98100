package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// behind is a site whose pages use an API by way of its own server: a session
// holds the tokens, and the browser the session.
type behind struct {
	t        *testing.T
	sessions *session.Manager
	issuer   *token.Issuer
	api      string

	mu      sync.Mutex
	secrets []string // all that was issued
}

const tokenBehind = session.Key[string]("access token")

func openBehind(t *testing.T) (*behind, http.Handler) {
	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, Issuer: "https://app.shop.test", Audience: "https://api.shop.test", ClientID: "shop",
	})
	if err != nil {
		t.Fatal(err)
	}
	orders := (&middleware.Guard{Authenticator: issuer}).Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprintf(w, "orders of %s", id.Subject)
	}))
	server := httptest.NewServer(orders)
	t.Cleanup(server.Close)
	s := &behind{t: t, sessions: newSessions(t), issuer: issuer, api: server.URL}

	mux := http.NewServeMux()
	mux.Handle("GET /", answer("text/html", "<!DOCTYPE html>shop"))
	mux.HandleFunc("POST /login", must(t, s.login))
	mux.Handle("GET /orders", (&middleware.Guard{Authenticator: s.sessions}).Require(must(t, s.orders)))
	return s, mux
}

func (s *behind) login(w http.ResponseWriter, r *http.Request) error {
	tokens, err := s.issuer.Issue(r.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.secrets = append(strings.Split(tokens.AccessToken, "."), tokens.RefreshToken)
	s.mu.Unlock()
	visit, err := s.sessions.Ensure(w, r)
	if err != nil {
		return err
	}
	err = s.sessions.Update(r.Context(), visit, func(visit *session.Session) error {
		return tokenBehind.Set(visit, tokens.AccessToken)
	})
	if err != nil {
		return err
	}
	return s.sessions.Login(w, r, auth.Identity{Subject: "alice"})
}

// orders asks the API in the name of the user who is logged in.
func (s *behind) orders(w http.ResponseWriter, r *http.Request) error {
	visit, err := s.sessions.Get(r)
	if err != nil {
		return err
	}
	access, err := tokenBehind.Get(visit)
	if err != nil {
		return err
	}
	ask, err := http.NewRequestWithContext(r.Context(), "GET", s.api, nil)
	if err != nil {
		return err
	}
	ask.Header.Set("Authorization", "Bearer "+access)
	res, err := http.DefaultClient.Do(ask)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	_, err = io.Copy(w, res.Body)
	return err
}

// overheard is a ResponseWriter that keeps what goes to the browser.
type overheard struct {
	http.ResponseWriter
	all *bytes.Buffer
}

func (w *overheard) Write(b []byte) (int, error) {
	w.all.Write(b)
	return w.ResponseWriter.Write(b)
}

// ASVS 5.0, 10.1.1 and 14.3.3: tokens go between servers alone. The browser has
// the token of a session, which says nothing, in a cookie and nowhere else.
func TestTokensStayBehindTheSession(t *testing.T) {
	s := openHosts(t)
	site, handler := openBehind(t)
	var mu sync.Mutex
	var sent bytes.Buffer
	s.set(app, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		handler.ServeHTTP(&overheard{w, &sent}, r)
		fmt.Fprint(&sent, w.Header())
	}))
	b := newTab(t)
	b.visit(s.url(app, "/"))
	if status := eval[int](b, `fetch("/login", {method: "POST"}).then(r => r.status)`); status != http.StatusOK {
		t.Fatalf("login: status %d", status)
	}
	if got := eval[string](b, `fetch("/orders").then(r => r.text())`); got != "orders of alice" {
		t.Fatalf("the page gets %q", got)
	}
	found := eval[string](b, `(async () => JSON.stringify([
		document.cookie, { ...localStorage }, { ...sessionStorage }, history.state, name, location.href,
		await indexedDB.databases(), await caches.keys(),
	]))()`)
	if want := `["",{},{},null,"","` + s.url(app, "/") + `",[],[]]`; found != want {
		t.Errorf("the page keeps %s, want %s", found, want)
	}
	cookies := b.cookies(s.url(app, "/"))
	if len(cookies) != 1 || cookies[0].Name != cookieName || len(cookies[0].Value) != 43 || !cookies[0].HTTPOnly {
		t.Fatalf("the browser has %d cookies, want that of the session", len(cookies))
	}
	mu.Lock()
	defer mu.Unlock()
	site.mu.Lock()
	defer site.mu.Unlock()
	if len(site.secrets) != 4 {
		t.Fatal("no tokens were issued")
	}
	for _, secret := range site.secrets {
		if strings.Contains(sent.String(), secret) || strings.Contains(cookies[0].Value, secret) {
			t.Error("a part of a token has gone to the browser")
		}
	}
}
