package bothmodes_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
	"github.com/authlatch/auth/token"
)

// setters returns what sets a cookie in each mode and in the throttle, under the policy of
// change.
func setters(t *testing.T, change func(cookie.Policy) cookie.Policy, receive func(context.Context, auth.Event)) map[string]func(http.ResponseWriter, *http.Request) error {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	alice := auth.Identity{Subject: "alice"}
	sessions, err := session.New(session.Config{Store: &store.Memory{}, Cookie: change(cookie.Session()), Events: receive})
	must(err)
	keys, err := token.NewKeySet(token.HS256)
	must(err)
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{}, Issuer: "https://app.example", Audience: "api", ClientID: "web",
		Cookie: change(cookie.Refresh()), Events: receive,
	})
	must(err)
	key := make([]byte, 32)
	rand.Read(key)
	sealer, err := cookie.NewSealer(key)
	must(err)
	limiter, err := throttle.New(throttle.Config{Store: &store.Memory{}, Sealer: sealer, Cookie: change(cookie.New("device")), Events: receive})
	must(err)
	return map[string]func(http.ResponseWriter, *http.Request) error{
		"session": func(w http.ResponseWriter, r *http.Request) error { return sessions.Login(w, r, alice) },
		"visitor": func(w http.ResponseWriter, r *http.Request) error { _, err := sessions.Ensure(w, r); return err },
		"token":   func(w http.ResponseWriter, r *http.Request) error { return issuer.Login(w, r, alice) },
		"throttle": func(w http.ResponseWriter, r *http.Request) error {
			return limiter.Try(w, r, "alice", func() error { return nil })
		},
	}
}

const safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15"

