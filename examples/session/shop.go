package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

// shop has the handlers.
type shop struct {
	sessions *session.Manager
	guard    *middleware.Guard
}

func newShop(sessions *session.Manager) *shop {
	return &shop{sessions, &middleware.Guard{Authenticator: sessions, LoginPage: "/"}}
}

// recently is the maximum age of a login for the payment page. It is only a minute, so
// that the effect can be seen.
const recently = time.Minute

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.home)
	mux.HandleFunc("GET /style.css", style)
	mux.HandleFunc("POST /cart", s.addToCart)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /welcome", s.welcome)
	mux.HandleFunc("POST /logout", s.logout)

	mux.Handle("GET /me", s.guard.Require(http.HandlerFunc(me)))
	mux.Handle("GET /devices", s.guard.Require(http.HandlerFunc(s.devices)))
	mux.Handle("POST /logout-one", s.guard.Require(http.HandlerFunc(s.logoutOne)))
	mux.Handle("POST /logout-everywhere", s.guard.Require(http.HandlerFunc(s.logoutEverywhere)))
	mux.Handle("GET /payment", s.guard.RequireRecent(recently)(http.HandlerFunc(payment)))
	return mux
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	fmt.Fprintln(w, "hello,", id.Subject)
}

func payment(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	show(w, http.StatusOK, "payment", page{Subject: id.Subject})
}

// logEvents returns a hook that logs the events of sessions for an operator.
func logEvents(log *slog.Logger) func(context.Context, auth.Event) {
	return func(ctx context.Context, e auth.Event) {
		level := slog.LevelInfo
		if e.Kind == auth.EventFault {
			level = slog.LevelError
		}
		facts := []any{"subject", e.Subject, "login", e.LoginID}
		if e.Reason != "" {
			facts = append(facts, "reason", e.Reason)
		}
		if e.Err != nil {
			facts = append(facts, "error", e.Err)
		}
		log.Log(ctx, level, string(e.Kind), facts...)
	}
}
