package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth"
)

// change takes the current password as well, and guesses at it count as those at
// log-in do. Whoever else is logged in as this subject is out after it.
func (s *site) change(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	current, chosen := r.PostFormValue("current"), r.PostFormValue("password")
	// Before the throttle: what may not be chosen is no wrong guess.
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
	if err := s.sessions.LogoutAll(r.Context(), id.Subject, id.LoginID); err != nil {
		return err
	}
	return s.tell(w, r, "/", "Your password is changed, and you are logged out everywhere else.")
}

// resetting is what links to who has forgotten a password are for. Nothing else
// takes them.
const resetting = "reset a password"

// errSent is counted as a failure is, so that nobody floods a mailbox.
var errSent = fmt.Errorf("a mail: %w", auth.ErrUnauthenticated)

// forgotten sends a link, and answers alike if there is no such account.
func (s *site) forgotten(w http.ResponseWriter, r *http.Request) error {
	name := nameOf(r.PostFormValue("name"))
	err := s.mails.Try(w, r, name, func() error {
		if s.accounts.hash(name) == "" {
			return errSent
		}
		token, err := s.links.Issue(r.Context(), resetting, "", time.Hour, name)
		if err != nil {
			return err
		}
		s.mail(name, "/reset?"+url.Values{"name": {name}, "token": {token}}.Encode())
		return errSent
	})
	if !errors.Is(err, errSent) {
		return err
	}
	return s.tell(w, r, "/login", "If there is such an account, a link is on its way. It works once, for an hour.")
}

// reset sets a password for who has got a link. The token is bound to the name that
// the password is checked for, and is good until a password is chosen that may be.
func (s *site) reset(w http.ResponseWriter, r *http.Request) error {
	name, chosen := r.PostFormValue("name"), r.PostFormValue("password")
	if err := s.passwords.Check(r.Context(), chosen, name); err != nil {
		return err
	}
	if _, err := s.links.Redeem(r.Context(), resetting, r.PostFormValue("token"), name); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(r.Context(), chosen)
	if err != nil {
		return err
	}
	if !s.accounts.replace(name, s.accounts.hash(name), hash) {
		return errChanged
	}
	err = errors.Join(
		s.sessions.LogoutAll(r.Context(), name),
		s.logins.Forgive(r.Context(), name),
		s.mails.Forgive(r.Context(), name),
	)
	if err != nil {
		return err
	}
	return s.tell(w, r, "/login", "Your password is set. Log in with it.")
}
