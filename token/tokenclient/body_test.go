package tokenclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/authlatch/auth/token/tokenclient"
)

// 13, 14: a body is sent again if it can be had again, and nothing is added.
func TestClient14BodiesAreSentAgainIfTheyCan(t *testing.T) {
	for rule, c := range map[string]struct {
		body     func() io.Reader
		replayed bool
		sent     string
	}{
		"no body":       {func() io.Reader { return nil }, true, ""},
		"http.NoBody":   {func() io.Reader { return http.NoBody }, true, ""},
		"a string":      {func() io.Reader { return strings.NewReader("body") }, true, "body"},
		"a stream":      {func() io.Reader { return io.MultiReader(strings.NewReader("body")) }, false, "body"},
		"an empty pipe": {func() io.Reader { r, w := io.Pipe(); w.Close(); return r }, false, ""},
	} {
		s := newSite(t)
		client, tokens := s.loggedIn()
		s.kill(tokens.AccessToken)
		r, err := http.NewRequest("POST", apiOrigin+"/pay", c.body())
		must(t, err)
		r.Header.Set("Idempotency-Key", "once")
		bodies := watchBodies(r)
		want := map[bool]int{true: 200, false: 401}[c.replayed]
		if got := send(client, r); got != want {
			t.Errorf("%s: %d", rule, got)
		}
		for n, got := range s.bodies {
			if got != c.sent || s.calls[n].Header.Get("Idempotency-Key") != "once" {
				t.Errorf("%s: call %d had the body %q", rule, n, got)
			}
		}
		s.sees(1, map[bool]int{true: 2, false: 1}[c.replayed])
		bodies.closed(t, rule)
		// A stream that was not sent again at least has a newer token next time.
		r, _ = http.NewRequest("POST", apiOrigin+"/pay", c.body())
		if got := send(client, r); got != 200 {
			t.Errorf("%s, the next time: %d", rule, got)
		}
	}
}

// watched counts the bodies that are open.
type watched struct {
	mu           sync.Mutex
	open, opened int
}

type watchedBody struct {
	io.ReadCloser
	w    *watched
	once sync.Once
}

func (b *watchedBody) Close() error {
	b.once.Do(func() {
		b.w.mu.Lock()
		defer b.w.mu.Unlock()
		b.w.open--
	})
	return b.ReadCloser.Close()
}

func (w *watched) wrap(body io.ReadCloser) io.ReadCloser {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open++
	w.opened++
	return &watchedBody{ReadCloser: body, w: w}
}

func (w *watched) closed(t *testing.T, rule string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.open != 0 {
		t.Errorf("%s: %d of %d bodies are open", rule, w.open, w.opened)
	}
}

// watchBodies sees whether all bodies of a request are closed.
func watchBodies(r *http.Request) *watched {
	w := &watched{}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = w.wrap(r.Body)
	}
	if again := r.GetBody; again != nil && r.Body != http.NoBody && r.Body != nil {
		r.GetBody = func() (io.ReadCloser, error) {
			body, err := again()
			if err != nil {
				return nil, err
			}
			return w.wrap(body), nil
		}
	}
	return w
}

// 14: bodies are closed on every way out, as a RoundTripper must.
func TestClient14BodiesAreClosedOnEveryWayOut(t *testing.T) {
	for rule, prepare := range map[string]func(s *site, client *tokenclient.Transport, tokens tokenclient.Tokens){
		"success":    func(*site, *tokenclient.Transport, tokenclient.Tokens) {},
		"a replay":   func(s *site, _ *tokenclient.Transport, tokens tokenclient.Tokens) { s.kill(tokens.AccessToken) },
		"logged out": func(_ *site, client *tokenclient.Transport, _ tokenclient.Tokens) { client.Clear() },
		"a network error": func(s *site, _ *tokenclient.Transport, _ tokenclient.Tokens) {
			s.fails = func(*http.Request) error { return io.EOF }
		},
		"ended in between": func(s *site, _ *tokenclient.Transport, tokens tokenclient.Tokens) {
			s.kill(tokens.AccessToken)
			s.issuer.Revoke(context.Background(), tokens.RefreshToken)
		},
		"a failed refresh": func(s *site, _ *tokenclient.Transport, tokens tokenclient.Tokens) {
			s.kill(tokens.AccessToken)
			s.refresh = func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }
		},
	} {
		s := newSite(t)
		client, tokens := s.loggedIn()
		prepare(s, client, tokens)
		r, _ := http.NewRequest("POST", apiOrigin, strings.NewReader("body"))
		bodies := watchBodies(r)
		send(client, r)
		bodies.closed(t, rule)
	}
}

// 14: a body that cannot be had again after all gives the 401, and a token for
// the next time.
func TestClient14BodyThatCannotBeHadAgainIsNotSent(t *testing.T) {
	s := newSite(t)
	client, tokens := s.loggedIn()
	s.kill(tokens.AccessToken)
	r, _ := http.NewRequest("POST", apiOrigin, strings.NewReader("body"))
	r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	if got := send(client, r); got != 401 {
		t.Error(got)
	}
	gets(t, client, 200)
}
