package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestThePageAndItsPartsAreServed(t *testing.T) {
	_, server := open(t)
	b := visit(t, server)
	for path, want := range map[string]string{
		"/": "<!DOCTYPE html>", "/jwks.json": `"keys"`,
		"/text.js": "export default", "/authlatch.js": "export function createClient",
	} {
		if status, body := b.do("GET", path, nil, nil); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: status %d", path, status)
		}
	}
	for _, name := range parts {
		if status, body := b.do("GET", "/"+name, nil, nil); status != http.StatusOK || len(body) < 500 {
			t.Errorf("GET /%s: status %d", name, status)
		}
	}
	if strings.Contains(body(b, "/"), "<script>") || strings.Contains(body(b, "/"), "style=") {
		t.Error("the page has what its policy does not let in")
	}
}

func body(b *guest, path string) string {
	_, text := b.do("GET", path, nil, nil)
	return text
}

// ASVS 5.0, 3.4.3 and 3.4.6.
func TestThePolicyLetsInOwnScriptsAlone(t *testing.T) {
	_, server := open(t)
	for host, paths := range map[string][]string{
		"localhost": {"/", "/page.js", "/style.css", "/text.js"},
		"127.0.0.1": {"/elsewhere", "/elsewhere.js"},
	} {
		for _, path := range paths {
			r, _ := http.NewRequest("GET", server.URL+path, nil)
			r.Host = host
			response, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			policy := response.Header.Get("Content-Security-Policy")
			if response.StatusCode != http.StatusOK || !strings.HasPrefix(policy, "default-src '") || !strings.Contains(policy, "frame-ancestors") || strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") {
				t.Errorf("%s%s: status %d, policy %q", host, path, response.StatusCode, policy)
			}
			if response.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s%s: its type may be guessed", host, path)
			}
		}
	}
}

func TestEachNameHasItsOwnPages(t *testing.T) {
	_, server := open(t)
	for _, c := range []struct {
		host, path string
		want       int
	}{
		{"localhost", "/", 200}, {"localhost:8080", "/", 200}, {"localhost", "/elsewhere", 404},
		{"127.0.0.1:8080", "/", 307}, {"127.0.0.1:8080", "/?lang=ko", 307}, {"127.0.0.1", "/elsewhere", 200}, {"127.0.0.1", "/state", 404}, {"127.0.0.1", "/session/logout", 404},
		{"evil.example", "/", 421}, {"localhost.evil.example", "/", 421}, {"192.0.2.1", "/state", 421}, {"", "/", 421},
	} {
		r := httptest.NewRequest("GET", "http://localhost"+c.path, nil)
		r.Host = c.host
		w := httptest.NewRecorder()
		server.Config.Handler.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s%s: status %d, want %d", c.host, c.path, w.Code, c.want)
		}
		if to := w.Header().Get("Location"); c.want == 307 && to != "http://localhost:8080/?moved"+strings.Replace(strings.TrimPrefix(c.path, "/"), "?", "&", 1) {
			t.Errorf("%s leads to %s", c.host, to)
		}
	}
}

func TestTheLanguageIsTheOneChosenOrTheBrowsers(t *testing.T) {
	for _, c := range []struct{ cookie, accept, want string }{
		{"", "", "en"}, {"", "ko", "ko"}, {"", "ko-KR,ko;q=0.9,en;q=0.8", "ko"}, {"", "en-GB, ko", "en"},
		{"", "de, ko;q=0.5", "ko"}, {"", "de", "en"}, {"ko", "en", "ko"}, {"en", "ko", "en"}, {"xx", "ko", "ko"}, {"\"", "ko", "ko"},
	} {
		r := httptest.NewRequest("GET", "http://localhost/", nil)
		r.Header.Set("Accept-Language", c.accept)
		if c.cookie != "" {
			r.Header.Set("Cookie", languageCookie.Name()+"="+c.cookie)
		}
		if got := language(r); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		for query, want := range map[string]string{"lang=ko": "ko", "lang=en": "en", "moved&lang=ko": "ko", "lang=xx": c.want} {
			r.URL.RawQuery = query
			if got := language(r); got != want {
				t.Errorf("%+v with ?%s: %s", c, query, got)
			}
		}
	}
	_, server := open(t)
	b := visit(t, server)
	if status, _ := b.do("POST", "/language", url.Values{"language": {"ko"}}, nil); status != http.StatusNoContent || !strings.Contains(body(b, "/"), `<html lang="ko">`) {
		t.Errorf("the choice is not kept: status %d", status)
	}
	if status, _ := b.do("POST", "/language", url.Values{"language": {"<b>"}}, nil); status != http.StatusBadRequest {
		t.Errorf("a language of no kind: status %d", status)
	}
	if status, _ := b.do("POST", "/language", url.Values{"language": {"en"}}, http.Header{"Sec-Fetch-Site": {"cross-site"}}); status != http.StatusForbidden {
		t.Errorf("another site chooses: status %d", status)
	}
}

// Malformed cookies get a response, and authenticate no request.
func TestMalformedCookiesAreAnswered(t *testing.T) {
	_, server := open(t)
	long, visited := strings.Repeat("x", 5000), visit(t, server)
	for _, cookies := range []string{
		visitorCookie.Name() + "=" + long, visitorCookie.Name() + "=a; " + visitorCookie.Name() + "=b",
		sessionCookie.Name() + "=" + long, sessionCookie.Name() + "=a; " + sessionCookie.Name() + "=b", refreshCookie.Name() + `="`, ";;;=;",
	} {
		for path, want := range map[string]int{"/": 200, "/state": 200, "a:/session/me": 401, "b:/token/me": 401} {
			b := &guest{t: t, url: server.URL, apis: visited.apis, cookies: make(map[string]string)}
			if status, _ := b.do("GET", path, nil, http.Header{"Cookie": {cookies}, stepHeader: {"me-session-0123456789abcdef"}}); status != want {
				t.Errorf("%.60s: %s: status %d", cookies, path, status)
			}
		}
	}
}

// The page alone reads responses of the APIs, and only under the name localhost.
func TestTheAPIsServeThePageOfTheLoginServer(t *testing.T) {
	d, _ := open(t)
	for _, c := range []struct {
		method, host, origin string
		want                 int
		allowed              bool
	}{
		{"GET", "localhost", d.at.login, 401, true}, {"OPTIONS", "localhost", d.at.login, 204, true},
		{"GET", "localhost", "http://127.0.0.1", 401, false}, {"OPTIONS", "localhost", "https://evil.example", 204, false},
		{"GET", "evil.example", d.at.login, 421, false},
	} {
		r := httptest.NewRequest(c.method, "http://localhost/session/me", nil)
		r.Host = c.host
		r.Header.Set("Origin", c.origin)
		w := httptest.NewRecorder()
		d.api(1).ServeHTTP(w, r)
		if allowed := w.Header().Get("Access-Control-Allow-Origin") == d.at.login; w.Code != c.want || allowed != c.allowed {
			t.Errorf("%s %s from %s: status %d, readable: %v", c.method, c.host, c.origin, w.Code, allowed)
		}
	}
}
