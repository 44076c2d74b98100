package main

import (
	"net/http"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// devices lists the sessions of the user, the newest first.
func (s *shop) devices(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	list, err := s.sessions.Logins(r.Context(), id.Subject)
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	csrf, err := s.sessions.CSRFToken(w, r)
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	show(w, http.StatusOK, "devices", page{Subject: id.Subject, LoginID: id.LoginID, Devices: list, CSRF: csrf})
}

// logoutOne revokes one of the user's sessions, perhaps the current one. The guard refuses
// forms of other sites; the CSRF token proves that this form is from the page of devices.
func (s *shop) logoutOne(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	err := s.sessions.CheckCSRF(r)
	if err == nil {
		err = s.sessions.LogoutOne(r.Context(), id.Subject, r.PostFormValue("id"))
	}
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	http.Redirect(w, r, "/devices", http.StatusSeeOther)
}

// logoutEverywhere revokes all sessions. Logout then deletes the cookie of this browser.
func (s *shop) logoutEverywhere(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	err := s.sessions.LogoutAll(r.Context(), id.Subject)
	if err == nil {
		err = s.sessions.Logout(w, r)
	}
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// device describes the browser of a login for the list. It includes no address, because
// behind a proxy that would be the proxy's.
func device(r *http.Request) (userAgent, address string) {
	return browser(r.UserAgent()), ""
}

// browser summarizes a User-Agent header. Most browsers also name others, so the order
// matters.
func browser(userAgent string) string {
	name := firstIn(userAgent, "another program", "Edg", "Firefox", "Chrome", "Safari", "curl")
	if name == "Edg" {
		name = "Edge"
	}
	system := firstIn(userAgent, "", "Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
	if system == "" {
		return name
	}
	return name + " on " + system
}

func firstIn(text, otherwise string, words ...string) string {
	for _, word := range words {
		if strings.Contains(text, word) {
			return word
		}
	}
	return otherwise
}
