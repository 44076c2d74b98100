package token_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// answered is what the body of an answer may hold.
type answered struct {
	AccessToken  *string `json:"access_token"`
	RefreshToken *string `json:"refresh_token"`
	TokenType    string  `json:"token_type"`
	ExpiresIn    int64   `json:"expires_in"`
	RefreshAfter int64   `json:"refresh_after"`
	Generation   *uint64 `json:"gen"`

	Type, Title, Reason string
	Status              int
}

func bodyOf(t testing.TB, w *httptest.ResponseRecorder) (a answered) {
	t.Helper()
	must(t, json.Unmarshal(w.Body.Bytes(), &a))
	return a
}

// problemOf checks what all failures have in common, and returns the type of
// the problem. A failed refresh sets no cookie.
func problemOf(t testing.TB, w *httptest.ResponseRecorder, status int) string {
	t.Helper()
	if w.Code != status {
		t.Fatalf("status %d, want %d: %s", w.Code, status, w.Body)
	}
	h := w.Header()
	if h["Set-Cookie"] != nil || h.Get("Cache-Control") != "no-store" || h.Get("Content-Type") != "application/problem+json" ||
		h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("header %v", h)
	}
	if (h.Get("Retry-After") != "") != (status == 503) || (h.Get("WWW-Authenticate") != "") != (status == 401) || (h.Get("Allow") != "") != (status == 405) {
		t.Errorf("%d: header %v", status, h)
	}
	a := bodyOf(t, w)
	if a.Status != status || a.Title != http.StatusText(status) || a.AccessToken != nil || a.RefreshToken != nil {
		t.Errorf("body %s", w.Body)
	}
	if status != 401 && (a.Type != "" || a.Reason != "") {
		t.Errorf("%d has type %q, reason %q", status, a.Type, a.Reason)
	}
	return strings.TrimSpace(strings.TrimPrefix(a.Type, "urn:authlatch:refresh:") + " " + a.Reason)
}

// ASVS 5.0, 3.3.1, 3.3.2, 3.3.3 and 3.3.4.
// The Set-Cookie fields, letter by letter: what a browser does follows from
// them.
func TestCookiesAreGolden(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access") })
		b := &browser{}
		w, err := b.login(i, "alice")
		must(t, err)
		golden := func(w *httptest.ResponseRecorder, refresh, access string) {
			t.Helper()
			var got []string
			for _, field := range w.Header()["Set-Cookie"] {
				name, rest, _ := strings.Cut(field, "=")
				_, attributes, _ := strings.Cut(rest, ";")
				got = append(got, name+":"+attributes)
			}
			want := []string{
				refreshCookie + ": Path=/;" + refresh + " HttpOnly; Secure; SameSite=Strict",
				accessCookie + ": Path=/;" + access + " HttpOnly; Secure; SameSite=Strict",
			}
			if !slices.Equal(got, want) {
				t.Errorf("cookies\n%q, want\n%q", got, want)
			}
		}
		golden(w, "", " Max-Age=600;")
		time.Sleep(30 * time.Minute)
		golden(b.post(i.RefreshHandler()), "", " Max-Age=600;")

		id, remembered := alice, httptest.NewRecorder()
		id.Expires = time.Now().Add(3 * 24 * time.Hour)
		must(t, i.Login(remembered, b.request("POST", "/"), id))
		b.obey(remembered.Header())
		golden(remembered, " Max-Age=259200;", " Max-Age=600;")
		time.Sleep(2 * 24 * time.Hour)
		golden(b.post(i.RefreshHandler()), " Max-Age=86400;", " Max-Age=600;")
		time.Sleep(24*time.Hour - 90*time.Second)
		golden(b.post(i.RefreshHandler()), " Max-Age=90;", " Max-Age=90;")
		golden(b.post(i.LogoutHandler()), " Max-Age=0;", " Max-Age=0;")
		if b.refresh != "" || b.access != "" {
			t.Error("logout leaves a cookie")
		}
	})(t)
}

