package session_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// csrf returns a token as a page for the browser would have it.
func (b *browser) csrf(t testing.TB, m *session.Manager) string {
	t.Helper()
	token, err := m.CSRFToken(httptest.NewRecorder(), b.request("GET"))
	check(t, err)
	return token
}

// form returns a POST of a form as the browser sends it.
func (b *browser) form(values url.Values) *http.Request {
	r := httptest.NewRequest("POST", "https://app.example/", strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header["Cookie"] = b.request("POST").Header["Cookie"]
	return r
}

// sends checks a token, in a form and in the field.
func (b *browser) sends(t testing.TB, m *session.Manager, token, want string) {
	t.Helper()
	if err := m.CheckCSRF(b.form(url.Values{"csrf_token": {token}})); outcome(err) != want {
		t.Errorf("in a form: %v, want %s", err, want)
	}
	r := b.request("POST")
	r.Header.Set("X-CSRF-Token", token)
	if err := m.CheckCSRF(r); outcome(err) != want {
		t.Errorf("in the field: %v, want %s", err, want)
	}
}

// ASVS 5.0, 3.5.1.
func TestCSRFTokenOfTheSessionIsAccepted(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	for kind, b := range map[string]*browser{"login": loggedIn(t, m, "alice"), "visitor": {}, "second factor": {}} {
		switch kind {
		case "visitor":
			_, err := b.ensure(m)
			check(t, err)
		case "second factor":
			check(t, b.pending(m, "bob"))
		}
		s.calls()
		seen := make(map[string]bool)
		for range 20 {
			token := b.csrf(t, m)
			if seen[token] || len(token) != 86 || strings.Trim(token, base64URL) != "" {
				t.Fatalf("%s: not another text of 86 characters", kind)
			}
			seen[token] = true
		}
		for token := range seen {
			b.sends(t, m, token, valid)
		}
		if n := s.calls(); n != 0 {
			t.Errorf("%s: %d store calls", kind, n)
		}
	}
}

const base64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// A page that is compressed gives away, byte by byte, what is the same in all
// answers. Nothing is.
func TestNothingOfACSRFTokenIsTheSameTwice(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	first, same := b.csrf(t, m), make([]bool, 64)
	for i := range same {
		same[i] = true
	}
	before, _ := base64.RawURLEncoding.DecodeString(first)
	for range 50 {
		now, err := base64.RawURLEncoding.DecodeString(b.csrf(t, m))
		check(t, err)
		for i := range same {
			same[i] = same[i] && now[i] == before[i]
		}
	}
	for i, is := range same {
		if is {
			t.Errorf("byte %d is always the same", i)
		}
	}
}

// ASVS 5.0, 3.5.1.
func TestCSRFTokenOfAnotherSessionIsRefused(t *testing.T) {
	s := &store.Memory{}
	m := newManager(t, session.Config{Store: s})
	b := &browser{}
	_, err := b.ensure(m)
	check(t, err)
	visitor := b.csrf(t, m)
	check(t, b.pending(m, "alice"))
	pending := b.csrf(t, m)
	b.sends(t, m, visitor, forbidden)
	check(t, b.login(m, "alice"))
	first := b.csrf(t, m)
	check(t, b.login(m, "alice"))
	b.sends(t, m, b.csrf(t, m), valid)
	for rule, token := range map[string]string{
		"of the visitor before login":     visitor,
		"of the first factor":             pending,
		"of the login before":             first,
		"of another login of the subject": loggedIn(t, m, "alice").csrf(t, m),
		"of another subject":              loggedIn(t, m, "bob").csrf(t, m),
		// The attacker has brought the token of a session under another name.
		"of another cookie name": b.csrfOf(t, newManager(t, session.Config{Store: s, Cookie: cookie.New("staff")}), "__Host-Http-staff"),
		"of another namespace":   b.csrfOf(t, newManager(t, session.Config{Store: s, Namespace: "staff"}), cookieName),
	} {
		t.Run(rule, func(t *testing.T) { b.sends(t, m, token, forbidden) })
	}
	same := newManager(t, session.Config{Store: &store.Memory{}})
	b.sends(t, same, first, forbidden)
	b.sends(t, same, b.csrf(t, m), valid) // another host of the same application
	token := b.csrf(t, m)
	check(t, b.logout(m))
	b.sends(t, m, token, forbidden)
}

// csrfOf is csrf where the session's token stands in a cookie of another name.
func (b *browser) csrfOf(t testing.TB, m *session.Manager, name string) string {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Cookie", name+"="+b.token)
	token, err := m.CSRFToken(httptest.NewRecorder(), r)
	check(t, err)
	return token
}

// ASVS 5.0, 3.5.1.
func TestCSRFTokenThatWeDidNotMakeIsRefused(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	raw, err := base64.RawURLEncoding.DecodeString(good)
	check(t, err)
	changed := func(i int) string {
		other := append([]byte(nil), raw...)
		other[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(other)
	}
	zero := make([]byte, 64)
	j.take()
	for rule, token := range map[string]string{
		"empty":                         "",
		"one character":                 "x",
		"truncated":                     good[:85],
		"the pad alone":                 good[:43],
		"longer":                        good + "A",
		"sent twice":                    good + good,
		"64 KiB":                        strings.Repeat("A", 64<<10),
		"with padding":                  good + "==",
		"with padding in its length":    good[:84] + "==",
		"with a space":                  good + " ",
		"with a line break":             good[:40] + "\n" + good[40:],
		"a line break in its length":    good[:40] + "\n" + good[41:],
		"two line breaks in its length": good[:40] + "\r\n" + good[42:],
		"in quotes":                     `"` + good + `"`,
		"another spelling of the end":   good[:85] + string(base64URL[strings.IndexByte(base64URL, good[85])|1]),
		"in the other alphabet":         base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\xff", 64))),
		"no characters":                 strings.Repeat("\x00", 86),
		"line breaks alone":             strings.Repeat("\n", 86),
		"a bit of the pad":              changed(0),
		"a bit of the proof":            changed(32),
		"the last bit":                  changed(63),
		"zeros":                         base64.RawURLEncoding.EncodeToString(zero),
		"the session's token":           b.token,
		"the session's token, twice":    b.token + b.token,
	} {
		t.Run(rule, func(t *testing.T) {
			b.sends(t, m, token, forbidden)
			for _, e := range j.events {
				if e.Kind != auth.EventRejected || e.Reason != "csrf token" || e.Source != "session" || !errors.Is(e.Err, auth.ErrForbidden) {
					t.Errorf("event %+v", e)
				}
			}
			if n := len(j.take()); n != 2 {
				t.Errorf("%d events", n)
			}
		})
	}
	b.sends(t, m, good, valid)
}

// An operator sees which of the causes it is, and no part of a token.
func TestTheEventOfARefusedCSRFTokenHasTheError(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	b := loggedIn(t, m, "alice")
	for cause, r := range map[string]*http.Request{
		"not of this session":              b.form(url.Values{"csrf_token": {loggedIn(t, m, "bob").csrf(t, m)}}),
		"none, or more than one, was sent": b.form(nil),
		"malformed":                        b.form(url.Values{"csrf_token": {"x"}}),
		"no session":                       (&browser{}).form(url.Values{"csrf_token": {b.csrf(t, m)}}),
	} {
		j.take()
		err := m.CheckCSRF(r)
		seen := slices.Clone(j.events)
		if want := "session: csrf token: " + cause + ": auth: forbidden"; err == nil || err.Error() != want {
			t.Errorf("%s: %v", cause, err)
		}
		if len(seen) != 1 || seen[0].Reason != "csrf token" || seen[0].Err != err {
			t.Errorf("%s: %+v", cause, seen)
		}
	}
}

// A token counts in one place only, and once.
func TestCSRFTokenElsewhereOrTwiceIsRefused(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	for rule, r := range map[string]*http.Request{
		"nowhere":                      b.request("POST"),
		"twice in a form":              b.form(url.Values{"csrf_token": {good, good}}),
		"beside another in a form":     b.form(url.Values{"csrf_token": {good, "x"}}),
		"beside an empty one":          b.form(url.Values{"csrf_token": {"", good}}),
		"under another name in a form": b.form(url.Values{"CSRF_Token": {good}}),
	} {
		if err := m.CheckCSRF(r); outcome(err) != forbidden {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for rule, change := range map[string]func(*http.Request){
		"in the query":                      func(r *http.Request) { r.URL.RawQuery = "csrf_token=" + good },
		"in a field of another name":        func(r *http.Request) { r.Header.Set("X-CSRF", good) },
		"in two fields":                     func(r *http.Request) { r.Header["X-Csrf-Token"] = []string{good, good} },
		"in two fields that a proxy joined": func(r *http.Request) { r.Header.Set("X-CSRF-Token", good+", "+good) },
		"in a cookie":                       func(r *http.Request) { r.Header.Add("Cookie", "csrf_token="+good) },
	} {
		r := b.request("POST")
		change(r)
		if err := m.CheckCSRF(r); outcome(err) != forbidden {
			t.Errorf("%s: %v", rule, err)
		}
	}
	// The field decides alone.
	r := b.form(url.Values{"csrf_token": {good}})
	r.Header["X-Csrf-Token"] = []string{""}
	if err := m.CheckCSRF(r); outcome(err) != forbidden {
		t.Errorf("an empty field beside a good form: %v", err)
	}
}

// ASVS 5.0, 3.5.1 and 3.5.3.
func TestUnsafeMethodsNeedACSRFToken(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	for method, want := range map[string]string{
		"GET": valid, "HEAD": valid, "OPTIONS": valid, "TRACE": valid,
		"POST": forbidden, "PUT": forbidden, "PATCH": forbidden, "DELETE": forbidden, "CONNECT": forbidden,
		"get": forbidden, "post": forbidden, "EXPLODE": forbidden, "QUERY": forbidden,
	} {
		r := b.request("POST")
		r.Method = method
		if err := m.CheckCSRF(r); outcome(err) != want {
			t.Errorf("%s: %v", method, err)
		}
		r.Header.Set("X-CSRF-Token", b.csrf(t, m))
		if err := m.CheckCSRF(r); err != nil {
			t.Errorf("%s with a token: %v", method, err)
		}
	}
}

// ASVS 5.0, 3.5.1 and 4.4.2: a token does not make up for another site.
func TestCSRFTokenFromAnotherSiteIsRefused(t *testing.T) {
	var j journal
	protection := http.NewCrossOriginProtection()
	check(t, protection.AddTrustedOrigin("https://partner.example"))
	m := newManager(t, session.Config{CrossOrigin: protection, Events: j.record})
	b := loggedIn(t, m, "alice")
	for _, c := range []struct {
		rule, method, origin, site, upgrade string
		want                                string
	}{
		{"our page", "POST", "https://app.example", "same-origin", "", valid},
		{"another site", "POST", "https://evil.example", "cross-site", "", forbidden},
		{"a sibling", "POST", "https://evil.app.example", "", "", forbidden},
		{"a sandboxed frame", "POST", "null", "", "", forbidden},
		{"a WebSocket of a sibling", "GET", "https://evil.app.example", "", "websocket", forbidden},
		{"a trusted origin", "POST", "https://partner.example", "cross-site", "", valid},
	} {
		r := b.request(c.method)
		r.Header.Set("X-CSRF-Token", b.csrf(t, m))
		for field, value := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site, "Upgrade": c.upgrade} {
			if value != "" {
				r.Header.Set(field, value)
			}
		}
		j.take()
		if err := m.CheckCSRF(r); outcome(err) != c.want || len(j.events) > 0 && j.events[0].Reason != "cross-origin request" {
			t.Errorf("%s: %v, %+v", c.rule, err, j.events)
		}
		// What a trusted origin may send, it may not without a token.
		if r.Header.Del("X-CSRF-Token"); c.method == "POST" {
			if err := m.CheckCSRF(r); outcome(err) != forbidden {
				t.Errorf("%s without a token: %v", c.rule, err)
			}
		}
	}
}

// CSRFToken is for the session that the answer leaves behind.
func TestCSRFTokenFollowsTheHandler(t *testing.T) {
	m := newManager(t, session.Config{})
	for rule, do := range map[string]func(http.ResponseWriter, *http.Request) error{
		"Login":        func(w http.ResponseWriter, r *http.Request) error { return m.Login(w, r, alice) },
		"LoginPending": func(w http.ResponseWriter, r *http.Request) error { return m.LoginPending(w, r, alice) },
		"Ensure":       func(w http.ResponseWriter, r *http.Request) error { _, err := m.Ensure(w, r); return err },
	} {
		for _, b := range []*browser{{}, loggedIn(t, m, "bob")} {
			var token string
			check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
				if err := do(w, r); err != nil {
					return err
				}
				w.Header().Set("Cache-Control", "public")
				var err error
				token, err = m.CSRFToken(w, r)
				if w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%s: the page may be kept in caches", rule)
				}
				return err
			}))
			b.sends(t, m, token, valid)
		}
	}
	b := loggedIn(t, m, "alice")
	check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
		if err := m.Logout(w, r); err != nil {
			return err
		}
		if token, err := m.CSRFToken(w, r); outcome(err) != noCredential || token != "" {
			t.Errorf("after logout: %q, %v", token, err)
		}
		return nil
	}))
}

