package main

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/throttle"
)

//go:embed page.html style.css
var files embed.FS

var templates = template.Must(template.Must(template.New("").Parse(session.CSRFTemplate)).ParseFS(files, "page.html"))

// page is the data of the templates.
type page struct {
	Subject     string // of the session, or ""
	Message     string // shown once
	CSRF        string // token of forms
	Name, Token string // of a link
	Next        string // page to show after the login
}

// form shows a page with a form.
func (s *site) form(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		message, _, err := s.messages.Take(w.Header(), r)
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		s.show(w, r, http.StatusOK, name, message)
	}
}

// posted is the handler of a form. do writes the response, or its error is explained next
// to the form.
func (s *site) posted(name string, do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		err := s.own(r)
		if err == nil {
			err = do(w, r)
		}
		if err == nil {
			return
		}
		status, text := explain(err)
		if many := (&throttle.Error{}); errors.As(err, &many) && many.RetryAfter() > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((many.RetryAfter()+time.Second-1)/time.Second)))
		}
		s.show(w, r, status, name, text)
	}
}

// own refuses requests that were not sent by a form of the site. Behind the guard a form
// has the CSRF token of its session. Without a session the check uses the headers in
// which browsers state the origin of a form, because a session for each visitor, only
// for a token, would fill the store with sessions of bots.
func (s *site) own(r *http.Request) error {
	if _, ok := auth.FromContext(r.Context()); ok {
		return s.sessions.CheckCSRF(r)
	}
	if err := s.origin.Check(r); err != nil {
		return fmt.Errorf("a form of another site: %w", auth.ErrForbidden)
	}
	return nil
}

var (
	errSet     = errors.New("the password is set, and what was to follow failed")
	errName    = errors.New("no name")
	errTaken   = errors.New("the name is taken")
	errChanged = errors.New("the password was changed meanwhile")
)

// explain returns a text for users, without details of the error.
func explain(err error) (status int, text string) {
	var many *throttle.Error
	for _, known := range []struct {
		is     bool
		status int
		text   string
	}{
		{errors.Is(err, errChanged), http.StatusConflict, "The password was changed elsewhere just now."},
		{errors.Is(err, errSet), http.StatusServiceUnavailable, "Your password is set. Log in with it in a moment."},
		{errors.As(err, &many), http.StatusTooManyRequests, "There were too many attempts. Wait a while."},
		{errors.Is(err, onetime.ErrUsed), http.StatusForbidden, "This link was used already."},
		{errors.Is(err, onetime.ErrUnknown), http.StatusForbidden, "This link is not good, or not any more. If you have just set a password by it, log in."},
		{errors.Is(err, auth.ErrForbidden), http.StatusForbidden, "This form was out of date. Send it again."},
		{errors.Is(err, auth.ErrUnauthenticated), http.StatusUnauthorized, "The name or the password is wrong."},
		{errors.Is(err, password.ErrTooShort), http.StatusUnprocessableEntity, "Choose at least 15 characters. Four words will do."},
		{errors.Is(err, password.ErrTooLong), http.StatusUnprocessableEntity, "Choose a shorter password."},
		{errors.Is(err, password.ErrGuessable), http.StatusUnprocessableEntity, "That is easy to guess. Choose another."},
		{errors.Is(err, errName), http.StatusUnprocessableEntity, "Choose a name of at most 100 characters that can be seen."},
		{errors.Is(err, errTaken), http.StatusConflict, "That name is taken."},
	} {
		if known.is {
			return known.status, known.text
		}
	}
	return http.StatusServiceUnavailable, "That cannot be done now. Try again in a moment."
}

// flash shows a message on the next page.
func (s *site) flash(w http.ResponseWriter, r *http.Request, to, message string) error {
	if err := s.messages.Set(w.Header(), r, message); err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name, message string) {
	id, _ := auth.FromContext(r.Context())
	p := page{
		Subject: id.Subject, Message: message, Name: r.FormValue("name"), Token: r.FormValue("token"),
		Next: middleware.SafeNext(r.FormValue("next")),
	}
	var body bytes.Buffer
	var err error
	w.Header().Set("Cache-Control", "no-store") // messages and links are for one visitor
	if p.Subject != "" {
		p.CSRF, err = s.sessions.CSRFToken(w, r)
	}
	if err == nil {
		err = templates.ExecuteTemplate(&body, name, p)
	}
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if p.Token != "" { // the address of the page has a single-use token
		w.Header().Set("Referrer-Policy", "no-referrer")
	}
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func style(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "style.css") }
