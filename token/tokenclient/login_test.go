package tokenclient_test

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
	"github.com/authlatch/auth/token/tokenclient"
)

// A request that began under one login is never sent under another.

// another issues tokens of bob.
func (s *site) another() tokenclient.Tokens {
	s.t.Helper()
	return issuedTo(s.t, s.issuer, "bob")
}

func post(t *tokenclient.Transport, body string) error {
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
				if !errors.Is(err, tokenclient.ErrLoginReplaced) || !errors.Is(err, tokenclient.ErrLoginEnded) || !errors.Is(err, auth.ErrUnauthenticated) {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		must(t, client.SetTokens(s.another()))
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
		must(t, client.SetTokens(bob)) // while the first answer is under way
		return false
	}
	if err := post(client, "of alice"); !errors.Is(err, tokenclient.ErrLoginReplaced) {
		t.Error(err)
	}
	s.sees(0, 1)
}

// The same if another process has logged in, through the file.
func TestRequestIsNotSentAsTheLoginOfAnotherProcess(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, path := newSite(t), tokenFile(t)
		client, _ := s.loggedIn(inFile(path))
		other := s.client(inFile(path))
		s.refresh = func(http.ResponseWriter, *http.Request) bool {
			s.refresh = nil
			must(t, other.SetTokens(s.another()))
			return false
		}
		time.Sleep(expiry)
		if err := post(client, "of alice"); !errors.Is(err, tokenclient.ErrLoginReplaced) {
			t.Error(err)
		}
		s.sees(1, 0)
	})(t)
}

// If a cache or a proxy mixes up responses, tokens of another login are
// never used.
func TestRefreshThatAnswersAnotherLoginEndsTheLogin(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		bob := s.another()
		client, tokens := s.loggedIn(func(c *tokenclient.Config) {
			refresh := c.Refresh
			c.Refresh = func(ctx context.Context, text, attempt string) (tokenclient.Tokens, error) {
				if _, err := refresh(ctx, text, attempt); err != nil {
					return tokenclient.Tokens{}, err
				}
				return bob, nil
			}
		})
		if tokens.LoginID == "" || tokens.LoginID == bob.LoginID {
			t.Fatal("login IDs do not distinguish logins")
		}
		time.Sleep(expiry)
		if err := post(client, "of alice"); !errors.Is(err, tokenclient.ErrLoginEnded) {
			t.Error(err)
		}
		gets(t, client, ended)
		s.sees(1, 0)
	})(t)
}

// RefreshAt may get the client that carries the Transport itself: its request
// does not wait for the refresh that it is.
func TestRefreshWithTheClientOfTheTransportDoesNotWaitForItself(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client := new(http.Client)
		transport, _ := s.loggedIn(func(c *tokenclient.Config) {
			c.Origins = append(c.Origins, "https://login.example")
			c.Refresh = func(ctx context.Context, text, attempt string) (tokenclient.Tokens, error) {
				return tokenclient.RefreshAt(refreshURL, client)(ctx, text, attempt)
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
