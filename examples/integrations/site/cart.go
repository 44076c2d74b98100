package main

import (
	"errors"
	"net/http"
	"slices"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
)

// cart is the cart of a visitor or a customer. The session stores it: in an anonymous
// session until the login, which takes it over.
const cart = session.Key[[]string]("cart")

const maxItems = 20

// addToCart needs no login: it creates a session for a visitor without one.
func (s *site) addToCart(w http.ResponseWriter, r *http.Request) error {
	item := r.PostFormValue("item")
	if !slices.Contains(goods, item) {
		return errItem
	}
	err := s.updateVisit(w, r, func(visit *session.Session) error {
		items, err := cart.Get(visit)
		if err != nil {
			return err
		}
		if len(items) >= maxItems {
			return errFull
		}
		return cart.Set(visit, append(items, item))
	})
	if err != nil {
		return err
	}
	return s.flash(w, r, "/", item+" is in your cart.")
}

func (s *site) emptyCart(w http.ResponseWriter, r *http.Request) error {
	if err := s.updateVisit(w, r, cart.Delete); err != nil {
		return err
	}
	return s.flash(w, r, "/", "Your cart is empty.")
}

// cartOf returns the cart of a user, or of a visitor who may have an anonymous session.
func (s *site) cartOf(r *http.Request, id auth.Identity) ([]string, error) {
	visit, ok := id.Credential.(*session.Session)
	if !ok {
		var err error
		visit, err = s.sessions.Get(r)
		if errors.Is(err, auth.ErrUnauthenticated) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return cart.Get(visit)
}

// updateVisit changes values in the session of a visitor or a user. change may be called
// several times, after concurrent changes.
func (s *site) updateVisit(w http.ResponseWriter, r *http.Request, change func(*session.Session) error) error {
	visit, err := s.sessions.Ensure(w, r)
	if err != nil {
		return err
	}
	return s.sessions.Update(r.Context(), visit, change)
}
