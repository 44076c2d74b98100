package main

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth"
)

// change requires the current password, and limits guesses at it like those at login. It
// revokes all sessions including the current one, so stolen copies of its cookie are
// invalid too, and then logs in again. The data of the session is lost.
func (s *site) change(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	current, chosen := r.PostFormValue("current"), r.PostFormValue("password")
	// Check before the rate limiter, because a refused choice is not a wrong guess.
	if err := s.passwords.Check(r.Context(), chosen, id.Subject); err != nil {
		return err
	}
	before := s.accounts.hash(id.Subject)
	var hash string
	err := s.logins.Try(w, r, id.Subject, func() (err error) {
		hash, err = s.passwords.Change(r.Context(), before, current, chosen, id.Subject)
		return err
	})
	if err != nil {
		return err
	}
	if !s.accounts.replace(id.Subject, before, hash) {
		return errChanged
	}
	// After an error from here on, the new password is valid, and earlier sessions are
	// refused.
	if _, err := s.revoke(r.Context(), id.Subject); err != nil {
		return errors.Join(errSet, err)
	}
	if err := s.enter(w, r, id.Subject, hash); err != nil {
		return errors.Join(errSet, err)
	}
	return s.flash(w, r, "/", "Your password is changed, and you are logged out everywhere else.")
}

// resetting is the purpose of tokens in links that reset a password.
const resetting = "reset a password"

// forgotten sends a link. The response and its time are the same if the account does not
// exist. The link is bound to the current hash, so setting or changing the password
// invalidates all earlier links.
func (s *site) forgotten(w http.ResponseWriter, r *http.Request) error {
	name := nameOf(r.PostFormValue("name"))
	err := s.mails.Try(w, r, name, func() error {
		hash := s.accounts.hash(name)
		token, err := s.links.Issue(r.Context(), resetting, "", time.Hour, name, hash)
		if err != nil {
			return err
		}
		if link := "/reset?" + (url.Values{"name": {name}, "token": {token}}).Encode(); hash != "" {
			s.mail(name, link)
		}
		return errCounted
	})
	if !errors.Is(err, errCounted) {
		return err
	}
	return s.flash(w, r, "/login", "If there is such an account, a link is on its way. It works for an hour, until the password is another.")
}

// reset sets a password for a user with a link. The link stays valid until an acceptable
// password is chosen. It replaces only the password that the link is bound to.
func (s *site) reset(w http.ResponseWriter, r *http.Request) error {
	name, chosen := r.PostFormValue("name"), r.PostFormValue("password")
	if err := s.passwords.Check(r.Context(), chosen, name); err != nil {
		return err
	}
	// A retry with a used link still revokes the sessions of a thief.
	if _, err := s.revoke(r.Context(), name); err != nil {
		return err
	}
	before := s.accounts.hash(name)
	if _, err := s.links.Redeem(r.Context(), resetting, r.PostFormValue("token"), name, before); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(r.Context(), chosen)
	if err != nil {
		return err
	}
	if !s.accounts.replace(name, before, hash) {
		return errChanged
	}
	_, err = s.revoke(r.Context(), name)
	err = errors.Join(err, s.logins.Reset(r.Context(), name), s.mails.Reset(r.Context(), name))
	if err != nil {
		return errors.Join(errSet, err)
	}
	return s.flash(w, r, "/login", "Your password is set. Log in with it.")
}
