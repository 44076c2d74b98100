package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// login lets the rate limiter ask whether the password is right. An account that does
// not exist has no hash, which takes as long and is as wrong.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	name, given := nameOf(r.PostFormValue("name")), r.PostFormValue("password")
	hash := s.accounts.hash(name)
	err := s.logins.Try(w, r, name, func() error { return s.passwords.Verify(r.Context(), hash, given) })
	if err != nil {
		return err
	}
	if _, err := s.revoke(r.Context(), name); err != nil {
		return err
	}
	// What is hashed by older settings is hashed anew while the password is here.
	if s.passwords.NeedsRehash(hash) {
		anew, err := s.passwords.Hash(r.Context(), given)
		switch {
		case err != nil: // another time
		case s.accounts.rehash(name, hash, anew):
			hash = anew
		default: // another log-in was faster, or a change of the password
			hash = s.accounts.hash(name)
			if err := s.passwords.Verify(r.Context(), hash, given); err != nil {
				return err
			}
		}
	}
	if err := s.enter(w, r, name, hash); err != nil {
		return err
	}
	http.Redirect(w, r, middleware.SafeNext(r.PostFormValue("next")), http.StatusSeeOther)
	return nil
}

// errCounted is what a rate limiter counts as it does a failure, though nothing has
// failed: so that nobody floods a mailbox, or keeps the processors busy with hashes.
var errCounted = fmt.Errorf("it counts: %w", auth.ErrUnauthenticated)

// register makes an account. A service that has mail addresses sends a link first,
// and says nothing of who has an account.
func (s *site) register(w http.ResponseWriter, r *http.Request) error {
	name, chosen := nameOf(r.PostFormValue("name")), r.PostFormValue("password")
	if !isName(name) {
		return errName
	}
	if err := s.passwords.Check(r.Context(), chosen, name); err != nil {
		return err
	}
	var hash string
	err := s.newcomers.Try(w, r, name, func() (err error) {
		if hash, err = s.passwords.Hash(r.Context(), chosen); err != nil {
			return err
		}
		return errCounted
	})
	if !errors.Is(err, errCounted) {
		return err
	}
	if !s.accounts.create(name, hash) {
		return errTaken
	}
	if err := s.enter(w, r, name, hash); err != nil {
		return err
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
	return nil
}

// enter logs in who has the password behind hash, if that still is the account's.
//
// Whoever replaces a hash ends all log-ins after it, and this one may come too late
// to be among them. So enter looks once more when it can be found there: either it
// sees the new hash, or they see the log-in. Ask the database that is written to,
// and no replica or cache of it.
func (s *site) enter(w http.ResponseWriter, r *http.Request, name, hash string) error {
	if err := s.sessions.Login(w, r, auth.Identity{Subject: name, Methods: "pwd"}); err != nil {
		return err
	}
	if s.accounts.hash(name) == hash {
		return nil
	}
	if err := s.sessions.Logout(w, r); err != nil {
		w.Header().Del("Set-Cookie") // what could not be ended is given to nobody
		return err
	}
	return errChanged
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Logout(w, r); err != nil {
		return err
	}
	middleware.ClearSiteData(w.Header())
	return s.tell(w, r, "/login", "You are logged out.")
}
