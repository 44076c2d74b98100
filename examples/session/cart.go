package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

// cart is what a visitor or a customer has put into it. A session keeps it.
const cart = session.Key[[]string]("cart")

const (
	maxItems = 20
	maxItem  = 40 // bytes
)

var errFull = errors.New("the cart is full")

// addToCart is open to everybody: it makes a session for a visitor who has
// none. Log-in takes the cart over.
func (s *shop) addToCart(w http.ResponseWriter, r *http.Request) {
	item := strings.TrimSpace(r.PostFormValue("item"))
	if item == "" || len(item) > maxItem {
		http.Error(w, "an item is one to 40 letters", http.StatusBadRequest)
		return
	}
	visit, err := s.sessions.Ensure(w, r)
	if err == nil {
		err = s.sessions.Update(r.Context(), visit, func(visit *session.Session) error {
			return add(visit, item)
		})
	}
	switch {
	case errors.Is(err, errFull):
		http.Error(w, err.Error(), http.StatusConflict)
	case err != nil:
		middleware.Deny(w, r, err)
	default:
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

// add runs inside of Update, which repeats it if another request was faster.
func add(visit *session.Session, item string) error {
	items, err := cart.Get(visit)
	if err != nil {
		return err
	}
	if len(items) >= maxItems {
		return errFull
	}
	return cart.Set(visit, append(items, item))
}

// home shows the cart of whoever comes, and the log-in form to who may need it.
func (s *shop) home(w http.ResponseWriter, r *http.Request) {
	s.showHome(w, r, http.StatusOK, r.URL.Query().Get("next"))
}

func (s *shop) showHome(w http.ResponseWriter, r *http.Request, status int, next string) {
	p := page{Next: middleware.SafeNext(next), Wrong: status == http.StatusUnauthorized}
	id, visit, err := s.visitor(r)
	if err == nil && visit != nil {
		p.Cart, err = cart.Get(visit)
	}
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	p.Subject = id.Subject
	show(w, status, "home", p)
}

// visitor returns who looks at a public page. The subject is empty if nobody
// is logged in, and the session is nil if there is none. Other pages leave this
// to the guard.
func (s *shop) visitor(r *http.Request) (auth.Identity, *session.Session, error) {
	visit, err := s.sessions.Get(r)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return auth.Identity{}, nil, nil
	}
	if err != nil || visit.Anonymous() {
		return auth.Identity{}, visit, err
	}
	id, err := s.sessions.Authenticate(r)
	if errors.Is(err, auth.ErrUnauthenticated) {
		return auth.Identity{}, nil, nil
	}
	return id, visit, err
}
