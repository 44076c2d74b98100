package token_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

const (
	tenantA = "https://login.test/a"
	tenantB = "https://login.test/b"
	tenantC = "https://login.test/c" // is not configured
)

// tenant returns a verifier of the minter's tokens for an issuer.
func (m *minter) tenant(issuer string, change ...func(*token.VerifierConfig)) *token.Verifier {
	return m.verifier(append(change, func(c *token.VerifierConfig) { c.Issuer = issuer })...)
}

// of makes a token of an issuer.
func (m *minter) of(issuer string) string { return m.mint(with(map[string]any{"iss": issuer})) }

func joined(t testing.TB, verifiers ...*token.Verifier) *token.Verifiers {
	t.Helper()
	all, err := token.ByIssuer(verifiers...)
	must(t, err)
	return all
}

// spring-security#5385, go-jwt-middleware#197: several issuers behind one guard. Each
// token is verified by the keys of its issuer alone.
func TestTwoIssuersBehindOneGuard(t *testing.T) {
	a, b := newMinter(t), newES256Minter(t)
	guard := &middleware.Guard{Authenticator: joined(t, a.tenant(tenantA), b.tenant(tenantB))}
	var seen auth.Identity
	page := guard.RequireScope("read")(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen, _ = auth.FromContext(r.Context()) }))
	for name, c := range map[string]struct {
		text, issuer string
		status       int
	}{
		"first issuer":           {a.of(tenantA), tenantA, 200},
		"second issuer":          {b.of(tenantB), tenantB, 200},
		"key of the other":       {b.of(tenantA), "", 401},
		"and the reverse":        {a.of(tenantB), "", 401},
		"neither":                {a.of(tenantC), "", 401},
		"iss is an array":        {a.mint(with(map[string]any{"iss": []string{tenantA}})), "", 401},
		"no iss":                 {a.mint(with(map[string]any{"iss": nil})), "", 401},
		"iss twice":              {a.mintText(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+a.kid+`"}`, `{"iss":"`+tenantA+`","iss":"`+tenantB+`"}`), "", 401},
		"iss with other case":    {a.mint(with(map[string]any{"iss": strings.ToUpper(tenantA)})), "", 401},
		"a slash more":           {a.of(tenantA + "/"), "", 401},
		"no payload":             {"a..b", "", 401},
		"no token":               {"", "", 401},
		"an escape in the value": {a.mintText(`{"alg":"EdDSA","typ":"at+jwt","kid":"`+a.kid+`"}`, `{"iss":"https:\/\/login.test\/a"}`), "", 401}, // lacks the rest
	} {
		for range 2 { // from the cache, too
			seen = auth.Identity{}
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Authorization", "Bearer "+c.text)
			page.ServeHTTP(w, r)
			if w.Code != c.status || seen.Issuer != c.issuer {
				t.Errorf("%s: status %d, issuer %q", name, w.Code, seen.Issuer)
			}
			if w.Code == 401 && !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer error=") {
				t.Errorf("%s: %q", name, w.Header())
			}
		}
	}
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("WWW-Authenticate"); w.Code != 401 || got != "Bearer" {
		t.Errorf("without a credential: %d, %q", w.Code, got)
	}
}

