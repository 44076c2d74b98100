package tokenclient_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token/tokenclient"
)

// Each test is a bug of clients, by its number in the list of rules for them.

const expiry = 10*time.Minute + time.Second

// 1, 3: many requests with an expired token make one refresh, and all succeed.
func TestClient1ParallelRequestsMakeOneRefresh(t *testing.T) {
	for rule, c := range map[string]struct {
		due   func(s *site, tokens tokenclient.Tokens)
		calls int
	}{
		"it is due":         {func(*site, tokenclient.Tokens) { time.Sleep(9*time.Minute + 55*time.Second) }, 20},
		"it has expired":    {func(*site, tokenclient.Tokens) { time.Sleep(expiry) }, 20},
		"all have had 401s": {func(s *site, tokens tokenclient.Tokens) { s.kill(tokens.AccessToken) }, 40},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s := newSite(t)
			client, tokens := s.loggedIn()
			c.due(s, tokens)
			s.api = func(http.ResponseWriter, *http.Request) bool { time.Sleep(time.Millisecond); return false }
			s.refresh = func(http.ResponseWriter, *http.Request) bool { time.Sleep(time.Second); return false }
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() { gets(t, client, 200) })
			}
			wg.Wait()
			s.sees(1, c.calls)
			gets(t, client, 200)
			s.sees(0, 1)
		}))
	}
}

// 2: a 401 that comes late, when the token is new already, starts no refresh.
func TestClient2Late401OnlyReplays(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, tokens := s.loggedIn()
		s.kill(tokens.AccessToken)
		s.api = func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/slow" && strings.HasSuffix(r.Header.Get("Authorization"), tokens.AccessToken) {
				time.Sleep(time.Minute)
			}
			return false
		}
		done := make(chan int)
		go func() {
			r, _ := http.NewRequest("GET", apiOrigin+"/slow", nil)
			done <- send(client, r)
		}()
		time.Sleep(time.Second)
		gets(t, client, 200)
		s.sees(1, 3)
		if got := <-done; got != 200 {
			t.Error(got)
		}
		s.sees(0, 1)
	})(t)
}

// 4: the refresh does not pass through the Transport, also if its client uses
// it later.
func TestClient4RefreshDoesNotPassThroughItself(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		own := &http.Client{Transport: s}
		client, _ := s.loggedIn(func(c *tokenclient.Config) {
			c.Origins = append(c.Origins, "https://login.example")
			c.Refresh = tokenclient.RefreshAt(refreshURL, own)
		})
		own.Transport = client
		time.Sleep(expiry)
		gets(t, client, 200)
		s.sees(1, 1)
	})(t)
}

// 5: an API that keeps to its 401 is asked twice.
func TestClient5SecondRefusalIsReturned(t *testing.T) {
	s := newSite(t)
	client, _ := s.loggedIn()
	s.api = func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	gets(t, client, 401)
	s.sees(1, 2)
	gets(t, client, 401)
	s.sees(1, 2)
	s.api = nil
	gets(t, client, 200)
}

// 6: a network error is none of a token.
func TestClient6NetworkErrorsAreReturnedAsTheyAre(t *testing.T) {
	s := newSite(t)
	client, _ := s.loggedIn()
	errCable := errors.New("the cable is out")
	s.fails = func(*http.Request) error { return errCable }
	r, _ := http.NewRequest("GET", apiOrigin, nil)
	if response, err := client.RoundTrip(r); err != errCable || response != nil {
		t.Error(err)
	}
	s.fails = nil
	gets(t, client, 200)
	s.sees(0, 1)
}

// 7: the request of the caller stays as it is.
func TestClient7RequestOfTheCallerStaysAsItIs(t *testing.T) {
	s := newSite(t)
	client, tokens := s.loggedIn()
	s.kill(tokens.AccessToken)
	r, _ := http.NewRequest("POST", apiOrigin+"/me", strings.NewReader("body"))
	r.Header.Set("X-Own", "1")
	body := r.Body
	if send(client, r) != 200 {
		t.Error("it fails")
	}
	if len(r.Header) != 1 || r.Body != body {
		t.Errorf("it has changed: %v", r.Header)
	}
	bare := &http.Request{Method: "GET", URL: r.URL} // no header at all
	if send(client, bare) != 200 || bare.Header != nil {
		t.Error("a request without a header")
	}
}

