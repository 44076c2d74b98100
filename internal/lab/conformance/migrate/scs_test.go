package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func withSCS(sessions *scs.SessionManager) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		if err := sessions.RenewToken(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		sessions.Put(r.Context(), "user", user)
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Destroy(r.Context()); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "cart", r.PostFormValue("item"))
	})
	mux.HandleFunc("GET /me", func(w http.ResponseWriter, r *http.Request) {
		user := sessions.GetString(r.Context(), "user")
		if user == "" {
			http.Error(w, "log in", http.StatusUnauthorized)
			return
		}
		fmt.Fprintln(w, user, sessions.GetString(r.Context(), "cart"))
	})
	return sessions.LoadAndSave(mux)
}

const cart = session.Key[string]("cart")

func withSessions(sessions *session.Manager) http.Handler {
	guard := &middleware.Guard{Authenticator: sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.PostFormValue("user")
		if !isPassword(user, r.PostFormValue("password")) {
			http.Error(w, "wrong password", http.StatusUnauthorized)
			return
		}
		if err := sessions.Login(w, r, auth.Identity{Subject: user}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.HandleFunc("POST /logout", func(w http.ResponseWriter, r *http.Request) {
		if err := sessions.Logout(w, r); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.HandleFunc("POST /cart", func(w http.ResponseWriter, r *http.Request) {
		if err := put(sessions, w, r, r.PostFormValue("item")); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.Handle("GET /me", guard.Require(http.HandlerFunc(me)))
	return mux
}

func put(sessions *session.Manager, w http.ResponseWriter, r *http.Request, item string) error {
	s, err := sessions.Ensure(w, r) // visitors have a cart, too
	if err != nil {
		return err
	}
	return sessions.Update(r.Context(), s, func(s *session.Session) error {
		return cart.Set(s, item)
	})
}

func me(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	item, err := cart.Get(id.Credential.(*session.Session))
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	fmt.Fprintln(w, id.Subject, item)
}

// sessionsLikeSCS keeps the defaults of scs: a login lasts 24 hours, used or not, and its cookie
// outlives the browser.
func sessionsLikeSCS(s store.Store) (*session.Manager, error) {
	return session.New(session.Config{
		Store:  s,
		Cookie: cookie.Session().MaxAge(24 * time.Hour),
		Limits: auth.Limits{IdleTimeout: 24 * time.Hour},
	})
}

// move returns the new program, with the take-over in front of it.
func move(old *scs.SessionManager, sessions *session.Manager, s store.Store, until time.Time) http.Handler {
	over := &takeOver{
		logins: sessions, store: s, until: until,
		cookie: old.Cookie.Name, read: readSCS(old, sessions),
	}
	return over.wrap(withSessions(sessions))
}

func Example() {
	old := scs.New() // as before, with its store
	s := &store.Memory{}
	sessions, err := session.New(session.Config{Store: s}) // or sessionsLikeSCS(s)
	if err != nil {
		log.Fatal(err)
	}
	until := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	log.Fatal(http.ListenAndServe("localhost:8080", move(old, sessions, s, until)))
}

func readSCS(old *scs.SessionManager, sessions *session.Manager) func(*http.Request) (oldLogin, error) {
	return func(r *http.Request) (oldLogin, error) {
		c, err := r.Cookie(old.Cookie.Name)
		if err != nil {
			return oldLogin{}, nil
		}
		ctx, err := old.Load(r.Context(), c.Value)
		if err != nil {
			return oldLogin{}, err // the old store is down: 503, and the cookie stays
		}
		expires := old.Deadline(ctx) // the move extends no login
		if !old.Cookie.Persist && !old.GetBool(ctx, "__rememberMe") {
			// RememberMe was not called: this login is not to be remembered either.
			expires = time.Now().Add(min(time.Until(expires), 24*time.Hour))
		}
		return oldLogin{
			Identity: auth.Identity{
				Subject:  userOfSCS(old, ctx),
				AuthTime: time.Unix(1, 0), // not known: RequireRecent asks for a login
				Expires:  expires,
			},
			// A column of MySQL finds an ID in any case and with spaces behind it.
			once: []byte(strings.ToLower(strings.TrimRight(c.Value, " "))),
			keep: func(w http.ResponseWriter, r *http.Request) error {
				return keepSCS(sessions, w, r, old.GetString(ctx, "cart"), old.GetInt64(ctx, "visits"))
			},
		}, nil
	}
}

// userOfSCS returns the ID of the user, which some programs keep as an int64.
func userOfSCS(old *scs.SessionManager, ctx context.Context) string {
	if id := old.GetInt64(ctx, "userID"); id != 0 {
		return strconv.FormatInt(id, 10)
	}
	return old.GetString(ctx, "user")
}

const visits = session.Key[int64]("visits")

// A session takes 32 KiB of values, as JSON with their names. Half of it may move, so that
// the rest is free for what the visitor has put into the new session.
const mostToKeep = 16 << 10

// keepSCS moves several values in one write. Values that cannot move do not prevent the login.
func keepSCS(sessions *session.Manager, w http.ResponseWriter, r *http.Request, item string, visited int64) error {
	text, err := json.Marshal([]any{item, visited})
	if item == "" && visited == 0 || err != nil || len(text) > mostToKeep || !utf8.ValidString(item) {
		return nil
	}
	s, err := sessions.Ensure(w, r)
	if err != nil {
		return err
	}
	return sessions.Update(r.Context(), s, func(s *session.Session) error {
		return errors.Join(cart.Set(s, item), visits.Set(s, visited))
	})
}
