package main

import (
	"errors"
	"net/http"

	"github.com/authlatch/auth"
)

// change requires the current password, and limits guesses at it like those at login. It
// revokes all sessions including the current one, so stolen copies of its cookie are
// invalid too, and then logs in again, for as long as before. The data of the session is
// lost.
func (s *site) change(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	current, chosen := r.PostFormValue("current"), r.PostFormValue("password")
	a, err := s.accounts.byID(r.Context(), id.Subject)
	if err != nil {
		return err
	}
	// Check before the rate limiter, because a refused choice is not a wrong guess.
	if err := s.passwords.Check(r.Context(), chosen, a.Mail); err != nil {
		return err
	}
	var hash string
	err = s.logins.Try(w, r, a.Mail, func() (err error) {
		hash, err = s.passwords.Change(r.Context(), a.Hash, current, chosen, a.Mail)
		return err
	})
	if err != nil {
		return err
	}
	if a, err = s.replaceHash(r, a, hash); err != nil {
		return err
	}
	if err := s.enter(w, r, a, id.Expires); err != nil {
		return errors.Join(errSet, err)
	}
	return s.flash(w, r, "/account", "Your password is changed, and you are logged out everywhere else.")
}

// replaceHash replaces the hash of an account and revokes all its logins. Once the hash is
// replaced, earlier sessions are refused even if an error follows.
func (s *site) replaceHash(r *http.Request, a account, hash string) (account, error) {
	replaced, err := s.accounts.replace(r.Context(), a.ID, a.Hash, hash)
	if err != nil {
		return a, err
	}
	if !replaced {
		return a, errChanged
	}
	now, err := s.accounts.byID(r.Context(), a.ID)
	if err == nil {
		_, err = s.revokeDue(r.Context(), now)
	}
	if err != nil {
		return a, errors.Join(errSet, err)
	}
	a.Hash = hash
	return a, nil
}
