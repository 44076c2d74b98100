package token_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// forem#10169, code-dot-org#74198, for refresh and access cookies: users log in once after
// a change of the policies, and can refresh and log out, also if they send both cookies.
func TestAChangedCookiePolicyLocksNoTokenOut(t *testing.T) {
	before := [2]cookie.Policy{cookie.New("r").Domain("example.com"), cookie.New("a").Domain("example.com")}
	for what, now := range map[string][2]cookie.Policy{
		"Domain": {cookie.New("r").Domain("app.example.com"), cookie.New("a").Domain("app.example.com")},
		"Path":   {cookie.New("r").Domain("example.com").Path("/auth"), cookie.New("a").Domain("example.com").Path("/auth")},
		"prefix": {cookie.New("r"), cookie.New("a")},
	} {
		for _, both := range []bool{false, true} {
			s, keys := &store.Memory{}, cheapKeys(t)
			issuer := func(cookies [2]cookie.Policy, former ...cookie.Policy) *token.Issuer {
				return newIssuer(t, over(s, keys), func(c *token.IssuerConfig) {
					c.Cookie, c.AccessCookie, c.FormerCookies = cookies[0], cookies[1], former
				})
			}
			old, broken, mended := issuer(before), issuer(now), issuer(now, before[:]...)
			jar, err := cookiejar.New(nil)
			must(t, err)
			u, _ := url.Parse("https://app.example.com/auth/x")
			send := func(handle http.HandlerFunc) *httptest.ResponseRecorder {
				r := httptest.NewRequest("POST", u.String(), nil)
				r.Header.Set(token.AttemptHeader, newAttempt())
				for _, c := range jar.Cookies(u) {
					r.AddCookie(c)
				}
				w := httptest.NewRecorder()
				handle(w, r)
				jar.SetCookies(u, w.Result().Cookies())
				return w
			}
			login := func(i *token.Issuer) {
				send(func(w http.ResponseWriter, r *http.Request) { must(t, i.Login(w, r, alice)) })
			}
			authenticated := func() (err error) {
				send(func(_ http.ResponseWriter, r *http.Request) { _, err = mended.Authenticate(r) })
				return err
			}
			prepare := func() {
				login(old)
				if both {
					login(broken)
				}
			}
			prepare()
			login(mended)
			if err := authenticated(); err != nil || len(jar.Cookies(u)) != 2 {
				t.Errorf("%s, both %t: after the login: %v, %d cookies", what, both, err, len(jar.Cookies(u)))
			}
			if w := send(mended.RefreshHandler().ServeHTTP); w.Code != 200 || authenticated() != nil {
				t.Errorf("%s, both %t: refresh %d %s", what, both, w.Code, w.Body)
			}
			if list, err := mended.Logins(t.Context(), "alice"); err != nil || what != "prefix" && len(list) != 1 {
				t.Errorf("%s, both %t: %d logins, %v", what, both, len(list), err)
			}
			prepare()
			if w := send(mended.LogoutHandler().ServeHTTP); w.Code != 204 || len(jar.Cookies(u)) != 0 {
				t.Errorf("%s, both %t: logout %d, %d cookies are left", what, both, w.Code, len(jar.Cookies(u)))
			}
			if list, err := mended.Logins(t.Context(), "alice"); err != nil || what != "prefix" && len(list) != 0 {
				t.Errorf("%s, both %t: after the logout %d are alive, %v", what, both, len(list), err)
			}
		}
	}
}

func TestFormerCookiesOfAnIssuerThatContradictAreRefused(t *testing.T) {
	access := cookie.New("access")
	for _, former := range [][]cookie.Policy{{cookie.Refresh()}, {access}, {{}}, {access.Path("/a"), access.Path("/a")}} {
		_, err := token.NewIssuer(token.IssuerConfig{
			Issuer: issuerName, Audience: audienceName, ClientID: "app", Keys: cheapKeys(t), Store: &store.Memory{},
			AccessCookie: access, FormerCookies: former,
		})
		if err == nil || !strings.HasPrefix(err.Error(), "token: IssuerConfig.FormerCookies: ") {
			t.Errorf("%v", err)
		}
	}
}