// ASVS 5.0, 3.3.4, 4.1.1 and 14.2.2.
func TestAnswersToBrowsers(t *testing.T) {
	i := newIssuer(t)
	b := &browser{}
	login, err := b.login(i, "alice")
	must(t, err)
	for n, w := range []*httptest.ResponseRecorder{login, b.post(i.RefreshHandler())} {
		h, a := w.Header(), bodyOf(t, w)
		if w.Code != 200 || h.Get("Content-Type") != "application/json" || h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%d: header %v", w.Code, h)
		}
		if a.RefreshToken != nil || a.AccessToken == nil || a.TokenType != "Bearer" || a.ExpiresIn != 600 || a.Generation == nil || *a.Generation != uint64(n) ||
			a.RefreshAfter < 570 || a.RefreshAfter > 594 {
			t.Errorf("body %s", w.Body)
		}
		if _, err := i.Verify(t.Context(), *a.AccessToken); err != nil {
			t.Error(err)
		}
		if strings.Contains(w.Body.String(), b.refresh) {
			t.Error("the body has the refresh token")
		}
	}
}

// ASVS 5.0, 10.1.1 and 14.3.3.
// With a cookie for the access token no script sees it, and Authenticate takes
// it from there, behind the cross-origin check.
func TestAccessTokenInACookieIsNotInTheBody(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access") })
	b := &browser{}
	login, err := b.login(i, "alice")
	must(t, err)
	first := b.access
	for _, w := range []*httptest.ResponseRecorder{login, b.post(i.RefreshHandler())} {
		if a := bodyOf(t, w); a.AccessToken != nil || a.RefreshToken != nil || a.ExpiresIn != 600 {
			t.Errorf("body %s", w.Body)
		}
	}
	if first == b.access {
		t.Error("the access token is the old one")
	}
	if id, err := i.Authenticate(b.request("POST", "/")); err != nil || id.Subject != "alice" {
		t.Error(err)
	}
	b.header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	if _, err := i.Authenticate(b.request("POST", "/")); !errors.Is(err, auth.ErrForbidden) {
		t.Error(err)
	}
}

// ASVS 5.0, 3.5.3, 4.1.4 and 14.2.1.
func TestOnlyPOSTRefreshesAndLogsOut(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	b := loggedIn(t, i, "alice")
	s.reset()
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "post", "TRACE"} {
		for _, h := range []http.Handler{i.RefreshHandler(), i.LogoutHandler()} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, b.request(method, "/?refresh_token="+b.refresh))
			if problemOf(t, w, 405); w.Header().Get("Allow") != "POST" {
				t.Errorf("%s: %v", method, w.Header())
			}
		}
	}
	if gets, swaps, _ := s.reset(); gets+swaps > 0 {
		t.Error("the store is asked")
	}
	wants(t, i, b.refresh, valid)
}

