package token_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

var _ interface {
	middleware.Authenticator
	middleware.Challenger
} = (*token.Verifier)(nil)

// outcome names what an error is.
func outcome(err error) string {
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, auth.ErrNoCredential):
		return "none"
	case errors.Is(err, auth.ErrUnauthenticated):
		return "bad"
	case errors.Is(err, auth.ErrForbidden):
		return "forbidden"
	}
	return "unknown"
}

// ASVS 5.0, 2.2.1 and 15.3.7.
func TestTokenIsTakenFromOneHeader(t *testing.T) {
	m := newMinter(t)
	v := m.verifier()
	good := m.mint(claims())
	for _, c := range []struct {
		name   string
		values []string
		want   string
	}{
		{"no field", nil, "none"},
		{"a token", []string{"Bearer " + good}, "ok"},
		{"the scheme in lower case", []string{"bearer " + good}, "ok"},
		{"the scheme in upper case", []string{"BEARER " + good}, "ok"},
		{"two fields", []string{"Bearer " + good, "Bearer " + good}, "bad"},
		{"two fields, one empty", []string{"Bearer " + good, ""}, "bad"},
		{"two fields of two schemes", []string{"Basic YTpi", "Bearer " + good}, "bad"},
		{"two tokens in one field", []string{"Bearer " + good + ", Bearer " + good}, "bad"},
		{"two tokens with a comma", []string{"Bearer " + good + "," + good}, "bad"},
		{"another scheme", []string{"Basic YTpi"}, "none"},
		{"another scheme with a token", []string{"DPoP " + good}, "none"},
		{"another scheme before ours", []string{"Basic Bearer " + good}, "none"},
		{"an empty field", []string{""}, "bad"},
		{"the scheme alone", []string{"Bearer"}, "bad"},
		{"the scheme and a space", []string{"Bearer "}, "bad"},
		{"no scheme", []string{good}, "bad"},
		{"no space", []string{"Bearer" + good}, "bad"},
		{"two spaces", []string{"Bearer  " + good}, "ok"}, // spring-security#19600, jwtauth#98
		{"spaces alone", []string{"Bearer   "}, "bad"},
		{"a tab", []string{"Bearer\t" + good}, "bad"},
		{"a space in front", []string{" Bearer " + good}, "bad"},
		{"a space at the end", []string{"Bearer " + good + " "}, "bad"},
		{"a colon", []string{"Bearer: " + good}, "bad"},
		{"an equals sign", []string{"Bearer=" + good}, "bad"},
		{"quotation marks", []string{`Bearer "` + good + `"`}, "bad"},
		{"a parameter", []string{"Bearer token=" + good}, "bad"},
		{"a scheme that looks like ours", []string{"Be\u0430rer " + good}, "bad"},
		{"garbage", []string{"Bearer garbage"}, "bad"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header["Authorization"] = c.values
			id, err := v.Authenticate(r)
			if got := outcome(err); got != c.want {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
			if (err == nil) != (id.Subject == "alice") || err != nil && id != (auth.Identity{}) {
				t.Errorf("identity %+v beside error %v", id, err)
			}
		})
	}
}

// A token in a URL ends in logs (ASVS 5.0, 14.2.1); one in a body is the
// handler's to read.
func TestTokenElsewhereIsNotSeen(t *testing.T) {
	m := newMinter(t)
	v := m.verifier()
	good := m.mint(claims())
	body := strings.NewReader("access_token=" + good)
	r := httptest.NewRequest("POST", "/?access_token="+good+"&Authorization=Bearer+"+good, body)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Cookie", "__Host-Http-access="+good+"; access_token="+good)
	r.Header.Set("X-Authorization", "Bearer "+good)
	r.Header.Set("Proxy-Authorization", "Bearer "+good)
	if _, err := v.Authenticate(r); outcome(err) != "none" {
		t.Errorf("error %v", err)
	}
	if body.Len() != len("access_token="+good) {
		t.Error("the body was read")
	}
}

func TestTokenFromACookie(t *testing.T) {
	m := newMinter(t)
	policy := cookie.New("access")
	v := m.verifier(func(c *token.VerifierConfig) { c.AccessCookie = policy })
	good := m.mint(claims())
	ours := policy.Name() + "=" + good
	for _, c := range []struct {
		name                   string
		cookie, header, origin string // what the request has
		want                   string
	}{
		{"none", "", "", "", "none"},
		{"the cookie", ours, "", "", "ok"},
		{"the header", "", "Bearer " + good, "", "ok"},
		{"both", ours, "Bearer " + good, "", "bad"},
		{"a bad cookie and a good header", policy.Name() + "=x y", "Bearer " + good, "", "bad"},
		{"a good cookie and a bad header", ours, "Bearer", "", "bad"},
		{"the cookie and another scheme", ours, "Basic YTpi", "", "ok"},
		{"the cookie twice", ours + "; " + ours, "", "", "bad"},
		{"a cookie of another name", "access=" + good, "", "", "none"},
		{"an empty cookie", policy.Name() + "=", "", "", "bad"},
		{"garbage", policy.Name() + "=x", "", "", "bad"},
		{"the cookie from another site", ours, "", "https://evil.test", "forbidden"},
		{"the header from another site", "", "Bearer " + good, "https://evil.test", "ok"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "https://app.test/", nil)
			for name, value := range map[string]string{"Cookie": c.cookie, "Authorization": c.header, "Origin": c.origin} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			id, err := v.Authenticate(r)
			if got := outcome(err); got != c.want || (err == nil) != (id.Subject != "") {
				t.Errorf("%s (%v), want %s", got, err, c.want)
			}
		})
	}
	trusting := http.NewCrossOriginProtection()
	must(t, trusting.AddTrustedOrigin("https://friend.test"))
	v = m.verifier(func(c *token.VerifierConfig) { c.AccessCookie, c.CrossOrigin = policy, trusting })
	r := httptest.NewRequest("POST", "https://app.test/", nil)
	r.Header.Set("Origin", "https://friend.test")
	r.Header.Set("Cookie", ours)
	if _, err := v.Authenticate(r); err != nil {
		t.Errorf("from a trusted origin: %v", err)
	}
}

