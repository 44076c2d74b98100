package middleware_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func contextWith(t *testing.T, key, value any) (context.Context, context.CancelFunc) {
	return context.WithCancel(context.WithValue(t.Context(), key, value))
}

// problems are the golden bodies of all refusals, which do not depend on the error
// (RFC 9457; ASVS 5.0, 16.5.1).
var problems = map[int]string{
	401: `{"title":"Unauthorized","status":401}` + "\n",
	403: `{"title":"Forbidden","status":403}` + "\n",
	429: `{"title":"Too Many Requests","status":429}` + "\n",
	503: `{"title":"Service Unavailable","status":503}` + "\n",
}

func isProblem(t *testing.T, res *http.Response) {
	t.Helper()
	text := readAll(t, res)
	if text != problems[res.StatusCode] {
		t.Errorf("the body of a %d is %q", res.StatusCode, text)
	}
	var detail struct {
		Title  string
		Status int
	}
	if err := json.Unmarshal([]byte(text), &detail); err != nil || detail.Status != res.StatusCode || detail.Title != http.StatusText(res.StatusCode) {
		t.Errorf("the problem is %+v, %v", detail, err)
	}
	want := map[string]string{
		"Content-Type":           "application/problem+json",
		"X-Content-Type-Options": "nosniff",
		"Cache-Control":          "no-store",
		"Location":               "",
		"Set-Cookie":             "",
	}
	for name, value := range want {
		if got := strings.Join(res.Header.Values(name), "|"); got != value {
			t.Errorf("%s %q, want %q", name, got, value)
		}
	}
	after, err := strconv.Atoi(res.Header.Get("Retry-After"))
	if (res.StatusCode == 503) != (err == nil && after > 0) && res.StatusCode != 429 {
		t.Errorf("Retry-After %q of a %d", res.Header.Get("Retry-After"), res.StatusCode)
	}
}
