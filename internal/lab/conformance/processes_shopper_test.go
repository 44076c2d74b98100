package conformance

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// A shopper is logged in by a session and by tokens, at two processes. What it
// keeps books of is what was acknowledged; what was refused may have happened.
type shopper struct {
	*street
	subject string

	session, access, refresh string // "" if it is not logged in that way
	attempt                  string // of a refresh that has no answer yet

	tried, acknowledged []string // items of the cart
}

// outcome is what became of a request.
type outcome int

const (
	done       outcome = iota
	denied             // 401
	unanswered         // 503, or no answer
)

// random is what could be a token, and is none.
func random() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func cookies(name, value string) http.Header {
	return http.Header{"Cookie": {name + "=" + value}}
}

func bearer(token string) http.Header {
	return http.Header{"Authorization": {"Bearer " + token}}
}

// login logs in both ways. Whichever has no answer is forgotten.
func (s *shopper) login(a *servers.App) {
	form := url.Values{"user": {s.subject}, "password": {"correct horse"}}
	if set, _, o := s.send(a, "POST", "/login", form, nil); o == done {
		s.session = set[sessionCookie]
	}
	if set, body, o := s.send(a, "POST", "/token/login", form, nil); o == done {
		s.access, s.refresh = accessToken(body), set[refreshCookie]
	}
}

func accessToken(body string) string {
	var tokens struct {
		Access string `json:"access_token"`
	}
	json.Unmarshal([]byte(body), &tokens)
	return tokens.Access
}

// add puts one more item into the cart.
func (s *shopper) add(a *servers.App) {
	if s.session == "" {
		return
	}
	item := fmt.Sprintf("item-%d", len(s.tried))
	s.tried = append(s.tried, item)
	_, _, o := s.send(a, "POST", "/cart", url.Values{"item": {item}}, cookies(sessionCookie, s.session))
	if s.stillIn(o); o == done {
		s.acknowledged = append(s.acknowledged, item)
	}
}

// look checks that both logins live, are the shopper's, and have what was
// acknowledged.
func (s *shopper) look(a *servers.App) {
	if s.session != "" {
		s.me(a, cookies(sessionCookie, s.session))
		_, body, o := s.send(a, "GET", "/cart", nil, cookies(sessionCookie, s.session))
		if s.stillIn(o); o == done && !s.holds(strings.Fields(strings.ReplaceAll(body, ",", " "))) {
			s.count(&s.tally.lost)
		}
	}
	if s.access != "" {
		s.me(a, bearer(s.access))
	}
}

// holds reports whether a cart has what was acknowledged, and nothing that was
// not tried.
func (s *shopper) holds(cart []string) bool {
	missingIn := func(all []string) func(string) bool {
		return func(item string) bool { return !slices.Contains(all, item) }
	}
	return !slices.ContainsFunc(s.acknowledged, missingIn(cart)) && !slices.ContainsFunc(cart, missingIn(s.tried))
}

func (s *shopper) me(a *servers.App, credential http.Header) {
	_, body, o := s.send(a, "GET", "/me", nil, credential)
	if s.stillIn(o); o == done && body != "hello, "+s.subject+"\n" {
		s.count(&s.tally.wronglyIn)
	}
}

// renew refreshes, with the attempt of the last time if that had no answer.
func (s *shopper) renew(a *servers.App) {
	if s.refresh == "" {
		return
	}
	if s.attempt == "" {
		s.attempt = random()
	}
	h := cookies(refreshCookie, s.refresh)
	h.Set("Refresh-Attempt", s.attempt)
	set, body, o := s.send(a, "POST", "/token/refresh", nil, h)
	if s.stillIn(o); o == done {
		s.access, s.refresh, s.attempt = accessToken(body), set[refreshCookie], ""
	}
}

// stillIn counts a login that has ended although no call has ended it.
func (s *shopper) stillIn(o outcome) {
	if o == denied {
		s.count(&s.tally.wronglyOut)
	}
}

// intrude tries to come in without a credential, and with two that no client was
// given.
func (s *shopper) intrude(a *servers.App) {
	for _, h := range []http.Header{nil, cookies(sessionCookie, random()), bearer(random())} {
		if _, _, o := s.send(a, "GET", "/me", nil, h); o == done {
			s.count(&s.tally.wronglyIn)
		}
	}
}

// leave logs out, everywhere at once or one by one, and keeps in the books what
// was acknowledged.
func (s *shopper) leave(a *servers.App, way int) {
	switch {
	case way == 0 && s.session != "":
		_, _, o := s.send(a, "POST", "/logout-everywhere", nil, cookies(sessionCookie, s.session))
		s.left(o, s.session, s.access, s.refresh)
	case way == 1 && s.access != "":
		_, _, o := s.send(a, "POST", "/logout-everywhere", nil, bearer(s.access))
		s.left(o, s.session, s.access, s.refresh)
	default:
		if s.session != "" {
			_, _, o := s.send(a, "POST", "/logout", nil, cookies(sessionCookie, s.session))
			s.left(o, s.session, "", "")
		}
		if s.refresh != "" {
			h := cookies(refreshCookie, s.refresh)
			h.Set("Refresh-Attempt", random())
			_, _, o := s.send(a, "POST", "/token/logout", nil, h)
			s.left(o, "", s.access, s.refresh)
		}
	}
}

// left keeps what an acknowledged logout has ended.
func (s *shopper) left(o outcome, session, access, refresh string) {
	s.stillIn(o)
	if o == done {
		s.keep(&s.ended, &shopper{street: s.street, session: session, access: access, refresh: refresh})
	}
}

// stayOut checks that a login that was logged out is refused.
func (s *shopper) stayOut(a *servers.App) {
	check := func(method, path string, h http.Header) {
		if _, _, o := s.send(a, method, path, nil, h); o == done {
			s.count(&s.tally.undone)
		}
	}
	if s.session != "" {
		check("GET", "/me", cookies(sessionCookie, s.session))
	}
	if s.access != "" {
		check("GET", "/me", bearer(s.access))
	}
	if s.refresh != "" {
		h := cookies(refreshCookie, s.refresh)
		h.Set("Refresh-Attempt", random())
		check("POST", "/token/refresh", h)
	}
}

// send sends a request, and returns the cookies and the body of its answer.
func (s *shopper) send(a *servers.App, method, path string, form url.Values, h http.Header) (map[string]string, string, outcome) {
	r, err := http.NewRequest(method, a.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Error(err)
		return nil, "", unanswered
	}
	if h != nil {
		r.Header = h
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	status, set, body, err := s.exchange(r)
	o := unanswered
	switch {
	case err == nil && (status == http.StatusOK || status == http.StatusNoContent):
		o = done
	case err == nil && status == http.StatusUnauthorized:
		o = denied
	case err == nil && status != http.StatusServiceUnavailable:
		s.t.Errorf("%s %s: %d", method, path, status)
	case err != nil && !s.cut.Load():
		s.t.Errorf("%s %s: %v", method, path, err)
	}
	return set, body, o
}

// exchange measures a request, and counts how it ended.
func (s *shopper) exchange(r *http.Request) (status int, set map[string]string, body string, err error) {
	begin := time.Now()
	defer func() { s.measure(begin, err == nil && status != http.StatusServiceUnavailable) }()
	response, err := s.client.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	set = make(map[string]string)
	for _, c := range response.Cookies() {
		set[c.Name] = c.Value
	}
	return response.StatusCode, set, string(text), err
}
