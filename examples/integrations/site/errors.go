package main

import (
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/throttle"
)

// problem is an error with its status and a text for the user.
type problem struct {
	status int
	text   string
}

func (p *problem) Error() string { return p.text }

var (
	errForm     = &problem{http.StatusBadRequest, "Your browser has sent a form that cannot be read."}
	errNotFound = &problem{http.StatusNotFound, "There is no such page."}
	errStale    = &problem{http.StatusForbidden, "This form was out of date. Send it again."}
	errOrigin   = &problem{http.StatusForbidden, "This form did not come from a page of this site. Open the page here and send it again."}
	errMail     = &problem{http.StatusUnprocessableEntity, "Enter an email address."}
	errItem     = &problem{http.StatusUnprocessableEntity, "The shop does not sell that."}
	errFull     = &problem{http.StatusConflict, "The cart is full."}
	errText     = &problem{http.StatusUnprocessableEntity, "Write a message of at most 2000 characters."}
	errChanged  = &problem{http.StatusConflict, "The password was changed elsewhere just now. Log in with the new one."}
	errSet      = &problem{http.StatusServiceUnavailable, "Your password is set. Log in with it in a moment."}
)

// explain returns a status and a text for users, without details of the error.
func explain(err error) (status int, text string) {
	var known *problem
	var limited *throttle.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return http.StatusRequestEntityTooLarge, "That is too much at once."
	case errors.As(err, &known):
		return known.status, known.text
	case errors.As(err, &limited):
		return http.StatusTooManyRequests, "There were too many attempts. Wait a while."
	case errors.Is(err, onetime.ErrUsed):
		return http.StatusForbidden, "This link was used already. If you have set a password by it, log in."
	case errors.Is(err, onetime.ErrUnknown):
		return http.StatusForbidden, "This link is not valid, or not any more. If you have just set a password by it, log in."
	case errors.Is(err, password.ErrTooShort):
		return http.StatusUnprocessableEntity, "Choose at least 15 characters. Four words will do."
	case errors.Is(err, password.ErrTooLong):
		return http.StatusUnprocessableEntity, "Choose a shorter password."
	case errors.Is(err, password.ErrGuessable), errors.Is(err, password.ErrBreached):
		return http.StatusUnprocessableEntity, "That is easy to guess. Choose another."
	case errors.Is(err, password.ErrWrong):
		return http.StatusUnauthorized, "The email address or the password is wrong."
	case errors.Is(err, auth.ErrForbidden):
		return http.StatusForbidden, "This page is not for you. Another account may be allowed to see it."
	case errors.Is(err, auth.ErrUnauthenticated):
		return http.StatusUnauthorized, "Log in first."
	}
	return http.StatusServiceUnavailable, "That cannot be done now. Try again in a moment."
}

// refuse logs what an operator should know of an error, tells programs when to try again,
// and explains the error.
func (s *site) refuse(w http.ResponseWriter, r *http.Request, err error) (status int, text string) {
	status, text = explain(err)
	var limited *throttle.Error
	switch {
	case status == http.StatusServiceUnavailable:
		s.log.Error("a request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		w.Header().Set("Retry-After", "5")
	case errors.As(err, &limited) && limited.RetryAfter() > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(limited.RetryAfter().Seconds()))))
	}
	return status, text
}

// deny is the Deny of the guards. A browser without a login is led to the login page, and
// back afterwards; a program gets the problem detail of the library. All else is a page.
func (s *site) deny(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, auth.ErrUnauthenticated) {
		s.fail(w, r, err)
		return
	}
	if r.Method == http.MethodPost { // what was sent is lost: say why
		if err := s.notices.Set(w.Header(), r, "Your session has ended. Log in again."); err != nil {
			s.log.Warn("a message cannot be shown", "error", err)
		}
	}
	middleware.Deny(w, r, err)
}

// fail shows a page that says what went wrong.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	status, text := s.refuse(w, r, err)
	s.write(w, r, status, "error", page{Title: http.StatusText(status), Alert: text, Bare: true})
}

func (s *site) notFound(w http.ResponseWriter, r *http.Request) { s.fail(w, r, errNotFound) }
