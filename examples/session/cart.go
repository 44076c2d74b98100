package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

// cart is the cart of a visitor or a customer. The session stores it.
const cart = session.Key[[]string]("cart")

const (
	maxItems = 20
	maxItem  = 40 // bytes
)

var errFull = errors.New("the cart is full")

// addToCart needs no login: it creates a session for a visitor without one. Login keeps
// the cart.
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

// add runs within Update, which repeats it after a concurrent change.
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

// home shows the cart of the visitor, and the login form to users who are not logged in.
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

// visitor returns the subject and the session of a request for a public page. The subject
// is empty if the visitor is not logged in, and the session is nil if there is none. On
// other pages the guard does this.
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