// tinyauth#155: over plain HTTP on a host other than localhost, browsers drop the Secure
// cookie of a login; WebKit drops it on localhost, too (WebKit bug 281149). An event names the
// cookie, the host and the way out, once a minute.
func TestASecureCookieOverPlainHTTPIsReported(t *testing.T) {
	same := func(p cookie.Policy) cookie.Policy { return p }
	for _, c := range []struct {
		rule     string
		url      string
		header   []string
		change   func(cookie.Policy) cookie.Policy
		reported bool
	}{
		{"a form on the LAN", "http://192.168.0.5:8080/", []string{"Origin", "http://192.168.0.5:8080"}, same, true},
		{"a name in docker", "http://app:8080/", []string{"Origin", "http://app:8080"}, same, true},
		{"a Referer alone", "http://staging.example/", []string{"Referer", "http://staging.example/login?next=/a"}, same, true},
		{"IPv6", "http://[2001:db8::1]:8080/", []string{"Origin", "http://[2001:db8::1]:8080"}, same, true},
		{"localhost", "http://localhost:8080/", []string{"Origin", "http://localhost:8080"}, same, false},
		{"a name under localhost", "http://app.localhost:8080/", []string{"Origin", "http://app.localhost:8080"}, same, false},
		{"loopback", "http://127.0.0.1:8080/", []string{"Origin", "http://127.0.0.1:8080"}, same, false},
		{"IPv6 loopback", "http://[::1]:8080/", []string{"Origin", "http://[::1]:8080"}, same, false},
		{"a proxy ends TLS", "http://app.example/", []string{"Origin", "https://app.example"}, same, false},
		{"TLS", "https://app.example/", []string{"Origin", "https://app.example"}, same, false},
		{"Sec-Fetch-Site, sent over TLS only", "http://app.example/", []string{"Origin", "http://app.example", "Sec-Fetch-Site", "same-origin"}, same, false},
		{"Safari on the LAN", "http://192.168.0.5:8080/", []string{"Origin", "http://192.168.0.5:8080", "User-Agent", safari}, same, true},
		{"Safari on localhost", "http://localhost:8080/", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin", "User-Agent", safari}, same, true},
		{"Chromium on iOS, which is WebKit", "http://localhost:8080/", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin", "User-Agent", strings.Replace(safari, "Version/18.0", "CriOS/140.0", 1)}, same, true},
		{"Chromium on localhost", "http://localhost:8080/", []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin", "User-Agent", strings.Replace(safari, "Version/18.0", "Chrome/140.0", 1)}, same, false},
		{"Safari behind a proxy that ends TLS", "http://app.example/", []string{"Origin", "https://app.example", "User-Agent", safari}, same, false},
		{"Safari, Insecure", "http://localhost:8080/", []string{"Origin", "http://localhost:8080", "User-Agent", safari}, cookie.Policy.Insecure, false},
		{"a program", "http://app.example/", nil, same, false},
		{"InsecureAnywhere", "http://app.example/", []string{"Origin", "http://app.example"}, cookie.Policy.InsecureAnywhere, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var heard []auth.Event
				for name, set := range setters(t, c.change, func(_ context.Context, e auth.Event) {
					if e.Kind == auth.EventFault {
						heard = append(heard, e)
					}
				}) {
					if name == "visitor" {
						time.Sleep(2 * time.Minute) // it has the manager of session
					}
					heard = nil
					for range 5 {
						r := httptest.NewRequest("POST", c.url, nil)
						for i := 0; i < len(c.header); i += 2 {
							r.Header.Set(c.header[i], c.header[i+1])
						}
						w := httptest.NewRecorder()
						if err := set(w, r); err != nil || w.Header().Get("Set-Cookie") == "" {
							t.Fatalf("%s: %v, %v", name, err, w.Header())
						}
					}
					time.Sleep(2 * time.Minute)
					switch {
					case !c.reported && len(heard) > 0:
						t.Errorf("%s: %v", name, heard)
					case c.reported && (len(heard) != 1 || heard[0].Reason != "plain http"):
						t.Errorf("%s: %v, want one event", name, heard)
					case c.reported:
						text := heard[0].Err.Error()
						host := strings.TrimSuffix(strings.TrimPrefix(c.url, "http://"), "/")
						way := "InsecureAnywhere"
						if strings.HasPrefix(host, "localhost") {
							way = "in development, use cookie.Policy.Insecure"
						}
						if !strings.Contains(text, host) || !strings.Contains(text, "__Host-Http-") || !strings.Contains(text, way) {
							t.Errorf("%s: %s", name, text)
						}
					}
				}
			})
		})
	}
}

// In development with Insecure, a host that is not loopback is an error that says what to do.
func TestInsecureOnAnotherHostSaysWhatToDo(t *testing.T) {
	for name, set := range setters(t, cookie.Policy.Insecure, func(context.Context, auth.Event) {}) {
		err := set(httptest.NewRecorder(), httptest.NewRequest("POST", "http://192.168.0.5:8080/", nil))
		if name == "throttle" {
			continue // a right password stands: the error is an event
		}
		if err == nil || !strings.Contains(err.Error(), "192.168.0.5:8080") || !strings.Contains(err.Error(), "InsecureAnywhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A program without a hook for events learns it from the log, and nothing else is logged.
func TestADroppedCookieIsLoggedWithoutAHook(t *testing.T) {
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	for name, set := range setters(t, func(p cookie.Policy) cookie.Policy { return p }, nil) {
		if name == "visitor" {
			continue // it has the manager of session, which reports once a minute
		}
		var log bytes.Buffer
		slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
		r := httptest.NewRequest("POST", "http://localhost:8080/", nil)
		r.Header.Set("Origin", "http://localhost:8080")
		if err := set(httptest.NewRecorder(), r); err != nil || log.Len() > 0 {
			t.Errorf("%s: %v, %s", name, err, &log)
		}
		r.Header.Set("User-Agent", safari)
		if err := set(httptest.NewRecorder(), r); err != nil || !strings.Contains(log.String(), "WebKit browsers such as Safari drop the cookie") {
			t.Errorf("%s: %v, %s", name, err, &log)
		}
	}
}
