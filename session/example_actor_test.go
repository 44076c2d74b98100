package session_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// A support agent sees what a user sees. The session in which the agent acts for the user
// has a cookie of its own and ends with the session of the agent.
func ExampleManager_Login_actor() {
	db := &store.Memory{}
	own, err := session.New(session.Config{Store: db})
	if err != nil {
		panic(err)
	}
	acting, err := session.New(session.Config{Store: db, Cookie: cookie.New("acting").SameSiteLax()})
	if err != nil {
		panic(err)
	}
	agents := &middleware.Guard{Authenticator: own}
	users := &middleware.Guard{Authenticator: middleware.AnyOf(acting, own)}

	site := http.NewServeMux()
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check a password here.
		if err := own.Login(w, r, auth.Identity{Subject: "support-7", Scopes: "support"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	site.Handle("POST /act", agents.RequireScope("support")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		agent, _ := auth.FromContext(r.Context())
		if err := acting.Login(w, r, auth.Identity{
			Subject: r.FormValue("user"), Actor: agent.Subject, ActorLoginID: agent.LoginID,
		}); err != nil {
			middleware.Deny(w, r, err)
		}
	})))
	site.Handle("GET /me", users.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprintf(w, "%s, by %q", id.Subject, id.Actor)
	})))
	site.Handle("POST /password", users.RequireSelf(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "changed")
	})))
	site.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := own.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
		}
	})

	var cookies []*http.Cookie // of the browser of the agent
	send := func(method, path, form string) {
		w, r := httptest.NewRecorder(), httptest.NewRequest(method, path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, c := range cookies {
			r.AddCookie(c)
		}
		site.ServeHTTP(w, r)
		if method+path != "POST/logout" {
			cookies = append(cookies, w.Result().Cookies()...)
		}
		fmt.Println(strings.TrimSpace(fmt.Sprintln(path, w.Code, w.Body)))
	}
	send("POST", "/login", "")
	send("POST", "/act", "user=alice")
	send("GET", "/me", "")
	send("POST", "/password", "")
	send("POST", "/logout", "")
	send("GET", "/me", "")

	// Output:
	// /login 200
	// /act 200
	// /me 200 alice, by "support-7"
	// /password 403 {"title":"Forbidden","status":403}
	// /logout 200
	// /me 401 {"title":"Unauthorized","status":401}
}
