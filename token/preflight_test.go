package token_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 3.5.2: refresh and logout want a field that makes a browser ask
// first, so what a page of another site can send without asking reaches neither
// the store nor a cookie, even where no other header names that site.
func TestRequestWithoutPreflightReachesNothing(t *testing.T) {
	for _, native := range []bool{false, true} {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)), func(c *token.IssuerConfig) {
			c.AccessCookie, c.NativeClients = cookie.New("access"), native
		})
		b := loggedIn(t, i, "alice")
		attempt := newAttempt()
		for handler, h := range map[string]http.Handler{"refresh": i.RefreshHandler(), "logout": i.LogoutHandler()} {
			for rule, c := range map[string]struct{ contentType, body string }{
				"plain text":                {"text/plain", `{"refresh_token":"` + b.refresh + `"}`},
				"plain text with a charset": {"text/plain;charset=UTF-8", "Refresh-Attempt: " + attempt},
				"a form":                    {"application/x-www-form-urlencoded", "Refresh-Attempt=" + attempt + "&refresh_token=" + b.refresh},
				"a multipart form":          {"multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"Refresh-Attempt\"\r\n\r\n" + attempt + "\r\n--x--\r\n"},
				"no body":                   {"", ""},
				"a body without a type":     {"", `{"refresh_token":"` + b.refresh + `"}`},
				// A browser would ask for these two; programs that copy cookies would not.
				"JSON":                  {"application/json", `{"refresh_token":"` + b.refresh + `"}`},
				"JSON with the attempt": {"application/json", `{"refresh_token":"` + b.refresh + `","Refresh-Attempt":"` + attempt + `"}`},
			} {
				for _, withCookie := range []bool{true, false} {
					r := httptest.NewRequest("POST", "https://app.example/?Refresh-Attempt="+attempt, strings.NewReader(c.body))
					if c.contentType != "" {
						r.Header.Set("Content-Type", c.contentType)
					}
					if withCookie {
						r.Header.Set("Cookie", b.request("POST", "/").Header.Get("Cookie")+"; Refresh-Attempt="+attempt)
					}
					s.reset()
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					if got := problemOf(t, w, 403); got != "" {
						t.Errorf("%s, %s: %q", handler, rule, got)
					}
					if gets, swaps, _ := s.reset(); gets+swaps > 0 {
						t.Errorf("%s, %s: %d store calls", handler, rule, gets+swaps)
					}
				}
			}
		}
		b.post(i.RefreshHandler())
		if len(b.set) != 2 {
			t.Error("the login has ended")
		}
	}
}

// If the header is optional, the cross-origin check is the only protection.
func TestOptionalAttemptLeavesTheOriginCheck(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)), func(c *token.IssuerConfig) { c.AttemptOptional, c.CrossOrigin = true, auth.RequireOrigin(nil) })
	b := loggedIn(t, i, "alice")
	for _, fields := range []http.Header{{}, {"Origin": {"null"}}, {"Origin": {"https://evil.example"}}, {"Sec-Fetch-Site": {"same-site"}}, {"Sec-Fetch-Site": {"cross-site"}}} {
		for _, h := range []http.Handler{i.RefreshHandler(), i.LogoutHandler()} {
			r := httptest.NewRequest("POST", "https://app.example/", nil)
			r.Header = fields.Clone()
			r.Header["Cookie"] = b.request("POST", "/").Header["Cookie"]
			s.reset()
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			problemOf(t, w, 403)
			if gets, swaps, _ := s.reset(); gets+swaps > 0 {
				t.Errorf("%v: %d store calls", fields, gets+swaps)
			}
		}
	}
	wants(t, i, b.refresh, valid)
}
