package session_test

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func Example() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: sessions}

	site := http.NewServeMux()
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check a password here.
		if err := sessions.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	site.Handle("GET /me", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		fmt.Fprint(w, "hello, ", id.Subject)
	})))

	before := httptest.NewRecorder()
	site.ServeHTTP(before, httptest.NewRequest("GET", "/me", nil))
	fmt.Println(before.Code)

	login := httptest.NewRecorder()
	site.ServeHTTP(login, httptest.NewRequest("POST", "/login", nil))
	cookie := login.Result().Cookies()[0]
	fmt.Println(cookie.Name, cookie.Secure, cookie.HttpOnly)

	r := httptest.NewRequest("GET", "/me", nil)
	r.AddCookie(cookie)
	after := httptest.NewRecorder()
	site.ServeHTTP(after, r)
	fmt.Println(after.Code, after.Body)

	// Output:
	// 401
	// __Host-Http-session true true
	// 200 hello, alice
}

// A visitor fills a cart, and keeps it through login.
func ExampleKey() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	const cart = session.Key[[]string]("cart")

	handler := func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Ensure(w, r)
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		err = sessions.Update(r.Context(), s, func(s *session.Session) error {
			items, err := cart.Get(s)
			if err != nil {
				return err
			}
			return cart.Set(s, append(items, r.FormValue("item")))
		})
		if err != nil {
			middleware.Deny(w, r, err)
		}
	}

	w := httptest.NewRecorder()
	handler(w, httptest.NewRequest("POST", "/?item=book", nil))
	r := httptest.NewRequest("POST", "/?item=lamp", nil)
	r.AddCookie(w.Result().Cookies()[0])
	handler(httptest.NewRecorder(), r)

	s, err := sessions.Get(r)
	if err != nil {
		panic(err)
	}
	fmt.Println(cart.Get(s))
	// Output: [book lamp] <nil>
}

// A login form that only its own page can send.
func ExampleManager_CheckCSRF() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	form := template.Must(template.Must(template.New("form").Parse(session.CSRFTemplate)).Parse(
		`<form method="post">{{template "csrf" .}}<input name="password" type="password"></form>`))
	site := http.NewServeMux()
	site.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		_, err := sessions.Ensure(w, r)
		var token string
		if err == nil {
			token, err = sessions.CSRFToken(w, r)
		}
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		form.Execute(w, token)
	})
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		err := sessions.CheckCSRF(r)
		if err == nil {
			// Check a password here.
			err = sessions.Login(w, r, auth.Identity{Subject: "alice"})
		}
		if err != nil {
			middleware.Deny(w, r, err)
		}
	})

	page := httptest.NewRecorder()
	site.ServeHTTP(page, httptest.NewRequest("GET", "/login", nil))
	_, token, _ := strings.Cut(page.Body.String(), `value="`)
	token, _, _ = strings.Cut(token, `"`)
	for _, token := range []string{"", token} {
		r := httptest.NewRequest("POST", "/login", strings.NewReader(url.Values{"csrf_token": {token}}.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.AddCookie(page.Result().Cookies()[0])
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 403
	// 200
}

// Server-sent events that end with the login: by a logout anywhere, or by expiry.
func ExampleManager_Watch() {
	sessions, err := session.New(session.Config{Store: &store.Memory{}})
	if err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: sessions}
	news := make(chan string)

	site := http.NewServeMux()
	site.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	site.Handle("GET /events", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		ctx, stop := sessions.Watch(r.Context(), id)
		defer stop()
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			select {
			case item := <-news:
				fmt.Fprintf(w, "data: %s\n\n", item)
				http.NewResponseController(w).Flush()
			case <-ctx.Done():
				if errors.Is(context.Cause(ctx), auth.ErrUnauthenticated) {
					fmt.Fprint(w, "event: login-ended\ndata:\n\n")
				}
				return
			}
		}
	})))

	login := httptest.NewRecorder()
	site.ServeHTTP(login, httptest.NewRequest("POST", "/login", nil))
	go func() {
		news <- "hello"
		if err := sessions.LogoutAll(context.Background(), "alice"); err != nil {
			panic(err)
		}
	}()
	r := httptest.NewRequest("GET", "/events", nil)
	r.AddCookie(login.Result().Cookies()[0])
	stream := httptest.NewRecorder()
	site.ServeHTTP(stream, r)
	fmt.Print(stream.Body)
	// Output:
	// data: hello
	//
	// event: login-ended
	// data:
}
