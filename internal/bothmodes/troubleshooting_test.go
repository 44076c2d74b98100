package bothmodes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// quoted returns an event as docs/troubleshooting.md writes it.
func quoted(e auth.Event) string {
	text := string(e.Kind)
	if e.Reason == "" && e.Err == nil {
		return "`" + text + "`"
	}
	if e.Reason != "" {
		text += ", `" + e.Reason + "`"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// A bench collects what a developer sees: events, errors and responses.
type bench struct {
	*testing.T
	seen []string

	keySet *token.KeySet // of an issuer whose clock is years ahead
	early  string        // an access token of it
}

func (b *bench) receive(_ context.Context, e auth.Event) {
	if e.Kind != auth.EventLogin || e.Reason != "" {
		b.seen = append(b.seen, quoted(e))
	}
}

// sees adds what the text of an error, or of a response, says.
func (b *bench) sees(text string) { b.seen = append(b.seen, text) }

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) sessions(s store.Store, p cookie.Policy, limits auth.Limits) *session.Manager {
	m, err := session.New(session.Config{Store: s, Cookie: p, Limits: limits, Events: b.receive})
	b.must(err)
	return m
}

func (b *bench) keys() *token.KeySet {
	keys, err := token.NewKeySet(token.Ed25519)
	b.must(err)
	return keys
}

func (b *bench) issuer(s store.Store, keys *token.KeySet) *token.Issuer {
	i, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: s, Issuer: "https://login.example", Audience: "https://api.example", ClientID: "web", Events: b.receive,
	})
	b.must(err)
	return i
}

// login logs alice in, and returns the cookie and the access token of her browser.
func (b *bench) login(login func(http.ResponseWriter, *http.Request, auth.Identity) error) (cookie, access string) {
	b.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "https://app.example/login", nil)
	r.Header.Set("User-Agent", "Browser/1.0")
	b.must(login(w, r, auth.Identity{Subject: "alice"}))
	var tokens token.Tokens
	json.Unmarshal(w.Body.Bytes(), &tokens)
	cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie, tokens.AccessToken
}

// get sends a request to a page behind a guard, and returns the response.
func (b *bench) get(a middleware.Authenticator, fields ...string) *httptest.ResponseRecorder {
	return b.serve((&middleware.Guard{Authenticator: a, Events: b.receive}).Require(http.NotFoundHandler()), "GET", fields...)
}

