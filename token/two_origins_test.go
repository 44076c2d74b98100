package token_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// pageOrigin is a page at its origin. Pages of other origins share its cookies, which are
// those of the API, but not its storage, where its idempotency key is.
type pageOrigin struct {
	t       *testing.T
	issuer  *token.Issuer
	jar     http.CookieJar
	api     *url.URL
	attempt string
}

func (p *pageOrigin) send(handler http.Handler, lose bool) int {
	p.t.Helper()
	r := httptest.NewRequest("POST", p.api.String(), nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Refresh-Attempt", p.attempt)
	for _, c := range p.jar.Cookies(p.api) {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if !lose {
		p.jar.SetCookies(p.api, w.Result().Cookies())
	}
	return w.Code
}

func (p *pageOrigin) login() {
	p.t.Helper()
	login := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { must(p.t, p.issuer.Login(w, r, alice)) })
	p.send(login, false)
}

// refresh keeps the key until a response arrives, as the browser client does.
func (p *pageOrigin) refresh(lose bool) int {
	p.t.Helper()
	status := p.send(p.issuer.RefreshHandler(), lose)
	if !lose {
		p.attempt = newAttempt()
	}
	return status
}

// gas#11, kitchenowl#400: the pages of two origins use one API, and one response is lost.
// With one cookie that is reuse, so the documents say: one page origin per cookie.
func TestPagesOfTwoOriginsNeedACookieEach(t *testing.T) {
	for name, test := range map[string]struct {
		cookies [2]string
		status  int
	}{
		"one cookie":    {[2]string{"refresh", "refresh"}, http.StatusUnauthorized},
		"a cookie each": {[2]string{"refresh-app", "refresh-admin"}, http.StatusOK},
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			api, _ := url.Parse("https://api.example.com/")
			jar, _ := cookiejar.New(nil)
			keys, families := cheapKeys(t), &store.Memory{}
			var pages [2]*pageOrigin
			for i, name := range test.cookies {
				issuer := newIssuer(t, over(families, keys), func(c *token.IssuerConfig) {
					c.Cookie = cookie.New(name)
				})
				pages[i] = &pageOrigin{t, issuer, jar, api, newAttempt()}
			}
			app, admin := pages[0], pages[1]
			app.login()
			if test.cookies[0] != test.cookies[1] {
				admin.login()
			}
			app.refresh(true)
			time.Sleep(gracePeriod + time.Second)
			if got := admin.refresh(false); got != test.status {
				t.Errorf("the page of the other origin gets %d, want %d", got, test.status)
			}
			if got := app.refresh(false); got != test.status {
				t.Errorf("the page that lost its response gets %d, want %d", got, test.status)
			}
			if test.status == http.StatusOK { // one subject and one list of logins
				logins, err := app.issuer.Logins(t.Context(), alice.Subject)
				must(t, err)
				if len(logins) != 2 {
					t.Errorf("%d logins", len(logins))
				}
				must(t, app.issuer.LogoutAll(t.Context(), alice.Subject))
				if got := admin.refresh(false); got != http.StatusUnauthorized {
					t.Errorf("after LogoutAll: %d", got)
				}
			}
		}))
	}
}
