package main

import (
	"bytes"
	"embed"
	"errors"
	"html/template"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

//go:embed pages static
var files embed.FS

var templates = template.Must(template.Must(template.New("").Parse(session.CSRFTemplate)).ParseFS(files, "pages/*.html"))

// page is the data of the templates.
type page struct {
	Site   string // its name
	Title  string
	Notice string // on each page
	Flash  string // shown once
	Alert  string // what went wrong
	Bare   bool   // without the navigation

	Subject, User string // of the session, and the mail address; or ""
	Staff         bool   // the user has this role
	CSRF          string // token of forms, if there is a user

	Mail, Token, Next string // of the request
	GoodsTitle        string
	Goods, Cart       []string
	Text              string // of a message
	Devices           []auth.Login
	Here              string // the current one of these
	Messages          []message
}

var titles = map[string]string{
	"home": siteName, "login": "Log in", "signup": "Sign up", "forgotten": "Forgot your password?",
	"set": "Choose a password", "account": "Your account", "contact": "Write to us", "staff": "Messages",
	"nocookie": "No cookie",
}

// form is the handler of a page.
func (s *site) form(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.show(w, r, http.StatusOK, name, "")
	}
}

// posted is the handler of a form. do writes the response, or its error is explained on the
// page with the form.
func (s *site) posted(name string, do func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.fail(w, r, errors.Join(err, errForm))
			return
		}
		err := s.own(r)
		if err == nil {
			err = do(w, r)
		}
		if err == nil {
			return
		}
		status, text := s.refuse(w, r, err)
		s.show(w, r, status, name, text)
	}
}

// own refuses requests that were not sent by a form of the site. The form of a user has the
// CSRF token of the session. Without a user the check uses the headers in which browsers
// state the origin of a form, because a session for each visitor, only for a token, would
// fill the store with sessions of bots.
func (s *site) own(r *http.Request) error {
	if _, ok := auth.FromContext(r.Context()); !ok {
		if err := s.origin.Check(r); err != nil {
			s.log.WarnContext(r.Context(), "form refused", "error", err, "origin", r.Header.Get("Origin"), "host", r.Host)
			return errOrigin
		}
		return nil
	}
	err := s.sessions.CheckCSRF(r)
	if errors.Is(err, auth.ErrForbidden) {
		return errStale
	}
	return err
}

// flash shows a message on the next page.
func (s *site) flash(w http.ResponseWriter, r *http.Request, to, message string) error {
	if err := s.notices.Set(w.Header(), r, message); err != nil {
		return err
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// show shows a page, or the page of an error if its data cannot be read.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, name, alert string) {
	p := page{
		Title: titles[name], Alert: alert, GoodsTitle: goodsTitle, Goods: goods,
		Mail: r.FormValue("mail"), Token: r.FormValue("token"), Next: middleware.SafeNext(r.FormValue("next")),
	}
	if err := s.fill(w, r, name, &p); err != nil {
		s.fail(w, r, err)
		return
	}
	if p.Token != "" { // the address of the page has a single-use token
		w.Header().Set("Referrer-Policy", "no-referrer")
	}
	s.write(w, r, status, name, p)
}

// fill reads the data of a page.
func (s *site) fill(w http.ResponseWriter, r *http.Request, name string, p *page) (err error) {
	if r.Method == http.MethodGet {
		p.Flash, _, _ = s.notices.Take(w.Header(), r) // a malformed cookie is no message
	}
	id, ok := auth.FromContext(r.Context())
	if ok {
		var known facts
		if err := id.Claims.Decode(&known); err != nil {
			return err
		}
		p.Subject, p.User, p.Staff = id.Subject, known.Mail, id.Scopes.Has(staffRole)
		if p.CSRF, err = s.sessions.CSRFToken(w, r); err != nil {
			return err
		}
	}
	switch name {
	case "home":
		p.Cart, err = s.cartOf(r, id)
	case "account":
		p.Here = id.LoginID
		p.Devices, err = s.sessions.Logins(r.Context(), id.Subject)
	case "contact":
		if p.Text = r.PostFormValue("text"); p.Text == "" {
			p.Text, err = draftOf(id)
		}
	case "staff":
		p.Messages, err = s.messages.latest(r.Context())
	}
	return err
}

// write writes a page that no cache stores, because it is for one visitor.
func (s *site) write(w http.ResponseWriter, r *http.Request, status int, name string, p page) {
	p.Site, p.Notice = siteName, s.notice
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, p); err != nil {
		s.log.Error("a page cannot be shown", "page", name, "error", err)
		http.Error(w, "This page cannot be shown.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		w.Write(body.Bytes())
	}
}

func static(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "public, max-age=300")
	http.ServeFileFS(w, r, files, "static/"+r.PathValue("file"))
}
