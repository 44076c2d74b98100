package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// remembered is the lifetime requested with "remember me". Limits.MaxLifetime caps it.
const remembered = 30 * 24 * time.Hour

// login verifies the password within the rate limiter. An account that does not exist has
// no hash, and verifying against it takes as long and fails in the same way.
func (s *site) login(w http.ResponseWriter, r *http.Request) error {
	mail, given := mailOf(r.PostFormValue("mail")), r.PostFormValue("password")
	a, err := s.accounts.byMail(r.Context(), mail)
	if err != nil {
		return err
	}
	err = s.logins.Try(w, r, mail, func() error { return s.passwords.Verify(r.Context(), a.Hash, given) })
	if err != nil {
		return err
	}
	if _, err := s.revokeDue(r.Context(), a); err != nil {
		return err
	}
	if a.Hash, err = s.renewHash(r.Context(), a, given); err != nil {
		return err
	}
	var expires time.Time
	if r.PostFormValue("remember") != "" {
		expires = time.Now().Add(remembered)
	}
	if err := s.enter(w, r, a, expires); err != nil {
		return err
	}
	next := url.Values{"next": {middleware.SafeNext(r.PostFormValue("next"))}}
	http.Redirect(w, r, "/welcome?"+next.Encode(), http.StatusSeeOther)
	return nil
}

// welcome follows a login. It finds out whether the browser has kept the cookie: over plain
// HTTP, browsers drop Secure cookies without a word.
func (s *site) welcome(w http.ResponseWriter, r *http.Request) {
	if _, err := s.sessions.Authenticate(r); errors.Is(err, auth.ErrNoCredential) {
		s.show(w, r, http.StatusOK, "nocookie", "You are not logged in: your browser has not kept the cookie.")
		return
	}
	http.Redirect(w, r, middleware.SafeNext(r.FormValue("next")), http.StatusSeeOther)
}

// renewHash replaces a hash with older settings while the password is available, and
// returns the hash that the account has now.
func (s *site) renewHash(ctx context.Context, a account, given string) (string, error) {
	if !s.passwords.NeedsRehash(a.Hash) {
		return a.Hash, nil
	}
	anew, err := s.passwords.Hash(ctx, given)
	if err != nil {
		return a.Hash, nil // retried at the next login
	}
	stored, err := s.accounts.rehash(ctx, a.ID, a.Hash, anew)
	if err != nil || stored {
		return anew, err
	}
	// A concurrent login has stored another hash, or the password was changed.
	now, err := s.accounts.byID(ctx, a.ID)
	if err != nil {
		return "", err
	}
	return now.Hash, s.passwords.Verify(ctx, now.Hash, given)
}

// enter logs in a user who has proved the password of a.Hash, if that is still the hash of
// the account.
//
// A request that replaces the hash revokes all sessions afterwards, and this session may
// be created too late for that. So enter reads the hash again after it has created the
// session: either it reads the new hash, or the other request finds the session. Read
// from the primary database, not from a replica or a cache.
func (s *site) enter(w http.ResponseWriter, r *http.Request, a account, expires time.Time) error {
	facts, err := auth.NewClaims(facts{Mail: a.Mail})
	if err != nil {
		return err
	}
	id := auth.Identity{Subject: a.ID, Methods: "pwd", Expires: expires, Claims: facts}
	if err := s.sessions.Login(w, r, id); err != nil {
		return err
	}
	now, err := s.accounts.byID(r.Context(), a.ID)
	if err == nil && now.Hash == a.Hash {
		return nil
	}
	if ended := s.sessions.Logout(w, r); ended != nil {
		w.Header().Del("Set-Cookie") // do not deliver a session that could not be revoked
		return ended
	}
	if err != nil {
		return err
	}
	return errChanged
}

// facts are the claims of a login.
type facts struct {
	Mail string `json:"mail"`
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) error {
	if err := s.sessions.Logout(w, r); err != nil {
		return err
	}
	middleware.ClearSiteData(w.Header())
	return s.flash(w, r, "/", "You are logged out.")
}