func TestChallengesOfRFC6750(t *testing.T) {
	m := newMinter(t)
	v := m.verifier()
	past := time.Now().Unix() - 600
	for _, c := range []struct {
		name   string
		values []string
		status int
		want   string
	}{
		{"no credential: bare", nil, 401, `Bearer`},
		{"another scheme: bare", []string{"Basic YTpi"}, 401, `Bearer`},
		{"garbage", []string{"Bearer x"}, 401, `Bearer error="invalid_token"`},
		{"another's token", []string{"Bearer " + newMinter(t).mint(claims())}, 401, `Bearer error="invalid_token"`},
		{
			"expired", []string{"Bearer " + m.mint(with(map[string]any{"iat": past, "auth_time": past, "exp": past + 60}))}, 401,
			`Bearer error="invalid_token", error_description="the access token expired"`,
		},
		{"no token after the scheme", []string{"Bearer"}, 401, `Bearer error="invalid_request"`},
		{"two fields", []string{"Bearer a", "Bearer b"}, 401, `Bearer error="invalid_request"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			guard := (&middleware.Guard{Authenticator: v}).Require(http.NotFoundHandler())
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header["Authorization"] = c.values
			guard.ServeHTTP(w, r)
			got := w.Header()["Www-Authenticate"]
			if w.Code != c.status || len(got) != 1 || got[0] != c.want || w.Header()["Set-Cookie"] != nil {
				t.Errorf("%d %q %v", w.Code, got, w.Header())
			}
		})
	}
}

func TestChallengesOfGuards(t *testing.T) {
	m := newMinter(t)
	guard := &middleware.Guard{Authenticator: m.verifier()}
	text := m.mint(with(map[string]any{"auth_time": time.Now().Unix() - 600}))
	for _, c := range []struct {
		name   string
		wrap   func(http.Handler) http.Handler
		status int
		want   string
	}{
		{"a scope", guard.RequireScope("delete admin"), 403, `Bearer error="insufficient_scope", scope="delete admin"`},
		{"a recent login", guard.RequireRecent(5 * time.Minute), 401, `Bearer error="insufficient_user_authentication", max_age="300"`},
		{"a second factor", guard.RequireMethods("otp"), 401, `Bearer error="insufficient_user_authentication"`},
		{"a scope that is none", guard.RequireThat(func(auth.Identity) error {
			return &auth.InsufficientError{Scope: "a\", error=\"x\r\nX: y"}
		}), 403, `Bearer error="insufficient_scope"`},
		{"something else", guard.RequireThat(func(auth.Identity) error { return auth.ErrForbidden }), 403, ""},
		{"a failure", guard.RequireThat(func(auth.Identity) error { return errors.New("down") }), 503, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
			r.Header.Set("Authorization", "Bearer "+text)
			c.wrap(http.NotFoundHandler()).ServeHTTP(w, r)
			if got := strings.Join(w.Header()["Www-Authenticate"], "|"); w.Code != c.status || got != c.want {
				t.Errorf("%d %q", w.Code, got)
			}
		})
	}
}

// ASVS 5.0, 6.8.4 and 10.3.4.
// A token without auth_time is never recent.
func TestWithoutAuthTimeNothingIsRecent(t *testing.T) {
	m := newMinter(t)
	guard := &middleware.Guard{Authenticator: m.verifier()}
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	r.Header.Set("Authorization", "Bearer "+m.mint(with(map[string]any{"auth_time": nil})))
	guard.RequireRecent(1000*time.Hour)(http.NotFoundHandler()).ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("status %d", w.Code)
	}
}

// ASVS 5.0, 16.5.3.
func TestOptionalGuardRefusesABadToken(t *testing.T) {
	m := newMinter(t)
	guard := (&middleware.Guard{Authenticator: m.verifier()}).Optional(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, known := auth.FromContext(r.Context())
		fmt.Fprint(w, known)
	}))
	for value, want := range map[string]string{
		"": "false", "Bearer " + m.mint(claims()): "true", "Bearer x": "", "Bearer": "", "x": "",
	} {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		if value != "" {
			r.Header.Set("Authorization", value)
		}
		guard.ServeHTTP(w, r)
		if (w.Code == 200) != (want != "") || w.Code == 200 && w.Body.String() != want {
			t.Errorf("%.12q: %d %s", value, w.Code, w.Body)
		}
	}
}
