package main

import (
	"net/http"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// logoutOne revokes one of the user's logins, perhaps the current one.
func (s *site) logoutOne(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	if err := s.sessions.LogoutOne(r.Context(), id.Subject, r.PostFormValue("id")); err != nil {
		return err
	}
	return s.flash(w, r, "/account", "That device is logged out.")
}

// logoutEverywhere revokes all logins. Logout then deletes the cookie of this browser.
func (s *site) logoutEverywhere(w http.ResponseWriter, r *http.Request) error {
	id, _ := auth.FromContext(r.Context())
	if err := s.sessions.LogoutAll(r.Context(), id.Subject); err != nil {
		return err
	}
	if err := s.sessions.Logout(w, r); err != nil {
		return err
	}
	middleware.ClearSiteData(w.Header())
	return s.flash(w, r, "/", "You are logged out everywhere.")
}

// device describes the browser of a login for the list of devices.
func (s *site) device(r *http.Request) (userAgent, address string) {
	if from := middleware.ClientAddress(r, s.proxies...); from.IsValid() {
		address = from.String()
	}
	return browser(r.UserAgent()), address
}

// browser summarizes a User-Agent header. Most browsers also name others, so the order
// matters.
func browser(userAgent string) string {
	name := firstIn(userAgent, "another program", "Edg", "Firefox", "Chrome", "Safari", "curl")
	if name == "Edg" {
		name = "Edge"
	}
	if system := firstIn(userAgent, "", "Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux"); system != "" {
		name += " on " + system
	}
	return name
}

func firstIn(text, otherwise string, words ...string) string {
	for _, word := range words {
		if strings.Contains(text, word) {
			return word
		}
	}
	return otherwise
}