// What another site makes a browser send is refused before anything else.
func TestCrossOriginRequestsAreRefused(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	must(t, trusting.AddTrustedOrigin("https://www.example"))
	for rule, c := range map[string]struct {
		header  http.Header
		allowed bool // by the default
		trusted bool // with www.example trusted
	}{
		"the same origin":               {http.Header{"Sec-Fetch-Site": {"same-origin"}}, true, true},
		"the same origin, old browser":  {http.Header{"Sec-Fetch-Site": nil, "Origin": {"https://app.example"}}, true, true},
		"no browser":                    {http.Header{"Sec-Fetch-Site": nil}, true, true},
		"typed into the address bar":    {http.Header{"Sec-Fetch-Site": {"none"}}, true, true},
		"another site":                  {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}, false, false},
		"a sibling":                     {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://api.app.example"}}, false, false},
		"a trusted origin":              {http.Header{"Sec-Fetch-Site": {"same-site"}, "Origin": {"https://www.example"}}, false, true},
		"another origin, old browser":   {http.Header{"Sec-Fetch-Site": nil, "Origin": {"https://evil.example"}}, false, false},
		"the origin null":               {http.Header{"Sec-Fetch-Site": nil, "Origin": {"null"}}, false, false},
		"the origin null, cross-site":   {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"null"}}, false, false},
		"http of a trusted origin":      {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"http://www.example"}}, false, false},
		"a word that does not exist":    {http.Header{"Sec-Fetch-Site": {"friendly"}, "Origin": {"https://evil.example"}}, false, false},
		"a trusted one, in upper case":  {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"HTTPS://WWW.EXAMPLE"}}, false, false},
		"a trusted one, and some more":  {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://www.example.evil.example"}}, false, false},
		"a trusted one, as the referer": {http.Header{"Sec-Fetch-Site": {"cross-site"}, "Referer": {"https://www.example/"}}, false, false},
	} {
		for which, allowed := range map[*http.CrossOriginProtection]bool{nil: c.allowed, trusting: c.trusted} {
			j := &journal{}
			s := &meter{}
			i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j), func(c *token.IssuerConfig) { c.CrossOrigin = which })
			b := loggedIn(t, i, "alice")
			old := b.refresh
			b.header = c.header
			j.take()
			s.reset()
			refresh, logout := b.post(i.RefreshHandler()), (*httptest.ResponseRecorder)(nil)
			w, err := b.login(i, "bob")
			if !allowed {
				logout = b.post(i.LogoutHandler())
				problemOf(t, refresh, 403)
				problemOf(t, logout, 403)
				if !errors.Is(err, auth.ErrForbidden) || w.Body.Len() > 0 || len(w.Header()) > 0 {
					t.Errorf("%s: login: %v %v", rule, err, w.Header())
				}
				if gets, swaps, _ := s.reset(); gets+swaps > 0 || b.refresh != old {
					t.Errorf("%s: the store is asked", rule)
				}
				if kinds := j.kinds(); !slices.Equal(kinds, slices.Repeat([]auth.EventKind{auth.EventRejected}, 3)) {
					t.Errorf("%s: events %v", rule, kinds)
				}
				continue
			}
			if logout = b.post(i.LogoutHandler()); refresh.Code != 200 || err != nil || logout.Code != 204 {
				t.Errorf("%s: %d, %v, %d", rule, refresh.Code, err, logout.Code)
			}
		}
	}
}

// Refresh and logout require the header that a form cannot send.
func TestAttemptFieldIsRequired(t *testing.T) {
	strict, lax := newIssuer(t), newIssuer(t, func(c *token.IssuerConfig) { c.AttemptOptional = true })
	for attempt, status := range map[string][2]int{
		"":                       {403, 200},
		newAttempt():             {200, 200},
		strings.Repeat("a", 128): {200, 200},
		strings.Repeat("a", 129): {403, 403},
		strings.Repeat("a", 21):  {403, 403},
		"with a space, and more": {403, 403},
		"1":                      {403, 403},
	} {
		for n, i := range []*token.Issuer{strict, lax} {
			for _, h := range []http.Handler{i.RefreshHandler(), i.LogoutHandler()} {
				b := loggedIn(t, i, "alice")
				b.header = http.Header{http.CanonicalHeaderKey(token.AttemptHeader): {attempt}}
				if attempt == "" {
					b.header = http.Header{http.CanonicalHeaderKey(token.AttemptHeader): nil}
				}
				w := b.post(h)
				if status[n] == 403 {
					problemOf(t, w, 403)
					wants(t, i, b.refresh, valid)
				} else if w.Code/100 != 2 {
					t.Errorf("%q: %d", attempt, w.Code)
				}
			}
		}
	}
}

