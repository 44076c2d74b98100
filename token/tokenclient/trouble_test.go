package tokenclient_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token/tokenclient"
)

// 10: a failed refresh does not end the login. The token is used while it lasts,
// and the issuer is left in peace for a while.
func TestClient10TroubleIsNoLogout(t *testing.T) {
	answering := func(status int, header http.Header, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			for name, values := range header {
				w.Header()[name] = values
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
			return true
		}
	}
	for rule, trouble := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"500":                       answering(500, nil, ""),
		"503":                       answering(503, http.Header{"Content-Type": {"application/problem+json"}}, `{"status":503}`),
		"429":                       answering(429, nil, ""),
		"403":                       answering(403, nil, ""),
		"404":                       answering(404, nil, ""),
		"a 401 of a proxy":          answering(401, http.Header{"WWW-Authenticate": {"Basic"}}, "<html>"),
		"a 401 of another kind":     answering(401, nil, `{"type":"urn:example:no"}`),
		"a redirect":                answering(302, http.Header{"Location": {"https://evil.example/"}}, ""),
		"a redirect with the token": answering(307, http.Header{"Location": {"https://evil.example/"}}, ""),
		"a 200 that is not JSON":    answering(200, nil, "<html>"),
		"a 200 without tokens":      answering(200, nil, "{}"),
		"a 200 with half of one":    answering(200, nil, `{"access_token":"a"}`),
		"a 204":                     answering(204, nil, ""),
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s := newSite(t)
			client, _ := s.loggedIn()
			time.Sleep(9*time.Minute + 55*time.Second) // due, and good for 5 seconds
			s.refresh = trouble
			gets(t, client, 200)
			gets(t, client, 200)
			s.sees(1, 2)
			time.Sleep(6 * time.Second)
			gets(t, client, troubled)
			gets(t, client, troubled)
			s.sees(1, 0)
			s.refresh = nil
			gets(t, client, troubled) // it has failed a moment ago
			s.sees(0, 0)
			time.Sleep(2 * time.Second)
			gets(t, client, 200)
			s.sees(1, 1)
			if _, asked := s.hosts["evil.example"]; asked {
				t.Error("a redirect is followed")
			}
		}))
	}
}

// 10: each failure doubles the wait, up to a minute, and success ends that.
func TestClient10WaitsLongerAfterEachFailure(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, _ := s.loggedIn()
		down := func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(500); return true }
		s.refresh = down
		time.Sleep(expiry)
		for _, wait := range []time.Duration{1, 2, 4, 8, 16, 32, 60, 60, 60} {
			gets(t, client, troubled)
			s.sees(1, 0)
			time.Sleep(wait*time.Second - time.Millisecond)
			gets(t, client, troubled)
			s.sees(0, 0)
			time.Sleep(time.Millisecond)
		}
		s.refresh = nil
		gets(t, client, 200)
		s.refresh = down
		time.Sleep(expiry)
		gets(t, client, troubled)
		time.Sleep(time.Second)
		s.seen()
		gets(t, client, troubled)
		s.sees(1, 0)
	})(t)
}

// 10: what the issuer says of its return is heeded, within reason.
func TestClient10HeedsRetryAfter(t *testing.T) {
	inBubble(func(t *testing.T) {
		for field, wait := range map[string]time.Duration{
			"5":                    5 * time.Second,
			"0":                    time.Second,
			"86400":                time.Minute,
			"-5":                   time.Second,
			"99999999999999999999": time.Second,
			"soon":                 time.Second,
			"":                     time.Second,
			time.Now().Add(expiry + 30*time.Second).UTC().Format(http.TimeFormat): 30 * time.Second,
			"Sat, 01 Jan 2000 00:00:00 GMT":                                       time.Second,
		} {
			synctest.Wait()
			s := newSite(t)
			client, _ := s.loggedIn()
			began := time.Now()
			if strings.HasSuffix(field, "GMT") && wait > time.Second {
				field = began.Add(expiry + wait).UTC().Format(http.TimeFormat)
			}
			s.refresh = func(w http.ResponseWriter, _ *http.Request) bool {
				w.Header().Set("Retry-After", field)
				w.WriteHeader(503)
				return true
			}
			time.Sleep(expiry)
			gets(t, client, troubled)
			s.refresh = nil
			time.Sleep(wait - time.Second/2)
			s.seen()
			gets(t, client, troubled)
			s.sees(0, 0)
			time.Sleep(time.Second / 2)
			if gets(t, client, 200); t.Failed() {
				t.Fatalf("Retry-After %q", field)
			}
		}
	})(t)
}

// 10, 19: an ended login returns the same error each time, without a further refresh.
func TestClient10DefinitiveRefusalEndsTheLogin(t *testing.T) {
	for rule, end := range map[string]func(t *testing.T, s *site, tokens tokenclient.Tokens){
		"revoked": func(t *testing.T, s *site, tokens tokenclient.Tokens) {
			must(t, s.issuer.Revoke(t.Context(), tokens.RefreshToken))
		},
		"expired": func(*testing.T, *site, tokenclient.Tokens) { time.Sleep(13 * time.Hour) },
		"reused": func(t *testing.T, s *site, tokens tokenclient.Tokens) {
			refreshed(t, s.issuer, tokens.RefreshToken)
			time.Sleep(11 * time.Second) // longer than the issuer's grace period
		},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s := newSite(t)
			client, tokens := s.loggedIn()
			end(t, s, tokens)
			s.kill(tokens.AccessToken)
			gets(t, client, ended)
			if refreshes, _ := s.seen(); refreshes != 1 {
				t.Errorf("%d refreshes", refreshes)
			}
			gets(t, client, ended)
			s.sees(0, 0)
			must(t, client.SetTokens(issued(t, s.issuer)))
			gets(t, client, 200)
		}))
	}
}

func TestRefreshAtDistinguishesReuse(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		first := issued(t, s.issuer).RefreshToken
		at := tokenclient.RefreshAt(refreshURL, &http.Client{Transport: s})
		tokens, err := at(t.Context(), first, newAttempt())
		if err != nil || tokens.Generation != 1 || !good(s.issuer, tokens.RefreshToken) {
			t.Error(err)
		}
		time.Sleep(11 * time.Second) // longer than the issuer's grace period
		if _, err := at(t.Context(), first, newAttempt()); !errors.Is(err, tokenclient.ErrReused) {
			t.Error(err)
		}
		if _, err := at(t.Context(), first, newAttempt()); !errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, tokenclient.ErrReused) {
			t.Error(err)
		}
	})(t)
}