func (b *bench) serve(h http.Handler, method string, fields ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://app.example/page", nil)
	r.Header.Set("User-Agent", "Browser/1.0")
	for i := 0; i < len(fields); i += 2 {
		r.Header.Set(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// refresh sends a refresh of a tab, and sees the type of problem in the response.
func (b *bench) refresh(i *token.Issuer, cookie, attempt string) (next string) {
	w := b.serve(i.RefreshHandler(), "POST", "Cookie", cookie, token.AttemptHeader, strings.Repeat(attempt, 22))
	var problem struct {
		Type string `json:"type"`
	}
	if json.Unmarshal(w.Body.Bytes(), &problem); problem.Type != "" {
		b.sees("`" + problem.Type + "`")
	}
	next, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return next
}

// symptoms are the headings of docs/troubleshooting.md, each with what causes it.
var symptoms = []struct {
	heading string
	cause   func(b *bench)
}{
	{"Developing over plain HTTP: no cookie after the login", func(b *bench) {
		r := httptest.NewRequest("POST", "http://192.168.0.5:8080/login", nil)
		r.Header.Set("Origin", "http://192.168.0.5:8080")
		b.must(b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{}).Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}))
	}},
	{"No cookie on localhost with Safari (WebKit)", func(b *bench) {
		for _, p := range []cookie.Policy{cookie.Session(), cookie.Session().Insecure()} {
			r := httptest.NewRequest("POST", "http://localhost:8080/login", nil)
			r.Header.Set("Origin", "http://localhost:8080")
			r.Header.Set("User-Agent", "Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15")
			w := httptest.NewRecorder()
			b.must(b.sessions(&store.Memory{}, p, auth.Limits{}).Login(w, r, auth.Identity{Subject: "alice"}))
			name, rest, _ := strings.Cut(w.Header().Get("Set-Cookie"), "=")
			_, attributes, _ := strings.Cut(rest, ";")
			b.sees("`" + name + "=…;" + attributes + "`")
		}
		if len(b.seen) != 3 {
			b.Errorf("%d sights, want two cookies and one event", len(b.seen))
		}
		r := httptest.NewRequest("POST", "http://192.168.0.5:8080/login", nil)
		if b.sessions(&store.Memory{}, cookie.Session().Insecure(), auth.Limits{}).Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}) == nil {
			b.Error("no error")
		}
	}},
	{"Login loop: 401 after each login", func(b *bench) {
		m := b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{})
		c, _ := b.login(m.Login)
		b.get(m, "Cookie", c+"; "+c)
		b.get(m, "Cookie", "__Host-Http-session=of-another-application")
		b.login(m.LoginPending)
	}},
	{"Logged out after a deploy", func(b *bench) {
		before, emptied, keys := &store.Memory{}, &store.Memory{}, b.keys()
		c, _ := b.login(b.sessions(before, cookie.Session(), auth.Limits{}).Login)
		b.get(b.sessions(emptied, cookie.Session(), auth.Limits{}), "Cookie", c)
		b.get(b.sessions(before, cookie.New("session").SameSiteLax().Domain("app.example"), auth.Limits{}), "Cookie", "__Secure-session=a; __Secure-session=b")
		older := b.keys()
		time.Sleep(time.Minute)
		r, access := b.login(b.issuer(before, keys).Login)
		b.refresh(b.issuer(emptied, keys), r, "a")
		b.refresh(b.issuer(before, older), r, "b")
		time.Sleep(time.Minute)
		b.refresh(b.issuer(before, b.keys()), r, "b")
		b.get(b.issuer(before, b.keys()), "Authorization", "Bearer "+access)
	}},
	{"Logged out too early: idle timeout, lifetime, eviction", func(b *bench) {
		m := b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{MaxLogins: 1})
		i := b.issuer(&store.Memory{}, b.keys())
		c, _ := b.login(m.Login)
		r, access := b.login(i.Login)
		time.Sleep(time.Hour)
		b.get(m, "Cookie", c)
		b.get(i, "Authorization", "Bearer "+access)
		b.refresh(i, r, "a")
		b.login(m.Login)
		b.login(m.Login)
	}},
	{"\"plain http\" or \"not https\": an address in a configuration", func(b *bench) {
		_, err := token.NewRemoteKeySet("http://login.internal/jwks", token.RemoteConfig{})
		b.sees(err.Error())
		_, err = token.ResourceMetadata{Resource: "http://api.internal"}.URL()
		b.sees(err.Error())
	}},
	{"403 for POST behind a proxy: cross-origin request (CSRF)", func(b *bench) {
		r := httptest.NewRequest("POST", "http://10.0.0.5:8080/login", nil)
		r.Header.Set("Origin", "https://app.example")
		b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{}).Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"})
		long := http.NewCrossOriginProtection().Check(r).Error()
		b.seen[0] = strings.ReplaceAll(b.seen[0], long, "…")
		i := b.issuer(&store.Memory{}, b.keys())
		c, _ := b.login(i.Login)
		b.serve(i.RefreshHandler(), "POST", "Cookie", c)
	}},
	{"403 for POST from a page of another origin or port", func(b *bench) {
		r := httptest.NewRequest("POST", "http://localhost:8080/login", nil)
		r.Header.Set("Origin", "http://localhost:5173")
		r.Header.Set("Sec-Fetch-Site", "same-site")
		if b.issuer(&store.Memory{}, b.keys()).Login(httptest.NewRecorder(), r, auth.Identity{Subject: "alice"}) == nil {
			b.Error("no error")
		}
		long := http.NewCrossOriginProtection().Check(r).Error()
		b.seen[0] = strings.ReplaceAll(b.seen[0], long, "…")
	}},
	{"403 for POST: the CSRF token of a form", func(b *bench) {
		m := b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{})
		request := func(method, cookie, csrf string) *http.Request {
			r := httptest.NewRequest(method, "https://app.example/form", nil)
			r.Header.Set("Cookie", cookie)
			if csrf != "" {
				r.Header.Set("X-CSRF-Token", csrf)
			}
			return r
		}
		old, _ := b.login(m.Login)
		csrf, err := m.CSRFToken(httptest.NewRecorder(), request("GET", old, ""))
		b.must(err)
		now, _ := b.login(m.Login)
		if err := m.CheckCSRF(request("POST", now, csrf)); !errors.Is(err, session.ErrOtherSession) {
			b.Error(err)
		}
		for _, r := range []*http.Request{request("POST", now, ""), request("POST", now, "x"), request("POST", "", csrf)} {
			if m.CheckCSRF(r) == nil {
				b.Error("no error")
			}
		}
		if len(b.seen) != 4 {
			b.Errorf("%d events, want 4", len(b.seen))
		}
		_, err = m.CSRFToken(httptest.NewRecorder(), request("GET", "", ""))
		if !errors.Is(err, auth.ErrNoCredential) {
			b.Error(err)
		}
		b.sees(err.Error())
	}},
	{"401 for a refresh: second tab, second origin, reuse", func(b *bench) {
		i := b.issuer(&store.Memory{}, b.keys())
		first, _ := b.login(i.Login)
		other, _ := b.login(i.Login)
		time.Sleep(time.Minute)
		b.refresh(i, first, "a")
		b.seen = nil // the first refresh is no symptom
		time.Sleep(time.Minute)
		b.refresh(i, first, "b")
		b.refresh(i, "other=1", "c")
		b.refresh(i, "__Host-Http-refresh=x", "d")
		b.must(i.LogoutAll(b.Context(), "alice"))
		b.refresh(i, other, "e")
	}},
	{"503 Service Unavailable with Retry-After", func(b *bench) {
		s := &brittle{}
		m := b.sessions(s, cookie.Session(), auth.Limits{})
		c, _ := b.login(m.Login)
		s.down = errors.New("dial tcp 127.0.0.1:6379: connect: connection refused")
		w := b.get(m, "Cookie", c)
		b.sees(fmt.Sprintf("%d with `Retry-After: %s`", w.Code, w.Header().Get("Retry-After")))
	}},
	{"401 for OPTIONS: a CORS preflight request behind a guard", func(b *bench) {
		w := b.serve((&middleware.Guard{Authenticator: b.sessions(&store.Memory{}, cookie.Session(), auth.Limits{}), Events: b.receive}).Require(http.NotFoundHandler()),
			"OPTIONS", "Origin", "https://page.example", "Access-Control-Request-Method", "POST")
		b.sees(fmt.Sprint(w.Code, " for OPTIONS"))
		if len(b.seen) != 1 {
			b.Error("there is an event")
		}
	}},
	{"An access token is refused by another host: clock, issuer, audience, kid", func(b *bench) {
		keys := b.keys()
		verify := func(keys token.Keys, issuer, audience, text string) {
			v, err := token.NewVerifier(token.VerifierConfig{Keys: keys, Issuer: issuer, Audience: audience, Events: b.receive})
			b.must(err)
			b.get(v, "Authorization", "Bearer "+text)
		}
		_, access := b.login(b.issuer(&store.Memory{}, keys).Login)
		verify(keys, "https://login.example/", "https://api.example", access)
		verify(keys, "https://login.example", "https://other.example", access)
		verify(b.keys(), "https://login.example", "https://api.example", access)
		verify(b.keySet, "https://login.example", "https://api.example", b.early)
		time.Sleep(time.Hour)
		verify(keys, "https://login.example", "https://api.example", access)
		verify(keys, "https://login.example", "https://api.example", "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.e30.AA")
	}},
}