// ASVS 5.0, 4.1.1.
// Each refusal has a type of its own, and none touches the cookie.
func TestRefusalsAreDistinguished(t *testing.T) {
	other := newIssuer(t)
	for rule, c := range map[string]struct {
		prepare func(t *testing.T, i *token.Issuer, b *browser)
		want    string
	}{
		"no cookie":       {func(_ *testing.T, _ *token.Issuer, b *browser) { b.refresh = "" }, "missing"},
		"a malformed one": {func(_ *testing.T, _ *token.Issuer, b *browser) { b.refresh = "x" }, "invalid"},
		"an empty one": {func(_ *testing.T, _ *token.Issuer, b *browser) {
			b.header = http.Header{"Cookie": {refreshCookie + "="}}
		}, "invalid"},
		"two of them": {func(_ *testing.T, _ *token.Issuer, b *browser) {
			b.header = http.Header{"Cookie": {refreshCookie + "=" + b.refresh + "; " + refreshCookie + "=" + b.refresh}}
		}, "invalid"},
		"a forged one": {func(_ *testing.T, _ *token.Issuer, b *browser) {
			b.refresh = respell(b.refresh, func(b []byte) { b[20]++ })
		}, "invalid"},
		"one of another host": {func(t *testing.T, _ *token.Issuer, b *browser) { b.refresh = issued(t, other).RefreshToken }, "expired"},
		"after the idle time": {func(*testing.T, *token.Issuer, *browser) { time.Sleep(time.Hour) }, "expired"},
		"long after":          {func(*testing.T, *token.Issuer, *browser) { time.Sleep(30 * time.Hour) }, "expired"},
		"after logout":        {func(t *testing.T, i *token.Issuer, b *browser) { must(t, i.Revoke(t.Context(), b.refresh)) }, "revoked logged out"},
		"after all logouts":   {func(t *testing.T, i *token.Issuer, _ *browser) { must(t, i.LogoutAll(t.Context(), "alice")) }, "revoked revoked"},
		"after another login": {func(t *testing.T, i *token.Issuer, b *browser) {
			again := *b
			_, err := again.login(i, "alice")
			must(t, err)
		}, "revoked replaced"},
		"over the bound": {func(t *testing.T, i *token.Issuer, _ *browser) { loggedIn(t, i, "alice"); loggedIn(t, i, "alice") }, "revoked evicted"},
		"a used one": {func(t *testing.T, i *token.Issuer, b *browser) {
			refreshed(t, i, b.refresh)
			time.Sleep(gracePeriod + time.Second)
		}, "reused"},
		"a used one, again": {func(t *testing.T, i *token.Issuer, b *browser) {
			refreshed(t, i, b.refresh)
			time.Sleep(gracePeriod + time.Second)
			wants(t, i, b.refresh, reused)
		}, "revoked reused"},
		"a record that is too old for its tombstone": {func(t *testing.T, i *token.Issuer, b *browser) {
			must(t, i.Revoke(t.Context(), b.refresh))
			time.Sleep(61 * time.Minute)
		}, "expired"},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			i := newIssuer(t, func(c *token.IssuerConfig) { c.Limits.MaxLogins = 2 })
			b := loggedIn(t, i, "alice")
			c.prepare(t, i, b)
			w := b.post(i.RefreshHandler())
			if got := problemOf(t, w, 401); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
			if want := map[bool]string{true: "Bearer", false: `Bearer error="invalid_token"`}[c.want == "missing"]; w.Header().Get("WWW-Authenticate") != want {
				t.Errorf("WWW-Authenticate %q", w.Header().Get("WWW-Authenticate"))
			}
		}))
	}
}

// ASVS 5.0, 16.5.1 and 16.5.2.
// A question that cannot be answered is to be asked again: no 401, no cookie.
func TestFailuresAreToBeTriedAgain(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	b := loggedIn(t, i, "alice")
	for _, broken := range []string{"get", "swap"} {
		s.before = func(op, _ string) error {
			if op == broken {
				return errors.New("down")
			}
			return nil
		}
		for _, h := range []http.Handler{i.RefreshHandler(), i.LogoutHandler()} {
			if w := b.post(h); problemOf(t, w, 503) != "" || w.Header().Get("Retry-After") != "5" {
				t.Errorf("%v", w.Header())
			}
		}
	}
	s.before = nil
	if w := b.post(i.RefreshHandler()); w.Code != 200 {
		t.Error(w.Code)
	}
}