func TestWithoutASessionThereIsNoCSRFToken(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	good := loggedIn(t, m, "alice")
	token := good.csrf(t, m)
	j.take()
	for rule, c := range map[string]struct{ cookie, want string }{
		"no cookie":                        {"", noCredential},
		"a cookie of another name":         {"session=" + good.token, noCredential},
		"an empty cookie":                  {cookieName + "=", invalid},
		"a cookie that is sent twice":      {cookieName + "=" + good.token + "; " + cookieName + "=" + good.token, invalid},
		"a planted cookie beside ours":     {cookieName + "=" + loggedIn(t, m, "bob").token + "; " + cookieName + "=" + good.token, invalid},
		"a token that is too short":        {cookieName + "=" + good.token[:42], invalid},
		"a token that is too long":         {cookieName + "=" + good.token + "A", invalid},
		"a token with another last letter": {cookieName + "=" + good.token[:42] + "B", invalid},
	} {
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		if c.cookie != "" {
			r.Header.Set("Cookie", c.cookie)
		}
		r.Header.Set("X-CSRF-Token", token)
		j.take()
		w := httptest.NewRecorder()
		if got, err := m.CSRFToken(w, r); outcome(err) != c.want || got != "" {
			t.Errorf("%s: %q, %v", rule, got, err)
		}
		if kinds := j.take(); len(kinds) > 0 != (c.want == invalid) || len(kinds) > 0 && kinds[0] != auth.EventRejected {
			t.Errorf("%s: events %q", rule, kinds)
		}
		if err := m.CheckCSRF(r); outcome(err) != forbidden {
			t.Errorf("%s: CheckCSRF: %v", rule, err)
		}
	}
}

