package main

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/authlatch/auth"
)

// setting is the purpose of tokens in links that set a password, the first one or another.
const setting = "set a password"

// errCounted makes the rate limiter of mails count each mail like a failure, so that an
// attacker can flood neither a mailbox nor the mail service.
var errCounted = fmt.Errorf("it counts: %w", auth.ErrUnauthenticated)

// signup sends a link that makes an account, so that each account has an address that its
// owner can read. The response does not reveal whether there is an account already; only
// the owner of the address learns that, by another mail.
func (s *site) signup(w http.ResponseWriter, r *http.Request) error {
	return s.sendLink(w, r, func(a account, to, page string) {
		if a.ID == "" {
			s.mail(to, "Your account", "Choose a password within an hour to complete your account:", page)
		} else {
			s.mail(to, "Your account", "You have an account already. If you have forgotten its password, choose another one:", page)
		}
	})
}

// forgotten sends a link that replaces the password, if there is an account.
func (s *site) forgotten(w http.ResponseWriter, r *http.Request) error {
	return s.sendLink(w, r, func(a account, to, page string) {
		if a.ID != "" {
			s.mail(to, "Your password", "Choose another password within an hour, or ignore this mail:", page)
		}
	})
}

// sendLink does the same work and responds in the same way whether the account exists. The
// link is bound to the current hash, or to none, so setting or changing the password
// invalidates all earlier links.
func (s *site) sendLink(w http.ResponseWriter, r *http.Request, send func(a account, to, page string)) error {
	to := mailOf(r.PostFormValue("mail"))
	if !isMail(to) {
		return errMail
	}
	err := s.mails.Try(w, r, to, func() error {
		a, err := s.accounts.byMail(r.Context(), to)
		if err != nil {
			return err
		}
		token, err := s.links.Issue(r.Context(), setting, "", time.Hour, to, a.Hash)
		if err != nil {
			return err
		}
		send(a, to, setPage(to, token))
		return errCounted
	})
	if !errors.Is(err, errCounted) {
		return err
	}
	return s.flash(w, r, "/login", "Look into your mailbox. If this address can be used, a link is on its way. It works for an hour.")
}

// set sets the password of a user with a link, who proves with it that the address is
// theirs. The link stays valid until an acceptable password is chosen. It replaces only
// the password that it is bound to.
func (s *site) set(w http.ResponseWriter, r *http.Request) error {
	mail, chosen := mailOf(r.PostFormValue("mail")), r.PostFormValue("password")
	if err := s.passwords.Check(r.Context(), chosen, mail); err != nil {
		return err
	}
	a, err := s.accounts.byMail(r.Context(), mail)
	if err != nil {
		return err
	}
	// A retry with a used link still revokes the sessions of a thief.
	if _, err := s.revokeDue(r.Context(), a); err != nil {
		return err
	}
	if _, err := s.links.Redeem(r.Context(), setting, r.PostFormValue("token"), mail, a.Hash); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(r.Context(), chosen)
	if err != nil {
		return err
	}
	if a.ID == "" {
		err = s.createAccount(r, mail, hash)
	} else {
		_, err = s.replaceHash(r, a, hash)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(s.logins.Reset(r.Context(), mail), s.mails.Reset(r.Context(), mail)); err != nil {
		return errors.Join(errSet, err)
	}
	return s.flash(w, r, "/login", "Your password is set. Log in with it.")
}

func (s *site) createAccount(r *http.Request, mail, hash string) error {
	roles := ""
	if mail == s.staff {
		roles = staffRole
	}
	created, err := s.accounts.create(r.Context(), mail, hash, roles)
	if err == nil && !created {
		return errChanged
	}
	return err
}
