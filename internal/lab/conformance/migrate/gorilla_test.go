package migrate

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/sessions"

	"github.com/authlatch/auth"
)

func withGorilla(store *sessions.CookieStore) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		s, _ := store.Get(r, "session")
		s.Values["user"] = user
		if err := s.Save(r, w); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "session")
		s.Options.MaxAge = -1
		if err := s.Save(r, w); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		s, _ := store.Get(r, "session")
		user, ok := s.Values["user"].(string)
		if !ok {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, user)
	})
	return mux
}

func readGorilla(old *sessions.CookieStore) func(*http.Request) (oldLogin, error) {
	return func(r *http.Request) (oldLogin, error) {
		c, err := r.Cookie("session")
		if err != nil {
			return oldLogin{}, nil
		}
		s, err := old.Get(r, "session")
		if err != nil { // forged, or expired: a CookieStore has no other errors
			return oldLogin{}, nil
		}
		raw, err := base64.URLEncoding.DecodeString(c.Value)
		if err != nil {
			return oldLogin{}, nil
		}
		user, _ := s.Values["user"].(string)
		return oldLogin{
			Identity: auth.Identity{
				Subject:  user,
				AuthTime: time.Unix(1, 0), // not known: RequireRecent asks for a login
			},
			once: raw, // the text has several encodings
		}, nil
	}
}