// A sibling domain can plant a cookie that is not host-only. It names the
// attacker's session, and never lets tokens of that one act on the victim's.
func TestPlantedCookieReachesNoOtherSession(t *testing.T) {
	m := newManager(t, session.Config{Cookie: cookie.New("session").Domain("app.example")})
	const name = "__Secure-session"
	visit := func(subject string) string {
		w := httptest.NewRecorder()
		check(t, m.Login(w, httptest.NewRequest("POST", "https://app.example/", nil), auth.Identity{Subject: subject}))
		c, err := http.ParseSetCookie(w.Header().Get("Set-Cookie"))
		check(t, err)
		if c.Name != name {
			t.Fatal(c.Name)
		}
		return name + "=" + c.Value
	}
	victim, attacker := visit("alice"), visit("mallory")
	request := func(cookies string) *http.Request {
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		r.Header.Set("Cookie", cookies)
		return r
	}
	known, err := m.CSRFToken(httptest.NewRecorder(), request(attacker))
	check(t, err)
	for cookies, want := range map[string]string{
		victim:                   forbidden,
		victim + "; " + attacker: forbidden,
		attacker + "; " + victim: forbidden,
		attacker:                 valid,
	} {
		r := request(cookies)
		r.Header.Set("X-CSRF-Token", known)
		if err := m.CheckCSRF(r); outcome(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
		if id, err := m.Authenticate(r); err == nil && want == valid && id.Subject != "mallory" {
			t.Errorf("it acts for %s", id.Subject)
		}
	}
}

// Nothing that we did not make is accepted, and nothing panics.
func FuzzCheckCSRF(f *testing.F) {
	m := newManager(f, session.Config{})
	b := loggedIn(f, m, "alice")
	good, other := b.csrf(f, m), loggedIn(f, m, "bob").csrf(f, m)
	for _, seed := range []string{"", good, other, good + "=", good[:85], b.token, strings.Repeat("A", 86), good[:40] + "\n" + good[41:]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		r := b.request("POST")
		r.Header["X-Csrf-Token"] = []string{token}
		if err := m.CheckCSRF(r); (err == nil) != (token == good) {
			t.Errorf("%q: %v", token, err)
		}
	})
}
