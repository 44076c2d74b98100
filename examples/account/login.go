package main

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// login verifies the password within the rate limiter. An account that does not exist has
// no hash, and verifying against it takes as long and fails in the same way.
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
	// Replace a hash with older settings while the password is available.
	if s.passwords.NeedsRehash(hash) {
		anew, err := s.passwords.Hash(r.Context(), given)
		switch {
		case err != nil: // retried at the next login
		case s.accounts.rehash(name, hash, anew):
			hash = anew
		default: // a concurrent login, or a change of the password
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

// errCounted makes a rate limiter count a successful request like a failure, so that an
// attacker cannot flood a mailbox or keep the processors busy with hashing.
var errCounted = fmt.Errorf("it counts: %w", auth.ErrUnauthenticated)

// register creates an account. A service with email addresses should send a link first,
// and not reveal whether an account exists.
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

// enter logs in a user who has proved the password of hash, if that is still the hash of
// the account.
//
// A request that replaces the hash revokes all sessions afterwards, and this session may
// be created too late for that. So enter reads the hash again after it has created the
// session: either it reads the new hash, or the other request finds the session. Read
// from the primary database, not from a replica or a cache.
func (s *site) enter(w http.ResponseWriter, r *http.Request, name, hash string) error {
	if err := s.sessions.Login(w, r, auth.Identity{Subject: name, Methods: "pwd"}); err != nil {
		return err
	}
	if s.accounts.hash(name) == hash {
		return nil
	}
	if err := s.sessions.Logout(w, r); err != nil {
		w.Header().Del("Set-Cookie") // do not deliver a session that could not be revoked
		return err
	}
	return errChanged
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Logout(w, r); err != nil {
		return err
	}
	middleware.ClearSiteData(w.Header())
	return s.flash(w, r, "/login", "You are logged out.")
}