// Tenants of one provider may share their signing key. Then iss alone distinguishes
// them, and a tenant that is not configured stays out.
func TestTenantsThatShareAKeyAreDistinguishedByIssuer(t *testing.T) {
	m := newMinter(t)
	all := joined(t, m.tenant(tenantA), m.tenant(tenantB))
	for issuer, want := range map[string]string{tenantA: "ok", tenantB: "ok", tenantC: "bad"} {
		got, err := all.Verify(t.Context(), m.of(issuer))
		if outcome(err) != want || err == nil && got.Identity().Issuer != issuer {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

// A token of an unknown issuer causes no fetch, takes no memory, and is reported with
// its issuer, bounded and printable.
func TestUnknownIssuerIsRefusedWithoutAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, stranger := newMinter(t), newMinter(t)
		h := &fakeHost{document: publishes(m), control: "max-age=3600"}
		keys, err := token.NewRemoteKeySetVia("https://issuer.test/jwks", token.RemoteConfig{}, h)
		must(t, err)
		defer keys.Close()
		var received []auth.Event
		v := func(issuer string) *token.Verifier {
			return m.tenant(issuer, func(c *token.VerifierConfig) {
				c.Keys, c.Events = keys, func(_ context.Context, e auth.Event) { received = append(received, e) }
			})
		}
		all := joined(t, v(tenantA), v(tenantB))
		_, err = all.Verify(t.Context(), m.of(tenantA))
		must(t, err)
		time.Sleep(time.Minute) // an unknown kid would be allowed to fetch
		for i := range 10_000 {
			text := stranger.of(fmt.Sprintf("%s/%d", tenantC, i))
			if _, err := all.Verify(t.Context(), text); outcome(err) != "bad" {
				t.Fatal(err)
			}
		}
		if h.count() != 1 || all.CacheStats().Entries != 1 {
			t.Errorf("%d fetches, %+v", h.count(), all.CacheStats())
		}
		e := received[0]
		if len(received) != 10_000 || e.Kind != auth.EventRejected || e.Reason != "unknown issuer" || !strings.Contains(e.Err.Error(), `"`+tenantC+`/0"`) {
			t.Errorf("%d events, %+v", len(received), e)
		}
		received = nil
		for _, odd := range []string{strings.Repeat("x", 5000), "a\nFORGED\x1b[2J\u202e", ""} {
			_, err := all.Verify(t.Context(), stranger.of(odd))
			text := err.Error()
			if outcome(err) != "bad" || len(text) > 250 || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
				t.Errorf("%q", text)
			}
		}
		if len(received) != 3 {
			t.Errorf("%+v", received)
		}
	})
}

// Each verifier reports to its own hook, and the error names its issuer. What precedes
// the choice is reported to the first verifier, and names no issuer.
func TestEventsNameTheIssuer(t *testing.T) {
	m := newMinter(t)
	var a, b []auth.Event
	all := joined(t,
		m.tenant(tenantA, func(c *token.VerifierConfig) { c.Events = func(_ context.Context, e auth.Event) { a = append(a, e) } }),
		m.tenant(tenantB, func(c *token.VerifierConfig) { c.Events = func(_ context.Context, e auth.Event) { b = append(b, e) } }))
	past := time.Now().Unix() - 7000
	for _, text := range []string{
		m.mint(with(map[string]any{"iss": tenantB, "aud": "x"})),
		m.mint(with(map[string]any{"iss": tenantB, "iat": past, "auth_time": past, "exp": past + 60})),
		"x", strings.Repeat("A", 9000), m.of(tenantC),
	} {
		if _, err := all.Verify(t.Context(), text); outcome(err) != "bad" {
			t.Error(err)
		}
	}
	if len(b) != 2 || b[0].Reason != "wrong audience" || b[1].Kind != auth.EventExpired || !errors.Is(b[1].Err, token.ErrExpired) {
		t.Fatalf("%+v", b)
	}
	for _, e := range b {
		if !strings.Contains(e.Err.Error(), tenantB) {
			t.Errorf("%v", e.Err)
		}
	}
	if len(a) != 3 || a[0].Reason != "malformed token" || a[1].Reason != "token too long" || a[2].Reason != "unknown issuer" {
		t.Fatalf("%+v", a)
	}
	for _, e := range a {
		if strings.Contains(e.Err.Error(), tenantA) {
			t.Errorf("%v", e.Err)
		}
	}
}

