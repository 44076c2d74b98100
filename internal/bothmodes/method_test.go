package bothmodes

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// The response to a logout or a refresh by another method is the same everywhere.
func TestARefusedMethodHasOneForm(t *testing.T) {
	b := openBothModes(t, 0)
	denied := func(logout func(http.ResponseWriter, *http.Request) error) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			err := logout(w, r)
			if !errors.Is(err, auth.ErrForbidden) {
				t.Errorf("%v", err)
			}
			middleware.Deny(w, r, err)
		})
	}
	for name, handler := range map[string]http.Handler{
		"session.Manager.Logout":      denied(b.sessions.Logout),
		"token.Issuer.Logout":         denied(b.tokens.Logout),
		"token.Issuer.LogoutHandler":  b.tokens.LogoutHandler(),
		"token.Issuer.RefreshHandler": b.tokens.RefreshHandler(),
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example/logout", nil))
		h := w.Header()
		if w.Code != http.StatusMethodNotAllowed || h.Get("Allow") != "POST" || h.Get("Cache-Control") != "no-store" ||
			h.Get("Content-Type") != "application/problem+json" || h.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", name, w.Code, h)
		}
		if body, want := w.Body.String(), `{"title":"Method Not Allowed","status":405}`+"\n"; body != want {
			t.Errorf("%s: %s, want %s", name, body, want)
		}
	}
}
