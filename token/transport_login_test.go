package token_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// A request that began under one login is never sent under another.

// another issues tokens of bob.
func (s *site) another() token.Tokens {
	s.t.Helper()
	bob, err := s.issuer.Issue(s.t.Context(), auth.Identity{Subject: "bob"})
	must(s.t, err)
	return bob
}

func post(t *token.Transport, body string) error {
	r, err := http.NewRequest("POST", apiOrigin+"/transfer", strings.NewReader(body))
	if err != nil {
		return err
	}
	response, err := t.RoundTrip(r)
	if err == nil {
		response.Body.Close()
	}
	return err
}

func TestRequestThatWaitsForARefreshIsNotSentAsAnotherLogin(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, _ := s.loggedIn()
		s.refresh = func(http.ResponseWriter, *http.Request) bool { time.Sleep(time.Second); return false }
		time.Sleep(expiry)
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				err := post(client, "of alice")
				if !errors.Is(err, token.ErrLoginReplaced) || !errors.Is(err, token.ErrLoginEnded) || !errors.Is(err, auth.ErrUnauthenticated) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		must(t, client.Login(s.another()))
		wait.Wait()
		s.sees(1, 0)
		must(t, post(client, "of bob"))
	})(t)
}

func TestRequestIsNotSentAgainAsAnotherLogin(t *testing.T) {
	s := newSite(t)
	client, tokens := s.loggedIn()
	s.kill(tokens.AccessToken)
	bob := s.another()
	s.api = func(w http.ResponseWriter, r *http.Request) bool {
		must(t, client.Login(bob)) // while the first answer is under way
		return false
	}
	if err := post(client, "of alice"); !errors.Is(err, token.ErrLoginReplaced) {
		t.Error(err)
	}
	s.sees(0, 1)
}

// The same where another process has logged in, over the file.
func TestRequestIsNotSentAsTheLoginOfAnotherProcess(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		client, _ := s.loggedIn(inFile(path))
		other := s.client(inFile(path))
		s.refresh = func(http.ResponseWriter, *http.Request) bool {
			s.refresh = nil
			must(t, other.Login(s.another()))
			return false
		}
		time.Sleep(expiry)
		if err := post(client, "of alice"); !errors.Is(err, token.ErrLoginReplaced) {
			t.Error(err)
		}
		s.sees(1, 0)
	})(t)
}

// Whoever mixes up the answers, a cache or a proxy: tokens of another login are
// never used.
func TestRefreshThatAnswersAnotherLoginEndsTheLogin(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		bob := s.another()
		client, tokens := s.loggedIn(func(c *token.TransportConfig) {
			refresh := c.Refresh
			c.Refresh = func(ctx context.Context, text, attempt string) (token.Tokens, error) {
				if _, err := refresh(ctx, text, attempt); err != nil {
					return token.Tokens{}, err
				}
				return bob, nil
			}
		})
		if tokens.LoginID == "" || tokens.LoginID == bob.LoginID {
			t.Fatal("login IDs do not tell logins apart")
		}
		time.Sleep(expiry)
		if err := post(client, "of alice"); !errors.Is(err, token.ErrLoginEnded) {
			t.Error(err)
		}
		gets(t, client, ended)
		s.sees(1, 0)
	})(t)
}

// The LoginID stays the same from one refresh to the next, and is that of the
// access token.
func TestTokensTellTheirLogin(t *testing.T) {
	i := newIssuer(t)
	first := issued(t, i)
	second, err := i.Refresh(t.Context(), first.RefreshToken, newAttempt())
	must(t, err)
	got, err := i.Verify(t.Context(), second.AccessToken)
	must(t, err)
	if id := got.Identity().LoginID; id == "" || first.LoginID != id || second.LoginID != id {
		t.Errorf("%q, %q, and the token says %q", first.LoginID, second.LoginID, id)
	}
}

// RefreshAt may get the client that carries the Transport itself: its request
// does not wait for the refresh that it is.
func TestRefreshWithTheClientOfTheTransportDoesNotWaitForItself(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client := new(http.Client)
		transport, _ := s.loggedIn(func(c *token.TransportConfig) {
			c.Origins = append(c.Origins, "https://login.example")
			c.Refresh = func(ctx context.Context, text, attempt string) (token.Tokens, error) {
				return token.RefreshAt(refreshURL, client)(ctx, text, attempt)
			}
		})
		client.Transport = transport
		time.Sleep(expiry)
		start := time.Now()
		gets(t, transport, 200)
		if time.Since(start) != 0 || s.hosts["login.example"] != "" {
			t.Errorf("after %v, with %q", time.Since(start), s.hosts["login.example"])
		}
		s.sees(1, 1)
	})(t)
}