func TestByIssuerRefusesWhatCannotWork(t *testing.T) {
	m, n := newMinter(t), newMinter(t)
	a := m.tenant(tenantA)
	inCookie := func(name string) func(*token.VerifierConfig) {
		return func(c *token.VerifierConfig) { c.AccessCookie = cookie.New(name) }
	}
	for name, c := range map[string]struct {
		list []*token.Verifier
		want string
	}{
		"none":                    {nil, "no Verifier"},
		"nil":                     {[]*token.Verifier{a, nil}, "Verifier 1"},
		"the zero value":          {[]*token.Verifier{{}}, "Verifier 0"},
		"one twice":               {[]*token.Verifier{a, a}, tenantA},
		"two audiences":           {[]*token.Verifier{a, m.tenant(tenantA, func(c *token.VerifierConfig) { c.Audience = "x" })}, tenantA},
		"two keys of one issuer":  {[]*token.Verifier{a, n.tenant(tenantA)}, tenantA},
		"different AccessCookies": {[]*token.Verifier{m.tenant(tenantA, inCookie("a")), m.tenant(tenantB, inCookie("b"))}, "AccessCookie"},
	} {
		if got, err := token.ByIssuer(c.list...); got != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	joined(t, a)
	joined(t, m.tenant(tenantA, inCookie("a")), m.tenant(tenantB, inCookie("a")), m.tenant(tenantC))
}

// A token in the cookie needs a verifier with AccessCookie, and its CrossOrigin counts.
func TestByIssuerReadsOneCookie(t *testing.T) {
	m := newMinter(t)
	policy := cookie.New("access").SameSiteLax()
	inCookie := func(c *token.VerifierConfig) { c.AccessCookie = policy }
	trusting := http.NewCrossOriginProtection()
	must(t, trusting.AddTrustedOrigin("https://app.test"))
	var received []auth.Event
	all := joined(t,
		m.tenant(tenantA, inCookie),
		m.tenant(tenantB, inCookie, func(c *token.VerifierConfig) { c.CrossOrigin = trusting }),
		m.tenant(tenantC, func(c *token.VerifierConfig) {
			c.Events = func(_ context.Context, e auth.Event) { received = append(received, e) }
		}))
	for name, c := range map[string]struct {
		header, cookie, origin, want string
	}{
		"cookie":                       {"", tenantA, "", "ok"},
		"cookie of B":                  {"", tenantB, "", "ok"},
		"cookie of C, which has none":  {"", tenantC, "", "bad"},
		"header of C":                  {tenantC, "", "", "ok"},
		"both":                         {tenantC, tenantA, "", "bad"},
		"another site with A's cookie": {"", tenantA, "https://app.test", "forbidden"},
		"and with B's":                 {"", tenantB, "https://app.test", "ok"},
		"another site with a header":   {tenantA, "", "https://app.test", "ok"},
		"neither":                      {"", "", "", "none"},
	} {
		for range 2 {
			r := httptest.NewRequest("POST", "https://api.test/", nil)
			if c.header != "" {
				r.Header.Set("Authorization", "Bearer "+m.of(c.header))
			}
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: policy.Name(), Value: m.of(c.cookie)})
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if _, err := all.Authenticate(r); outcome(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if len(received) != 2 || received[0].Reason != "malformed request" {
		t.Errorf("%+v", received)
	}
}

// The rules of one verifier do not loosen those of another.
func TestByIssuerKeepsTheRulesOfEachVerifier(t *testing.T) {
	m := newMinter(t)
	all := joined(t, m.tenant(tenantA), m.tenant(tenantB, func(c *token.VerifierConfig) {
		c.Foreign, c.CacheSize = &token.Foreign{Types: []string{"JWT"}}, token.NoCache
	}))
	header := m.header()
	header["typ"] = "JWT"
	long := strings.Repeat("x", 9000)
	for issuer, want := range map[string]string{tenantA: "bad", tenantB: "ok"} {
		for range 2 {
			for name, text := range map[string]string{
				"typ":    m.mintWith(header, with(map[string]any{"iss": issuer})),
				"length": m.mint(with(map[string]any{"iss": issuer, "groups": long})),
			} {
				if _, err := all.Verify(t.Context(), text); outcome(err) != want {
					t.Errorf("%s, %s: %v", issuer, name, err)
				}
			}
		}
	}
	if s := all.CacheStats(); s.Entries != 0 {
		t.Errorf("%+v", s)
	}
}

// A token in the shared cache ends with its key, like in a Verifier's own.
func TestByIssuerForgetsATokenWithItsKey(t *testing.T) {
	a, b := newMinter(t), newMinter(t)
	all := joined(t, a.tenant(tenantA), b.tenant(tenantB))
	text, other := a.of(tenantA), b.of(tenantB)
	for range 2 {
		for _, each := range []string{text, other} {
			_, err := all.Verify(t.Context(), each)
			must(t, err)
		}
	}
	if s := all.CacheStats(); s.Hits != 2 || s.Entries != 2 {
		t.Errorf("%+v", s)
	}
	must(t, a.keys.SetSigner(newMinter(t).signer))
	if _, err := all.Verify(t.Context(), text); outcome(err) != "bad" {
		t.Error(err)
	}
	_, err := all.Verify(t.Context(), other)
	must(t, err)
}

// The own tokens of an Issuer go beside those of others.
func TestOwnTokensBesideThoseOfAnotherIssuer(t *testing.T) {
	m := newMinter(t)
	i := newIssuer(t)
	tokens, err := i.Issue(t.Context(), auth.Identity{Subject: "alice"})
	must(t, err)
	all := joined(t, i.Verifier, m.tenant(tenantB))
	for _, text := range []string{tokens.AccessToken, m.of(tenantB)} {
		_, err := all.Verify(t.Context(), text)
		must(t, err)
	}
}
