package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/authlatch/auth"
)

// typical is who logs in.
var typical = auth.Identity{Subject: "subject-0001", Scopes: "read write admin", Methods: "pwd"}

// A site is an application that keeps logins in one way. A credential is the
// value of the header Cookie, or of Authorization.
type site struct {
	name    string
	header  string       // in which the credential is
	handler http.Handler // responds with the subject of a request
	login   func(subject string) (credential string, err error)
	reading func(credential, subject string) func() error // requests of a logged-in browser
	logout  func(credential string) error
}

// errRefused means that a request was not served as that of its subject.
var errRefused = errors.New("the handler did not see the subject of the login")

// webSite is a site on net/http. The handler login logs in the subject that the
// request has in the header Subject, and read responds with the subject of the
// request.
func webSite(name string, login, read, logout http.Handler) site {
	return site{
		name: name, header: "Cookie", handler: read,
		login: func(subject string) (string, error) {
			r := httptest.NewRequest("POST", "https://app.example/login", nil)
			r.Header.Set("Subject", subject)
			w := httptest.NewRecorder()
			login.ServeHTTP(w, r)
			return cookies(w.Result())
		},
		reading: func(credential, subject string) func() error {
			return requests(read, "Cookie", credential, subject)
		},
		logout: func(credential string) error {
			r := httptest.NewRequest("POST", "https://app.example/logout", nil)
			r.Header.Set("Cookie", credential)
			w := httptest.NewRecorder()
			logout.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				return fmt.Errorf("logout: %d", w.Code)
			}
			return nil
		},
	}
}

// cookies returns the header Cookie that a browser sends after a response.
func cookies(r *http.Response) (string, error) {
	var all []string
	for _, c := range r.Cookies() {
		if c.MaxAge >= 0 {
			all = append(all, c.Name+"="+c.Value)
		}
	}
	if r.StatusCode != http.StatusOK || len(all) == 0 {
		return "", fmt.Errorf("login: %s, and %d cookies", r.Status, len(all))
	}
	return strings.Join(all, "; "), nil
}

// requests lets h respond to the same request again and again. It may be called
// by many goroutines at once, so h must not change the request.
func requests(h http.Handler, header, credential, subject string) func() error {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	if header != "" {
		r.Header.Set(header, credential)
	}
	return func() error {
		w := response{header: make(http.Header, 4)}
		h.ServeHTTP(&w, r)
		if w.body != subject {
			return errRefused
		}
		return nil
	}
}

// A response keeps what a handler has written at last.
type response struct {
	header http.Header
	body   string
}

func (r *response) Header() http.Header { return r.header }
func (r *response) WriteHeader(int)     {}

func (r *response) Write(b []byte) (int, error) {
	r.body = string(b)
	return len(b), nil
}

func (r *response) WriteString(s string) (int, error) {
	r.body = s
	return len(s), nil
}

// respond is all that a handler does except finding out the subject.
func respond(w http.ResponseWriter, subject string) {
	w.Header().Set("Content-Type", "text/plain")
	io.WriteString(w, subject)
}

// bare is a handler that authenticates no user.
func bare() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond(w, typical.Subject) })
}

// bareHandler is what every contender on net/http does as well.
func bareHandler() contender {
	return contender{name: "the bare handler", call: requests(bare(), "", "", typical.Subject)}
}
