package crossorigin

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestCheck(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin("https://partner.example"); err != nil {
		t.Fatal(err)
	}
	for rule, c := range map[string]struct {
		method, upgrade, origin, site string
		refused                       bool
	}{
		"a GET of another site passes":                         {"GET", "", "https://evil.example", "cross-site", false},
		"a POST of another site is refused":                    {"POST", "", "https://evil.example", "cross-site", true},
		"a POST of our own site passes":                        {"POST", "", "https://app.example", "same-origin", false},
		"a WebSocket of a sibling is refused":                  {"GET", "websocket", "https://evil.app.example", "", true},
		"a WebSocket of another site is refused":               {"GET", "websocket", "https://evil.example", "cross-site", true},
		"a WebSocket of a page without an origin is refused":   {"GET", "websocket", "null", "", true},
		"a WebSocket of our own page passes":                   {"GET", "websocket", "https://app.example", "", false},
		"a WebSocket of a trusted origin passes":               {"GET", "websocket", "https://partner.example", "", false},
		"a WebSocket of a client that is not a browser passes": {"GET", "websocket", "", "", false},
		"a WebSocket over HTTP/2 is refused alike":             {"CONNECT", "", "https://evil.example", "", true},
	} {
		r := httptest.NewRequest(c.method, "https://app.example/", nil)
		r.Host, r.URL.Path = "app.example", "/"
		for field, value := range map[string]string{"Upgrade": c.upgrade, "Origin": c.origin, "Sec-Fetch-Site": c.site} {
			if value != "" {
				r.Header.Set(field, value)
			}
		}
		if err := Check(protection, r); (err != nil) != c.refused {
			t.Errorf("%s: %v", rule, err)
		}
		if r.Method != c.method {
			t.Errorf("%s: the request was changed", rule)
		}
	}
}

// bypass is a custom Checker that admits every request with a certain header.
type bypass struct{}

func (bypass) Check(r *http.Request) error {
	if r.Header.Get("X-Signed") == "" && r.Header.Get("Sec-Fetch-Site") == "cross-site" {
		return errors.New("refused")
	}
	return nil
}

func TestACheckerOfOnesOwnIsAsked(t *testing.T) {
	for _, c := range []struct {
		checker      Checker
		site, signed string
		passes       bool
	}{
		{bypass{}, "", "", true}, {bypass{}, "cross-site", "", false},
		{Required{bypass{}}, "", "", false}, {Required{bypass{}}, "same-origin", "", true},
		{Required{bypass{}}, "", "yes", true}, {Required{Required{bypass{}}}, "", "", false},
	} {
		r := httptest.NewRequest("POST", "https://app.example/", nil)
		for field, value := range map[string]string{"Sec-Fetch-Site": c.site, "X-Signed": c.signed} {
			if value != "" {
				r.Header.Set(field, value)
			}
		}
		before := len(r.Header)
		if err := Check(c.checker, r); (err == nil) != c.passes || len(r.Header) != before {
			t.Errorf("%+v: %v, header %v", c, err, r.Header)
		}
	}
}

func TestWithoutACheckerNoOtherOriginIsTrusted(t *testing.T) {
	for _, none := range []Checker{nil, (*http.CrossOriginProtection)(nil)} {
		for site, passes := range map[string]bool{"same-origin": true, "cross-site": false, "": true} {
			r := httptest.NewRequest("POST", "https://app.example/", nil)
			r.Header.Set("Sec-Fetch-Site", site)
			if err := Check(OrDefault(none), r); (err == nil) != passes {
				t.Errorf("%T, %q: %v", none, site, err)
			}
			if err := Check(Required{OrDefault(none)}, r); (err == nil) != (site == "same-origin") {
				t.Errorf("%T, %q, an origin required: %v", none, site, err)
			}
		}
	}
	if own := (bypass{}); OrDefault(own) != own {
		t.Error("another Checker was replaced")
	}
}

// ASVS 5.0, 3.5.1, 3.7.5 and 4.4.2.
// For all combinations of headers, Check is never weaker than net/http, and stricter
// only for handshakes. Required also refuses state-changing requests without either
// header, unless a bypass pattern matches.
func TestRequiredOriginOnlyRefusesMore(t *testing.T) {
	protection := http.NewCrossOriginProtection()
	if err := protection.AddTrustedOrigin("https://partner.example"); err != nil {
		t.Fatal(err)
	}
	protection.AddInsecureBypassPattern("POST /callback")
	cases, more := 0, 0
	for _, method := range []string{"GET", "HEAD", "OPTIONS", "TRACE", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "QUERY", "get", "post", ""} {
		for _, path := range []string{"/", "/callback", "/callback/x"} {
			for _, upgrade := range [][]string{nil, {""}, {"websocket"}, {"h2c"}} {
				for _, site := range [][]string{nil, {""}, {"same-origin"}, {"none"}, {"same-site"}, {"cross-site"}, {"odd"}, {"", "same-origin"}} {
					for _, origin := range [][]string{nil, {""}, {"null"}, {"https://app.example"}, {"http://app.example"}, {"https://evil.example"}, {"https://partner.example"}, {"%"}} {
						r := httptest.NewRequest("GET", "https://app.example"+path, nil)
						r.Method, r.Header = method, http.Header{"Upgrade": upgrade, "Sec-Fetch-Site": site, "Origin": origin, "Cookie": {"a=b"}}
						standard, lax, strict := protection.Check(r) == nil, Check(protection, r) == nil, Check(Required{protection}, r) == nil
						safe := (method == "GET" || method == "HEAD" || method == "OPTIONS") && len(upgrade) == 0
						silent := r.Header.Get("Sec-Fetch-Site") == "" && r.Header.Get("Origin") == ""
						bypassed := path == "/callback" && (method == "POST" || method == "GET" || method == "HEAD" || method == "OPTIONS")
						if lax && !standard || strict && !lax {
							t.Errorf("%q %s %q: net/http %v, ours %v, with an origin required %v", method, path, r.Header, standard, lax, strict)
						}
						if want := lax && (safe || !silent || bypassed); strict != want {
							t.Errorf("%q %s %q: with an origin required %v, want %v", method, path, r.Header, strict, want)
						}
						if r.Method != method || len(r.Header) != 4 {
							t.Fatal("the request was changed")
						}
						if cases++; lax != strict {
							more++
						}
					}
				}
			}
		}
	}
	t.Logf("%d requests, of which Required refuses %d more", cases, more)
	if more == 0 {
		t.Error("Required refuses no additional request")
	}
}
