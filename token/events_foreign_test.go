package token_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// What an issuer elsewhere writes into sub and sid forges no line of a log and
// moves no terminal.
func TestForeignNamesReachEventsWithoutControlCharacters(t *testing.T) {
	var received []auth.Event
	record := func(_ context.Context, e auth.Event) { received = append(received, e) }
	m := newMinter(t)
	v := m.verifier(func(c *token.VerifierConfig) { c.Events = record })
	guard := &middleware.Guard{Authenticator: v, Events: record}
	now := time.Now().Unix()
	odd := map[string]any{"sub": "alice\nFORGED\x1b[2J\u202e\u2028", "sid": "login\r\n\x1b]0;x\x07"}
	_, err := v.Verify(t.Context(), m.mint(with(map[string]any{"sub": odd["sub"], "sid": odd["sid"], "iat": now - 7000, "auth_time": nil, "exp": now - 3600})))
	if outcome(err) == "ok" {
		t.Error("an expired token is accepted")
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+m.mint(with(odd)))
	guard.RequireScope("nothing")(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), r)
	if len(received) != 2 {
		t.Fatalf("%+v", received)
	}
	for _, e := range received {
		text := e.Subject + e.LoginID + e.Reason
		if e.Err != nil {
			text += e.Err.Error()
		}
		if !strings.HasPrefix(e.Subject, "alice") || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
			t.Errorf("%s: %q", e.Kind, text)
		}
	}
}
