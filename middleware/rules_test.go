package middleware_test

import (
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/crossorigin"
	"github.com/authlatch/auth/middleware"
)

func TestDenyAnswersALogoutThatIsNoPostWith405(t *testing.T) {
	w := httptest.NewRecorder()
	middleware.Deny(w, httptest.NewRequest("GET", "/logout", nil), fmt.Errorf("log out by %w: %w", crossorigin.ErrNotPost, auth.ErrForbidden))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" || !strings.Contains(w.Body.String(), `"status":405`) {
		t.Errorf("%d, %v, %s", w.Code, w.Header(), w.Body)
	}
}

// A handler may drop the form that was parsed before the guard: that form is of
// the server, which removes its files.
func TestAHandlerMayDropTheForm(t *testing.T) {
	guard := &middleware.Guard{Authenticator: alwaysAlice{}}
	r := httptest.NewRequest("POST", "/", nil)
	form := &multipart.Form{}
	r.MultipartForm = form
	w := httptest.NewRecorder()
	guard.Require(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		r.MultipartForm = nil
	})).ServeHTTP(w, r)
	if w.Code != http.StatusOK || r.MultipartForm != form {
		t.Errorf("%d, %v", w.Code, r.MultipartForm)
	}
}

type alwaysAlice struct{}

func (alwaysAlice) Authenticate(*http.Request) (auth.Identity, error) {
	return auth.Identity{Subject: "alice"}, nil
}
