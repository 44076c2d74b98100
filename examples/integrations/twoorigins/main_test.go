package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const page = "https://app.example.test"

func serve(t *testing.T, method, path string, header ...string) *http.Response {
	t.Helper()
	api, err := newHandler("https://api.example.test", page, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(method, "https://api.example.test"+path, strings.NewReader("user=alice&password=correct+horse"))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w.Result()
}

func wantHeaders(t *testing.T, h http.Header, want map[string]string) {
	t.Helper()
	for name, value := range want {
		if got := strings.Join(h.Values(name), ", "); !strings.EqualFold(got, value) {
			t.Errorf("%s: %q, want %q", name, got, value)
		}
	}
}

func TestAPreflightIsAnsweredOutsideTheGuard(t *testing.T) {
	response := serve(t, "OPTIONS", "/payments", "Origin", page,
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "authorization,content-type,refresh-attempt")
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("status %d", response.StatusCode)
	}
	wantHeaders(t, response.Header, map[string]string{
		"Access-Control-Allow-Origin":      page,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET",
		"Access-Control-Allow-Headers":     "authorization,content-type,refresh-attempt",
		"Vary":                             "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	})
}

func TestARefusalCanBeReadByThePage(t *testing.T) {
	response := serve(t, "GET", "/payments", "Origin", page)
	if response.StatusCode != http.StatusUnauthorized {
		t.Errorf("status %d", response.StatusCode)
	}
	wantHeaders(t, response.Header, map[string]string{
		"WWW-Authenticate":                 "Bearer",
		"Access-Control-Allow-Origin":      page,
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Expose-Headers":    "WWW-Authenticate, Retry-After",
		"Vary":                             "Origin",
	})
}

func TestOnlyThePageLogsIn(t *testing.T) {
	for origin, status := range map[string]int{
		page:                        http.StatusOK,
		"https://evil.example.test": http.StatusForbidden,
		"http://app.example.test":   http.StatusForbidden,
		"https://evil.example":      http.StatusForbidden,
	} {
		response := serve(t, "POST", "/login", "Origin", origin, "Sec-Fetch-Site", "same-site", "Content-Type", "application/x-www-form-urlencoded")
		if response.StatusCode != status {
			t.Errorf("%s: status %d, want %d", origin, response.StatusCode, status)
		}
		if readable := response.Header.Get("Access-Control-Allow-Origin") != ""; readable != (origin == page) {
			t.Errorf("%s can read the response: %v", origin, readable)
		}
	}
}