// 9, 21: only a 401 that a newer token can help refreshes.
func TestClient9OnlyA401OfTheTokenRefreshes(t *testing.T) {
	s := newSite(t)
	client, _ := s.loggedIn()
	for rule, c := range map[string]struct {
		status    int
		challenge []string
		refreshes bool
	}{
		"an invalid token":           {401, []string{`Bearer error="invalid_token"`}, true},
		"a token that has expired":   {401, []string{`Bearer error="invalid_token", error_description="the access token expired"`}, true},
		"in lower case":              {401, []string{`bearer error="invalid_token"`}, true},
		"after another":              {401, []string{"Basic", "Bearer"}, true},
		"no challenge":               {401, nil, true}, // agentgateway#3172
		"an empty challenge":         {401, []string{""}, true},
		"in one field":               {401, []string{`Basic realm="a, Bearer b", Bearer error="invalid_token"`}, true},
		"in one field, in front":     {401, []string{`Bearer realm="x", error="invalid_token", Negotiate YII=`}, true},
		"after a token68":            {401, []string{"Negotiate YII==, Bearer"}, true},
		"quoted":                     {401, []string{`Basic realm="x, Bearer y"`}, false},
		"a newer login, in a field":  {401, []string{`Basic realm="x", Bearer max_age=60, error=insufficient_user_authentication`}, false},
		"a word of a description":    {401, []string{`Bearer error="invalid_token", error_description="not insufficient_user_authentication"`}, true},
		"malformed":                  {401, []string{`Digest realm="x`}, false},
		"another scheme":             {401, []string{`Basic realm="Bearer"`}, false},
		"a scheme that begins alike": {401, []string{"Bearerish"}, false},
		"a newer login":              {401, []string{`Bearer error="insufficient_user_authentication", max_age="60"`}, false},
		"a missing right":            {403, []string{`Bearer error="insufficient_scope"`}, false},
		"a server that is down":      {503, []string{`Bearer error="invalid_token"`}, false},
		"success":                    {200, []string{`Bearer error="invalid_token"`}, false},
	} {
		s.api = func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header()["Www-Authenticate"] = c.challenge
			w.WriteHeader(c.status)
			return true
		}
		s.seen()
		gets(t, client, c.status)
		if refreshes, calls := s.seen(); (refreshes == 1) != c.refreshes || (calls == 2) != c.refreshes {
			t.Errorf("%s: %d refreshes", rule, refreshes)
		}
	}
}

// 12: the result of a refresh that arrives after a logout, or after another login, is
// discarded.
func TestClient12LogoutDuringARefreshDiscardsIt(t *testing.T) {
	for _, again := range []bool{false, true} {
		inBubble(func(t *testing.T) {
			s := newSite(t)
			client, tokens := s.loggedIn()
			canceled := false
			s.refresh = func(w http.ResponseWriter, r *http.Request) bool {
				s.issuer.RefreshHandler().ServeHTTP(w, r)
				select {
				case <-r.Context().Done():
					canceled = true
				case <-time.After(5 * time.Second):
				}
				return true
			}
			time.Sleep(expiry)
			answer := make(chan int)
			go func() { answer <- get(client) }()
			time.Sleep(time.Second)
			bob := tokenclient.Tokens{}
			if again {
				bob = s.another()
				must(t, client.SetTokens(bob))
			} else {
				text, err := client.Clear()
				must(t, err)
				if text != tokens.RefreshToken {
					t.Error("Clear returns another refresh token")
				}
				must(t, s.issuer.Revoke(t.Context(), text))
			}
			if got := <-answer; got != ended {
				t.Errorf("the waiting request got %d", got)
			}
			if synctest.Wait(); !canceled {
				t.Error("the refresh goes on")
			}
			gets(t, client, map[bool]int{false: ended, true: 200}[again])
			if text, err := client.Clear(); err != nil || text != bob.RefreshToken {
				t.Errorf("%v", err)
			}
		})(t)
	}
}

