package main

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth"
)

// change takes the current password as well, and guesses at it count as those at
// log-in do. It ends all log-ins, this one included, and logs in anew: whoever has a
// copy of the cookie of before is out as well. What the session has kept is lost.
func (s *site) change(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	current, chosen := r.PostFormValue("current"), r.PostFormValue("password")
	// Before the rate limiter: what may not be chosen is no wrong guess.
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
	// After an error from here on the new password is the one, and log-ins of before
	// are refused.
	if _, err := s.revoke(r.Context(), id.Subject); err != nil {
		return errors.Join(errSet, err)
	}
	if err := s.enter(w, r, id.Subject, hash); err != nil {
		return errors.Join(errSet, err)
	}
	return s.tell(w, r, "/", "Your password is changed, and you are logged out everywhere else.")
}

// resetting is what links to who has forgotten a password are for. Nothing else
// takes them.
const resetting = "reset a password"

// forgotten sends a link, and answers alike, and as fast, if there is no such account.
// The link is bound to the hash that it is to replace: a password that is set or
// changed ends all links of before.
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
	return s.tell(w, r, "/login", "If there is such an account, a link is on its way. It works for an hour, until the password is another.")
}

// reset sets a password for who has got a link, which is good until a password is
// chosen that may be. The one that it replaces is the one that the link is bound to.
func (s *site) reset(w http.ResponseWriter, r *http.Request) error {
	name, chosen := r.PostFormValue("name"), r.PostFormValue("password")
	if err := s.passwords.Check(r.Context(), chosen, name); err != nil {
		return err
	}
	// Who tries again, with a link that is used up, at least has the thief out.
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
	return s.tell(w, r, "/login", "Your password is set. Log in with it.")
}
