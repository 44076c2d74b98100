package crossorigin

import (
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
		"a GET of another site passes":                       {"GET", "", "https://evil.example", "cross-site", false},
		"a POST of another site is refused":                  {"POST", "", "https://evil.example", "cross-site", true},
		"a POST of our own site passes":                      {"POST", "", "https://app.example", "same-origin", false},
		"a WebSocket of a sibling is refused":                {"GET", "websocket", "https://evil.app.example", "", true},
		"a WebSocket of another site is refused":             {"GET", "websocket", "https://evil.example", "cross-site", true},
		"a WebSocket of a page without an origin is refused": {"GET", "websocket", "null", "", true},
		"a WebSocket of our own page passes":                 {"GET", "websocket", "https://app.example", "", false},
		"a WebSocket of a trusted origin passes":             {"GET", "websocket", "https://partner.example", "", false},
		"a WebSocket of a client that is no browser passes":  {"GET", "websocket", "", "", false},
		"a WebSocket over HTTP/2 is refused alike":           {"CONNECT", "", "https://evil.example", "", true},
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
