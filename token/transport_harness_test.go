package token_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
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
	dead      map[string]bool   // access tokens that the API refuses

	// What a test does instead, or before.
	api     func(w http.ResponseWriter, r *http.Request) bool // reports that it has answered
	refresh func(w http.ResponseWriter, r *http.Request) bool
	fails   func(r *http.Request) error // the network
}

func newSite(t testing.TB, change ...func(*token.Config)) *site {
	t.Helper()
	s := &site{t: t, hosts: make(map[string]string), dead: make(map[string]bool)}
	s.issuer = newIssuer(t, append(change, func(c *token.Config) { c.NativeClients = true })...)
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
		return nil, err // nobody waits for the answer
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
	s.attempts = append(s.attempts, r.Header.Get(token.AttemptHeader))
	s.mu.Unlock()
	if s.refresh == nil || !s.refresh(w, r) {
		s.issuer.RefreshHandler().ServeHTTP(w, r)
	}
}

func (s *site) atAPI(w http.ResponseWriter, r *http.Request, body string) {
	s.mu.Lock()
	s.calls = append(s.calls, r)
	s.bodies = append(s.bodies, body)
	dead := s.dead[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	s.mu.Unlock()
	switch {
	case s.api != nil && s.api(w, r):
	case dead:
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		s.guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id, _ := auth.FromContext(r.Context())
			io.WriteString(w, id.Subject+" "+body)
		})).ServeHTTP(w, r)
	}
}

// kill makes the API refuse an access token.
func (s *site) kill(access string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dead[access] = true
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
func (s *site) client(change ...func(*token.TransportConfig)) *token.Transport {
	s.t.Helper()
	c := token.TransportConfig{
		Origins: []string{apiOrigin}, Base: s,
		Refresh: token.RefreshAt(refreshURL, &http.Client{Transport: s}),
	}
	for _, each := range change {
		each(&c)
	}
	t, err := token.NewTransport(c)
	must(s.t, err)
	return t
}

// loggedIn makes a Transport for alice, and returns her tokens.
func (s *site) loggedIn(change ...func(*token.TransportConfig)) (*token.Transport, token.Tokens) {
	s.t.Helper()
	t, tokens := s.client(change...), issued(s.t, s.issuer)
	must(s.t, t.Login(tokens))
	return t, tokens
}

func inFile(path string) func(*token.TransportConfig) {
	return func(c *token.TransportConfig) { c.File = path }
}

// get asks the API, and returns the status, or the kind of error.
func get(t *token.Transport) int {
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

func send(t *token.Transport, r *http.Request) int {
	response, err := t.RoundTrip(r)
	switch {
	case errors.Is(err, token.ErrLoginEnded) && errors.Is(err, auth.ErrUnauthenticated):
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

func gets(t testing.TB, transport *token.Transport, want int) {
	t.Helper()
	if got := get(transport); got != want {
		t.Errorf("%d, want %d", got, want)
	}
}