// 16: the token goes to the origins that are named, and to no other; each
// hop of a redirect is a request of its own.
func TestClient16TokenGoesToItsOriginsAlone(t *testing.T) {
	s := newSite(t)
	client, tokens := s.loggedIn()
	for url, sent := range map[string]bool{
		"https://api.example/a":          true,
		"https://api.example:443/a":      true,
		"https://API.example/a":          true,
		"http://api.example/a":           false,
		"https://api.example:8443/a":     false,
		"https://api.example.evil.com/a": false,
		"https://evil.com/api.example":   false,
		"https://api.example@evil.com/a": false,
		"https://www.example/a":          false,
		"https://xapi.example/a":         false,
	} {
		r, err := http.NewRequest("GET", url, nil)
		must(t, err)
		s.hosts = map[string]string{}
		send(client, r)
		if got := s.hosts[r.URL.Host] == "Bearer "+tokens.AccessToken; got != sent {
			t.Errorf("%s: %v", url, got)
		}
	}
	s.api = func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "https://evil.com/", http.StatusTemporaryRedirect)
		return true
	}
	response, err := (&http.Client{Transport: client}).Get(apiOrigin)
	must(t, err)
	response.Body.Close()
	if s.hosts["evil.com"] != "" || s.hosts["api.example"] == "" {
		t.Errorf("%v", s.hosts)
	}
}

// 17: an Authorization field of the caller is left alone, and refreshes nothing.
func TestClient17FieldOfTheCallerIsLeftAlone(t *testing.T) {
	s := newSite(t)
	client, _ := s.loggedIn()
	for _, field := range []string{"Bearer stale", "Basic YTpi"} {
		r, _ := http.NewRequest("GET", apiOrigin, nil)
		r.Header.Set("Authorization", field)
		if got := send(client, r); got != 401 || s.hosts["api.example"] != field {
			t.Errorf("%d %v", got, s.hosts)
		}
	}
	s.sees(0, 2)
}

// 18: any waiting request may be canceled, the first one too; the refresh goes on for the
// others.
func TestClient18GivingUpEndsTheWaitAndNotTheRefresh(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, _ := s.loggedIn()
		s.refresh = func(http.ResponseWriter, *http.Request) bool { time.Sleep(3 * time.Second); return false }
		time.Sleep(expiry)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		r, _ := http.NewRequestWithContext(ctx, "GET", apiOrigin, nil)
		first := make(chan error)
		go func() {
			_, err := client.RoundTrip(r)
			first <- err
		}()
		second := make(chan int)
		go func() { second <- get(client) }()
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if got := <-second; got != 200 {
			t.Error(got)
		}
		s.sees(1, 1)
	})(t)
}

// 18: a refresh without waiting requests ends by itself, after 10
// seconds.
func TestClient18RefreshEndsByItself(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, _ := s.loggedIn()
		s.refresh = func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return false }
		time.Sleep(expiry)
		began := time.Now()
		gets(t, client, troubled)
		if waited := time.Since(began); waited != 10*time.Second {
			t.Errorf("after %v", waited)
		}
	})(t)
}

// 22: nothing runs without a request. A token that was not used for long is refreshed at
// its next use, even if the clock has jumped.
func TestClient22RefreshesAtTheNextUse(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, tokens := s.loggedIn()
		time.Sleep(time.Duration(tokens.RefreshAfter)*time.Second - time.Millisecond)
		gets(t, client, 200)
		s.sees(0, 1)
		time.Sleep(time.Millisecond)
		gets(t, client, 200)
		s.sees(1, 1)
		time.Sleep(2 * time.Hour)
		s.sees(0, 0)
		gets(t, client, 200)
		s.sees(1, 1)
	})(t)
}

// 23: each refresh has an attempt of its own, which is kept until there is an
// answer. So an answer that was lost is got again, however late.
func TestClient23AttemptIsKeptUntilThereIsAnAnswer(t *testing.T) {
	inBubble(func(t *testing.T) {
		j := &journal{}
		s := newSite(t, reportTo(j))
		client, _ := s.loggedIn()
		time.Sleep(expiry)
		gets(t, client, 200)
		first := s.attempts[0]
		time.Sleep(expiry)
		s.refresh = func(w http.ResponseWriter, r *http.Request) bool { // the answer is lost
			s.issuer.RefreshHandler().ServeHTTP(httptest.NewRecorder(), r)
			w.WriteHeader(502)
			return true
		}
		gets(t, client, troubled)
		s.refresh = nil
		time.Sleep(time.Hour)
		gets(t, client, 200)
		if a := s.attempts; len(a) != 3 || a[1] != a[2] || a[0] == a[1] || len(first) != 22 {
			t.Errorf("attempts %q", s.attempts)
		}
		if kinds := j.kinds(); !slices.Contains(kinds, auth.EventRecovered) || slices.Contains(kinds, auth.EventReuse) {
			t.Errorf("events %v", kinds)
		}
		time.Sleep(expiry)
		gets(t, client, 200)
		if a := s.attempts; a[3] == a[2] {
			t.Error("an attempt is used again")
		}
	})(t)
}

