package main

import (
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// remembered is the lifetime requested with "remember me". Limits.MaxLifetime caps it.
const remembered = 30 * 24 * time.Hour

func (s *shop) login(w http.ResponseWriter, r *http.Request) {
	user := r.PostFormValue("user")
	if !isPassword(user, r.PostFormValue("password")) {
		s.showHome(w, r, http.StatusUnauthorized, r.PostFormValue("next"))
		return
	}
	id := auth.Identity{Subject: user, Methods: "pwd"}
	if r.PostFormValue("remember") != "" {
		id.Expires = time.Now().Add(remembered)
	}
	if err := s.sessions.Login(w, r, id); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	next := middleware.SafeNext(r.PostFormValue("next"))
	http.Redirect(w, r, "/welcome?next="+url.QueryEscape(next), http.StatusSeeOther)
}

// welcome follows a login. It finds out whether the browser has kept the cookie.
func (s *shop) welcome(w http.ResponseWriter, r *http.Request) {
	if _, err := s.sessions.Authenticate(r); errors.Is(err, auth.ErrNoCredential) {
		show(w, http.StatusOK, "nocookie", page{})
		return
	}
	http.Redirect(w, r, middleware.SafeNext(r.FormValue("next")), http.StatusSeeOther)
}

func (s *shop) logout(w http.ResponseWriter, r *http.Request) {
	if err := s.sessions.Logout(w, r); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// isPassword is a STUB with one account. Replace it by a lookup of users and hashes.
func isPassword(user, password string) bool {
	return user == "alice" && subtle.ConstantTimeCompare([]byte(password), []byte("correct horse")) == 1
}
