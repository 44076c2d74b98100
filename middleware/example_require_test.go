package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// loggedIn stands for a session.Manager or a token.Verifier, which has
// verified the credential of the request.
type loggedIn auth.Identity

func (id loggedIn) Authenticate(*http.Request) (auth.Identity, error) { return auth.Identity(id), nil }

func ExampleGuard_RequireScope() {
	guard := &middleware.Guard{Authenticator: loggedIn{Subject: "alice", Scopes: "reports:read"}}
	reports := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "reports")
	})
	mux := http.NewServeMux()
	mux.Handle("GET /reports", guard.RequireScope("reports:read")(reports))
	mux.Handle("DELETE /reports", guard.RequireScope("reports:read reports:write")(reports))

	for _, method := range []string{"GET", "DELETE"} {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest(method, "/reports", nil))
		fmt.Print(w.Code, " ", w.Body)
	}
	// Output:
	// 200 reports
	// 403 {"title":"Forbidden","status":403}
}

// Changing the email address requires a login within the last ten minutes. A
// browser that navigates is sent to the login page, any other client gets a 401.
func ExampleGuard_RequireRecent() {
	guard := &middleware.Guard{
		Authenticator: loggedIn{Subject: "alice", AuthTime: time.Now().Add(-time.Hour)},
		LoginPage:     "/login",
	}
	change := guard.RequireRecent(10 * time.Minute)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "changed")
	}))

	r := httptest.NewRequest("GET", "/email", nil)
	r.Header.Set("Accept", "text/html")
	w := httptest.NewRecorder()
	change.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Header().Get("Location"))

	r = httptest.NewRequest("POST", "/email", nil) // by a script
	w = httptest.NewRecorder()
	change.ServeHTTP(w, r)
	fmt.Print(w.Code, " ", w.Body)
	// Output:
	// 303 /login?next=%2Femail
	// 401 {"title":"Unauthorized","status":401}
}
