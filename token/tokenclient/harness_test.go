package tokenclient_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/authlatch/auth/token/tokenclient"
)

const (
	apiOrigin  = "https://api.example"
	refreshURL = "https://login.example/refresh"
)

// site is an issuer and an API behind its guard, on a network in memory, where
// time is that of the test.
type site struct {
	t      testing.TB
	issuer *token.Issuer
	guard  *middleware.Guard

	mu        sync.Mutex
	refreshes int               // requests to the issuer
	attempts  []string          // of those
	calls     []*http.Request   // to the API, as it has seen them
	bodies    []string          // of those
	hosts     map[string]string // the Authorization field that each host has seen last
	refused   map[string]bool   // access tokens that the API refuses

	// What a test does instead, or before.
	api     func(w http.ResponseWriter, r *http.Request) bool // reports that it has answered
	refresh func(w http.ResponseWriter, r *http.Request) bool
	fails   func(r *http.Request) error // the network
}

func newSite(t testing.TB, change ...func(*token.IssuerConfig)) *site {
	t.Helper()
	s := &site{t: t, hosts: make(map[string]string), refused: make(map[string]bool)}
	s.issuer = newIssuer(t, change...)
	s.guard = &middleware.Guard{Authenticator: s.issuer}
	return s
}

// RoundTrip carries a request to its host.
func (s *site) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		closing(r)
		return nil, err
	}
	if s.fails != nil {
		if err := s.fails(r); err != nil {
			closing(r)
			return nil, err
		}
	}
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		closing(r)
		if err != nil {
			return nil, err
		}
	}
	got := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body)).WithContext(r.Context())
	got.Header = r.Header.Clone()
	w := httptest.NewRecorder()
	s.mu.Lock()
	s.hosts[r.URL.Host] = got.Header.Get("Authorization")
	s.mu.Unlock()
	switch r.URL.Host {
	case "login.example":
		s.atIssuer(w, got)
	case "api.example":
		s.atAPI(w, got, string(body))
	}
	if err := r.Context().Err(); err != nil {
		return nil, err // the client no longer waits
	}
	response := w.Result()
	response.Request = r
	return response, nil
}

func closing(r *http.Request) {
	if r.Body != nil {
		r.Body.Close()
	}
}

func (s *site) atIssuer(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.refreshes++
	s.attempts = append(s.attempts, r.Header.Get("Refresh-Attempt"))
	s.mu.Unlock()
	if s.refresh == nil || !s.refresh(w, r) {
		s.issuer.RefreshHandler().ServeHTTP(w, r)
	}
}

func (s *site) atAPI(w http.ResponseWriter, r *http.Request, body string) {
	s.mu.Lock()
	s.calls = append(s.calls, r)
	s.bodies = append(s.bodies, body)
	refused := s.refused[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	switch {
	case s.api != nil && s.api(w, r):
	case refused:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := auth.FromContext(r.Context())
			io.WriteString(w, id.Subject+" "+body)
		})).ServeHTTP(w, r)
	}
}

func newIssuer(t testing.TB, change ...func(*token.IssuerConfig)) *token.Issuer {
	t.Helper()
	keys, err := token.NewKeySet(token.HS256) // cheap: these tests are not about signatures
	must(t, err)
	c := token.IssuerConfig{
		Limits: auth.Limits{IdleTimeout: 3 * time.Hour}, // clients rest for hours here
		Keys:   keys, Store: &store.Memory{}, NativeClients: true,
		Issuer: "https://issuer.test", Audience: "https://api.test", ClientID: "app",
	}
	for _, each := range change {
		each(&c)
	}
	issuer, err := token.NewIssuer(c)
	must(t, err)
	return issuer
}

// issued logs alice in, and returns her tokens.
func issued(t testing.TB, i *token.Issuer) tokenclient.Tokens { return issuedTo(t, i, "alice") }

