package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/authlatch/auth/middleware"
)

// All combinations against the rule: same-origin, user-initiated, or a top-level
// navigation.
//
// ASVS 5.0, 3.2.1 and 3.5.8.
func TestIsolateMatrix(t *testing.T) {
	var (
		sites   = []string{"", "none", "same-origin", "same-site", "cross-site", "Same-Origin", "same-origin,cross-site", "unknown"}
		modes   = []string{"", "navigate", "nested-navigate", "no-cors", "cors", "same-origin", "websocket", "Navigate", "unknown"}
		dests   = []string{"", "document", "iframe", "frame", "embed", "object", "image", "script", "style", "empty", "worker", "Document", "unknown"}
		methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "get"}
	)
	refused := 0
	for _, site := range sites {
		for _, mode := range modes {
			for _, dest := range dests {
				for _, method := range methods {
					want := 200
					own := site == "" || site == "none" || site == "same-origin"
					link := mode == "navigate" && dest == "document" && (method == "GET" || method == "HEAD")
					if !own && !link {
						want = 403
						refused++
					}
					r := get("/")
					r.Method = method
					for name, value := range map[string]string{"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": dest} {
						if value != "" {
							r.Header.Set(name, value)
						}
					}
					ran := false
					res := serve(middleware.Isolate(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true })), r)
					if res.StatusCode != want || ran != (want == 200) {
						t.Errorf("%s, site %q, mode %q, dest %q: status %d, the handler ran: %v", method, site, mode, dest, res.StatusCode, ran)
					}
					if want == 403 {
						isProblem(t, res)
					}
				}
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

// Without Fetch Metadata the Origin decides if it is present: browsers send it with
// state-changing requests and with a WebSocket's handshake.
func TestIsolateFallsBackOnOrigin(t *testing.T) {
	for _, test := range []struct {
		rule, site string
		origin     []string
		status     int
	}{
		{"a program passes", "", nil, 200},
		{"our own page passes", "", []string{"https://app.example"}, 200},
		{"another site is refused", "", []string{"https://evil.example"}, 403},
		{"a sibling is refused", "", []string{"https://evil.app.example"}, 403},
		{"another port is refused", "", []string{"https://app.example:8443"}, 403},
		{"no origin to speak of is refused", "", []string{"null"}, 403},
		{"a value that is not a URL is refused", "", []string{"https://app.example/%zz"}, 403},
		{"two are refused", "", []string{"https://app.example", "https://app.example"}, 403},
		{"our name before another is refused", "", []string{"https://app.example@evil.example"}, 403},
		{"it does not count beside Fetch metadata", "same-origin", []string{"null"}, 200},
		{"nor does our own", "cross-site", []string{"https://app.example"}, 403},
	} {
		for _, method := range []string{"GET", "POST"} {
			r := httptest.NewRequest(method, "https://app.example/", nil)
			if test.origin != nil {
				r.Header["Origin"] = test.origin
			}
			if test.site != "" {
				r.Header.Set("Sec-Fetch-Site", test.site)
			}
			if res := serve(middleware.Isolate(hello), r); res.StatusCode != test.status {
				t.Errorf("%s: %s: status %d, want %d", test.rule, method, res.StatusCode, test.status)
			}
		}
	}
}

// Repeated headers are refused, because browsers do not send them.
func TestIsolateBelievesNoDoubledField(t *testing.T) {
	for i, header := range []http.Header{
		{"Sec-Fetch-Site": {"same-origin", "cross-site"}},
		{"Sec-Fetch-Site": {"cross-site", "same-origin"}},
		{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate", "no-cors"}, "Sec-Fetch-Dest": {"document"}},
		{"Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document", "iframe"}},
	} {
		r := get("/")
		r.Header = header
		if res := serve(middleware.Isolate(mustNotRun(t)), r); res.StatusCode != 403 {
			t.Errorf("case %d: status %d", i, res.StatusCode)
		}
	}
}

// The response has the headers that decided in Vary, in addition to existing values.
func TestIsolateAddsVary(t *testing.T) {
	const decided = "Origin, Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest"
	guard := &middleware.Guard{Authenticator: valid}
	h := outside((http.Header).Set, "Vary", "Accept-Encoding", middleware.Isolate(guard.Require(hello)))
	for site, want := range map[string][]string{
		"":            {"Accept-Encoding", decided, varies},
		"same-origin": {"Accept-Encoding", decided, varies},
		"cross-site":  {"Accept-Encoding", decided},
	} {
		r := get("/")
		if site != "" {
			r.Header.Set("Sec-Fetch-Site", site)
		}
		if got := serve(h, r).Header["Vary"]; !slices.Equal(got, want) {
			t.Errorf("site %q: Vary %q, want %q", site, got, want)
		}
	}
}

func ExampleIsolate() {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello, alice") })
	h := middleware.SecurityHeaders(middleware.Isolate(mux))

	for _, from := range []struct{ site, mode, dest string }{
		{"same-origin", "cors", "empty"}, // fetch in a page of our own
		{"cross-site", "navigate", "document"},
		{"cross-site", "no-cors", "image"},
		{"same-site", "navigate", "iframe"},
	} {
		r := get("/me")
		r.Header.Set("Sec-Fetch-Site", from.site)
		r.Header.Set("Sec-Fetch-Mode", from.mode)
		r.Header.Set("Sec-Fetch-Dest", from.dest)
		fmt.Println(from.site, from.dest, serve(h, r).Status)
	}
	// Output:
	// same-origin empty 200 OK
	// cross-site document 200 OK
	// cross-site image 403 Forbidden
	// same-site iframe 403 Forbidden
}
