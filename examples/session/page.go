package main

import (
	"bytes"
	"embed"
	"html/template"
	"net/http"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// page is the data of the templates.
type page struct {
	Subject string       // of the session, or ""
	Next    string       // page to show after the login
	Wrong   bool         // the password was
	Cart    []string     // of home
	LoginID string       // of devices: this one
	Devices []auth.Login // of devices
	CSRF    string       // of devices: the token of its forms
}

//go:embed page.html style.css
var files embed.FS

var templates = template.Must(template.Must(template.New("").Parse(session.CSRFTemplate)).ParseFS(files, "page.html"))

// show writes a page that no cache stores, because it contains the user's name: after
// logout, the Back button does not show it again.
func show(w http.ResponseWriter, status int, name string, p page) {
	var body bytes.Buffer
	if err := templates.ExecuteTemplate(&body, name, p); err != nil {
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}

func style(w http.ResponseWriter, r *http.Request) {
	http.ServeFileFS(w, r, files, "style.css")
}