// Over real connections, with the real handlers.
func TestClientOverHTTP(t *testing.T) {
	issuer := newIssuer(t)
	login := httptest.NewServer(issuer.RefreshHandler())
	defer login.Close()
	var authorized sync.Map
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorized.Store(r.Header.Get("Authorization"), true)
		if _, err := issuer.Authenticate(r); err != nil || r.URL.Query().Get("refuse") == r.Header.Get("Authorization") {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(401)
			return
		}
		io.Copy(w, r.Body)
	}))
	defer api.Close()
	client, err := tokenclient.New(tokenclient.Config{Origins: []string{api.URL}, Refresh: tokenclient.RefreshAt(login.URL, nil)})
	must(t, err)
	tokens := issued(t, issuer)
	must(t, client.SetTokens(tokens))
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, _ := http.NewRequest("POST", api.URL+"/?refuse=Bearer+"+tokens.AccessToken, strings.NewReader("body"))
			response, err := client.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			defer response.Body.Close()
			if body, _ := io.ReadAll(response.Body); response.StatusCode != 200 || string(body) != "body" {
				t.Errorf("%d %q", response.StatusCode, body)
			}
		})
	}
	wg.Wait()
	count := 0
	authorized.Range(func(any, any) bool { count++; return true })
	if count != 2 {
		t.Errorf("%d access tokens were used", count)
	}
}

func TestTransportsThatCannotWorkAreRefused(t *testing.T) {
	refresh := tokenclient.RefreshAt(refreshURL, nil)
	for rule, c := range map[string]tokenclient.Config{
		"no origins":              {Refresh: refresh},
		"no refresh":              {Origins: []string{apiOrigin}},
		"an empty origin":         {Origins: []string{""}, Refresh: refresh},
		"a host":                  {Origins: []string{"api.example"}, Refresh: refresh},
		"a path":                  {Origins: []string{apiOrigin + "/"}, Refresh: refresh},
		"a query":                 {Origins: []string{apiOrigin + "?a"}, Refresh: refresh},
		"a fragment":              {Origins: []string{apiOrigin + "#a"}, Refresh: refresh},
		"a user":                  {Origins: []string{"https://a@api.example"}, Refresh: refresh},
		"another scheme":          {Origins: []string{"ftp://api.example"}, Refresh: refresh},
		"no scheme":               {Origins: []string{"//api.example"}, Refresh: refresh},
		"a wildcard of all":       {Origins: []string{"*"}, Refresh: refresh},
		"the second is bad":       {Origins: []string{apiOrigin, "x"}, Refresh: refresh},
		"a file that is a folder": {Origins: []string{apiOrigin}, Refresh: refresh, File: t.TempDir()},
	} {
		if client, err := tokenclient.New(c); err == nil || client != nil || !strings.HasPrefix(err.Error(), "tokenclient: ") {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestLoginOfATransportWantsBothTokens(t *testing.T) {
	s := newSite(t)
	client := s.client()
	gets(t, client, ended)
	for _, tokens := range []tokenclient.Tokens{{}, {AccessToken: "a"}, {RefreshToken: "r"}} {
		if client.SetTokens(tokens) == nil {
			t.Errorf("%+v is taken", tokens)
		}
	}
	gets(t, client, ended)
	s.sees(0, 0)
}

// 25: one Transport serves many goroutines at once.
func TestClient25IsSafeForConcurrentUse(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := newSite(t)
		client, _ := s.loggedIn(inFile(tokenFile(t)))
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for k := range 20 {
					switch {
					case n == 0 && k%5 == 4:
						client.Clear()
					case n == 0 || n == 1 && k%4 == 3:
						if err := client.SetTokens(issued(t, s.issuer)); err != nil {
							t.Error(err)
						}
					default:
						if got := get(client); got != 200 && got != ended {
							t.Error(got)
						}
					}
					time.Sleep(time.Duration(n+1) * time.Minute)
				}
			})
		}
		wg.Wait()
		must(t, client.SetTokens(issued(t, s.issuer)))
		gets(t, client, 200)
	})(t)
}