func issuedTo(t testing.TB, i *token.Issuer, subject string) tokenclient.Tokens {
	t.Helper()
	tokens, err := i.Issue(t.Context(), auth.Identity{Subject: subject})
	must(t, err)
	return tokenclient.Tokens(tokens)
}

// refreshed uses up a refresh token.
func refreshed(t testing.TB, i *token.Issuer, refreshToken string) {
	t.Helper()
	_, err := i.Refresh(t.Context(), refreshToken, newAttempt())
	must(t, err)
}

// good reports whether a refresh token refreshes, and uses it up.
func good(i *token.Issuer, refreshToken string) bool {
	_, err := i.Refresh(context.Background(), refreshToken, newAttempt())
	return err == nil
}

func newAttempt() string { return rand.Text() }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func inBubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// journal keeps the kinds of events.
type journal struct {
	mu   sync.Mutex
	seen []auth.EventKind
}

func reportTo(j *journal) func(*token.IssuerConfig) {
	return func(c *token.IssuerConfig) {
		c.Events = func(_ context.Context, e auth.Event) {
			j.mu.Lock()
			defer j.mu.Unlock()
			j.seen = append(j.seen, e.Kind)
		}
	}
}

// kinds returns the kinds of the events so far, and forgets them.
func (j *journal) kinds() []auth.EventKind {
	j.mu.Lock()
	defer j.mu.Unlock()
	kinds := j.seen
	j.seen = nil
	return kinds
}

// kill makes the API refuse an access token.
func (s *site) kill(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused[access] = true
}

// seen returns how many requests the issuer and the API have had since.
func (s *site) seen() (refreshes, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refreshes, calls = s.refreshes, len(s.calls)
	s.refreshes, s.calls, s.bodies, s.attempts = 0, nil, nil, nil
	return refreshes, calls
}

func (s *site) sees(refreshes, calls int) {
	s.t.Helper()
	if r, c := s.seen(); r != refreshes || c != calls {
		s.t.Errorf("%d refreshes and %d calls, want %d and %d", r, c, refreshes, calls)
	}
}

// client makes a Transport that is not logged in.
func (s *site) client(change ...func(*tokenclient.Config)) *tokenclient.Transport {
	s.t.Helper()
	c := tokenclient.Config{
		Origins: []string{apiOrigin}, Base: s,
		Refresh: tokenclient.RefreshAt(refreshURL, &http.Client{Transport: s}),
	}
	for _, each := range change {
		each(&c)
	}
	t, err := tokenclient.New(c)
	must(s.t, err)
	return t
}

// loggedIn makes a Transport for alice, and returns her tokens.
func (s *site) loggedIn(change ...func(*tokenclient.Config)) (*tokenclient.Transport, tokenclient.Tokens) {
	s.t.Helper()
	t, tokens := s.client(change...), issued(s.t, s.issuer)
	must(s.t, t.SetTokens(tokens))
	return t, tokens
}

func inFile(path string) func(*tokenclient.Config) {
	return func(c *tokenclient.Config) { c.File = path }
}

// get asks the API, and returns the status, or the kind of error.
func get(t *tokenclient.Transport) int {
	r, err := http.NewRequest("GET", apiOrigin+"/me", nil)
	if err != nil {
		panic(err)
	}
	return send(t, r)
}

// What send returns of errors.
const (
	ended    = -1 // ErrLoginEnded
	troubled = -2 // any other
)

func send(t *tokenclient.Transport, r *http.Request) int {
	response, err := t.RoundTrip(r)
	switch {
	case errors.Is(err, tokenclient.ErrLoginEnded) && errors.Is(err, auth.ErrUnauthenticated):
		return ended
	case err != nil && errors.Is(err, auth.ErrUnauthenticated):
		panic("a temporary error that is an end")
	case err != nil:
		return troubled
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode
}

func gets(t testing.TB, transport *tokenclient.Transport, want int) {
	t.Helper()
	if got := get(transport); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}