// If one cookie cannot be set, no cookie is set and no login is created.
func TestCookieThatCannotBeSetIsNoLogin(t *testing.T) {
	j := &journal{}
	claims, err := auth.NewClaims(map[string]any{"long": strings.Repeat("x", 2400)})
	must(t, err)
	for rule, change := range map[string]func(*token.IssuerConfig){
		"one that is too long": func(c *token.IssuerConfig) {
			c.AccessCookie = cookie.New(strings.Repeat("a", 800))
		},
		"one for loopback alone":            func(c *token.IssuerConfig) { c.Cookie = cookie.New("refresh").Insecure() },
		"an access token for loopback only": func(c *token.IssuerConfig) { c.AccessCookie = cookie.New("access").Insecure() },
	} {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j), change)
		w := httptest.NewRecorder()
		err := i.Login(w, (&browser{}).request("POST", "/login"), auth.Identity{Subject: "alice", Claims: claims})
		if outcome(err) != unavailable || w.Body.Len() > 0 || w.Header()["Set-Cookie"] != nil {
			t.Errorf("%s: %v %v", rule, err, w.Header())
		}
		if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) > 0 {
			t.Errorf("%s: %v %v", rule, list, err)
		}
		if slices.Contains(j.kinds(), auth.EventLogin) {
			t.Errorf("%s: a login is reported", rule)
		}
	}
}

// native sends a JSON body without cookies.
func native(h http.Handler, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", "/refresh", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	r.Header.Set(token.AttemptHeader, newAttempt())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestNativeClientsSendTheTokenInTheBody(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		closed, open := newIssuer(t, over(s, keys)), newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.NativeClients = true })
		for rule, c := range map[string]struct {
			contentType string
			body        string // with TOKEN for the token
			want        string // "" is 200
		}{
			"JSON":                             {"application/json", `{"refresh_token":"TOKEN"}`, ""},
			"JSON, with a charset":             {"application/json; charset=utf-8", `{"refresh_token":"TOKEN"}`, ""},
			"JSON, in upper case":              {"Application/JSON", `{"refresh_token":"TOKEN"}`, ""},
			"other members":                    {"application/json", `{"a":1,"refresh_token":"TOKEN","b":[]}`, ""},
			"4096 bytes":                       {"application/json", `{"refresh_token":"TOKEN"}` + strings.Repeat(" ", 4000), ""},
			"more than 4096 bytes":             {"application/json", strings.Repeat(" ", 4096) + `{"refresh_token":"TOKEN"}`, "missing"},
			"a form":                           {"application/x-www-form-urlencoded", "refresh_token=TOKEN", "missing"},
			"JSON that says that it is a form": {"application/x-www-form-urlencoded", `{"refresh_token":"TOKEN"}`, "missing"},
			"plain text":                       {"text/plain", `{"refresh_token":"TOKEN"}`, "missing"},
			"no type":                          {"", `{"refresh_token":"TOKEN"}`, "missing"},
			"no body":                          {"application/json", ``, "missing"},
			"an empty token":                   {"application/json", `{"refresh_token":""}`, "missing"},
			"a number":                         {"application/json", `{"refresh_token":1}`, "missing"},
			"a list":                           {"application/json", `["TOKEN"]`, "missing"},
			"half of it":                       {"application/json", `{"refresh_token":"TOKEN`, "missing"},
			"more after it":                    {"application/json", `{"refresh_token":"TOKEN"}{}`, "missing"},
			"no token of ours":                 {"application/json", `{"refresh_token":"TOKENx"}`, "invalid"},
		} {
			first := issued(t, open).RefreshToken
			body := strings.ReplaceAll(c.body, "TOKEN", first)
			if got := problemOf(t, native(closed.RefreshHandler(), c.contentType, body), 401); got != "missing" {
				t.Errorf("%s: browsers only: %q", rule, got)
			}
			w := native(open.RefreshHandler(), c.contentType, body)
			if c.want != "" {
				if got := problemOf(t, w, 401); got != c.want {
					t.Errorf("%s: %q", rule, got)
				}
				continue
			}
			a := bodyOf(t, w)
			if w.Code != 200 || a.AccessToken == nil || a.RefreshToken == nil || w.Header()["Set-Cookie"] != nil || w.Header().Get("Cache-Control") != "no-store" {
				t.Fatalf("%s: %d %v", rule, w.Code, w.Header())
			}
			if w := native(open.LogoutHandler(), c.contentType, strings.ReplaceAll(c.body, "TOKEN", *a.RefreshToken)); w.Code != 204 || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%s: logout: %d", rule, w.Code)
			}
			wants(t, open, *a.RefreshToken, refusedAs)
		}
	})(t)
}