// Each symptom produces the texts that its section of docs/troubleshooting.md quotes.
func TestTroubleshootingQuotesWhatEachSymptomProduces(t *testing.T) {
	guide, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	ahead := &bench{T: t} // today, where the bubbles are in the year 2000
	keys := ahead.keys()
	_, early := ahead.login(ahead.issuer(&store.Memory{}, keys).Login)
	for _, c := range symptoms {
		t.Run(c.heading, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := &bench{T: t, keySet: keys, early: early}
				c.cause(b)
				_, section, _ := strings.Cut(string(guide), "\n## "+c.heading+"\n")
				section, _, _ = strings.Cut(section, "\n## ")
				section = strings.Join(strings.Fields(strings.ReplaceAll(section, "\n> ", " ")), " ")
				if len(b.seen) == 0 {
					t.Error("nothing was seen")
				}
				for _, text := range b.seen {
					if !strings.Contains(section, strings.Join(strings.Fields(text), " ")) {
						t.Errorf("the section does not have\n%s", text)
					}
				}
			})
		})
	}
}

// A new section needs a test: here, or as the one about path prefixes, in middleware.
func TestEachSectionOfTroubleshootingHasATest(t *testing.T) {
	guide, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]bool{"After the login, a page without the path prefix": true}
	for _, c := range symptoms {
		tested[c.heading] = true
	}
	for line := range strings.Lines(string(guide)) {
		if heading, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok && !tested[heading] {
			t.Errorf("no test has the symptom of %q", heading)
		}
	}
}
