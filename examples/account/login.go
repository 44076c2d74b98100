package main

import (
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// login lets the throttle ask whether the password is right. An account that does
// not exist has no hash, which takes as long and is as wrong.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	name, given := nameOf(r.PostFormValue("name")), r.PostFormValue("password")
	hash := s.accounts.hash(name)
	err := s.logins.Try(w, r, name, func() error { return s.passwords.Verify(r.Context(), hash, given) })
	if err != nil {
		return err
	}
	// What is hashed by older settings is hashed anew while the password is here.
	if s.passwords.NeedsRehash(hash) {
		if anew, err := s.passwords.Hash(r.Context(), given); err == nil {
			s.accounts.replace(name, hash, anew)
		}
	}
	return s.enter(w, r, name, middleware.SafeNext(r.PostFormValue("next")))
}

// register makes an account. A service that has mail addresses sends a link first,
// and says nothing of who has an account.
func (s *site) register(w http.ResponseWriter, r *http.Request) error {
	name, chosen := nameOf(r.PostFormValue("name")), r.PostFormValue("password")
	if name == "" || len(name) > 100 {
		return errName
	}
	if err := s.passwords.Check(r.Context(), chosen, name); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(r.Context(), chosen)
	if err != nil {
		return err
	}
	if !s.accounts.create(name, hash) {
		return errTaken
	}
	return s.enter(w, r, name, "/")
}

func (s *site) enter(w http.ResponseWriter, r *http.Request, name, next string) error {
	if err := s.sessions.Login(w, r, auth.Identity{Subject: name, Methods: "pwd"}); err != nil {
		return err
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
	return nil
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Logout(w, r); err != nil {
		return err
	}
	middleware.ClearSiteData(w.Header())
	return s.tell(w, r, "/login", "You are logged out.")
}