// A body that could not be read does not end a login.
func TestBodyThatBreaksOffIsNoLogout(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.NativeClients = true })
	for _, h := range []http.Handler{i.RefreshHandler(), i.LogoutHandler()} {
		r := httptest.NewRequest("POST", "/", io.MultiReader(strings.NewReader(`{"refresh`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(token.AttemptHeader, newAttempt())
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		problemOf(t, w, 503)
	}
}

// A request with a cookie is served only the login of its cookie.
func TestCookieGoesBeforeTheBody(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.NativeClients = true })
	b := loggedIn(t, i, "alice")
	r := b.request("POST", "/")
	r.Body = io.NopCloser(bytes.NewBufferString(`{"refresh_token":"` + issued(t, i).RefreshToken + `"}`))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	i.RefreshHandler().ServeHTTP(w, r)
	if a := bodyOf(t, w); a.RefreshToken != nil || len(w.Header()["Set-Cookie"]) != 1 {
		t.Error("the body was taken")
	}
}

// ASVS 5.0, 14.2.1.
// A token in the URL is none.
func TestTokenInTheURLIsNotSeen(t *testing.T) {
	i := newIssuer(t, func(c *token.IssuerConfig) { c.NativeClients = true })
	text := issued(t, i).RefreshToken
	r := httptest.NewRequest("POST", "/?refresh_token="+text+"&access_token="+text, strings.NewReader("refresh_token="+text))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set(token.AttemptHeader, newAttempt())
	w := httptest.NewRecorder()
	i.RefreshHandler().ServeHTTP(w, r)
	if got := problemOf(t, w, 401); got != "missing" {
		t.Error(got)
	}
}

// What a cookie says of its end does not show when the login was last refreshed by
// another client: a thief could follow each refresh of the owner within its grace period.
func TestMaxAgeDoesNotShowWhenAnotherClientRefreshed(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t)
		b := loggedIn(t, i, "alice")
		first, attempt := b.refresh, newAttempt()
		maxAge := func(refresh, attempt string) int {
			t.Helper()
			r := httptest.NewRequest(http.MethodPost, "https://app.example/refresh", nil)
			r.Header.Set(token.AttemptHeader, attempt)
			r.Header.Set("Cookie", "__Host-Http-refresh="+refresh)
			w := httptest.NewRecorder()
			i.RefreshHandler().ServeHTTP(w, r)
			cookies := w.Result().Cookies()
			if w.Code != http.StatusOK || len(cookies) != 1 {
				t.Fatal(w.Code, cookies)
			}
			b.refresh = cookies[0].Value
			return cookies[0].MaxAge
		}
		want := maxAge(first, attempt)
		for range 3 {
			time.Sleep(gracePeriod / 2)
			if got := maxAge(b.refresh, newAttempt()); got != want { // answered without a write
				t.Errorf("Max-Age %d, then %d", want, got)
			}
			time.Sleep(gracePeriod)
			maxAge(b.refresh, newAttempt())
		}
	})(t)
}
