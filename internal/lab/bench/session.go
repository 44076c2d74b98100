package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// typical is what the numbers of the design are for.
var typical = auth.Identity{Subject: "subject-0001", Scopes: "read write admin", Methods: "pwd"}

// memorySessions read a session in memory.
func memorySessions() ([]group, error) {
	ours, err := oursOn(&store.Memory{})
	if err != nil {
		return nil, err
	}
	theirs, err := scsOn(memstore.NewWithCleanupInterval(0))
	if err != nil {
		return nil, err
	}
	return []group{{"session read in memory, through the whole middleware", []contender{
		{"the bare handler", bare().read},
		{"ours", ours.read},
		{"scs, memstore", theirs.read},
	}}}, nil
}

// A reader is a server with one browser that is logged in.
type reader struct {
	handler http.Handler
	request *http.Request
	saw     string // the subject that the handler has read
}

// read lets the handler answer a request of the browser.
func (r *reader) read() error {
	r.saw = ""
	r.handler.ServeHTTP(make(discard, 4), r.request)
	if r.saw != typical.Subject {
		return errors.New("the handler did not see who is logged in")
	}
	return nil
}

// handle is all that a handler does but for finding out the subject.
func (r *reader) handle(w http.ResponseWriter, subject string) {
	w.Header().Set("Content-Type", "text/plain")
	r.saw = subject
}

// discard is the header of a response that is not read.
type discard http.Header

func (d discard) Header() http.Header         { return http.Header(d) }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// bare is a handler without any login.
func bare() *reader {
	r := &reader{request: httptest.NewRequest("GET", "https://app.example/", nil)}
	r.handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r.handle(w, typical.Subject)
	})
	return r
}

// behind is a handler behind a guard of ours.
func behind(a middleware.Authenticator, request *http.Request) *reader {
	r := &reader{request: request}
	guard := &middleware.Guard{Authenticator: a}
	r.handler = guard.Require(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		id, _ := auth.FromContext(request.Context())
		r.handle(w, id.Subject)
	}))
	return r
}

func oursOn(s store.Store) (*reader, error) {
	m, err := session.New(session.Config{Store: s})
	if err != nil {
		return nil, err
	}
	request, err := afterLogin(func(w http.ResponseWriter, r *http.Request) error {
		return m.Login(w, r, typical)
	})
	return behind(m, request), err
}

func scsOn(s scs.Store) (*reader, error) {
	m := scs.New()
	m.Store, m.Lifetime = s, time.Hour // by which its keys are gone from Redis
	request, err := afterLogin(func(w http.ResponseWriter, r *http.Request) error {
		m.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			m.Put(r.Context(), "subject", typical.Subject)
			m.Put(r.Context(), "scopes", string(typical.Scopes))
			m.Put(r.Context(), "methods", string(typical.Methods))
		})).ServeHTTP(w, r)
		return nil
	})
	r := &reader{request: request}
	r.handler = m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		r.handle(w, m.GetString(request.Context(), "subject"))
	}))
	return r, err
}

// afterLogin returns a request of a browser that has logged in.
func afterLogin(login func(http.ResponseWriter, *http.Request) error) (*http.Request, error) {
	w := httptest.NewRecorder()
	err := login(w, httptest.NewRequest("POST", "https://app.example/login", nil))
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r, err
}
