package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
)

// state is everything that the page shows, except for its own state. Times are in ms:
// remaining times are relative to the response, others since 1970.
type state struct {
	Known   bool               `json:"known"` // the browser has sent its cookies back
	Label   string             `json:"label"`
	Limits  map[string]float64 `json:"limits"` // in seconds
	Session modeState          `json:"session"`
	Token   modeState          `json:"token"`
	Logins  []login            `json:"logins"` // of the subject, oldest first
	Steps   []*step            `json:"steps"`  // oldest first
}

// modeState is the state of a mode in this browser and on the server.
type modeState struct {
	Name       string   `json:"name"`       // of the cookie
	Attributes []string `json:"attributes"` // of the cookie
	Cookie     string   `json:"cookie"`     // its value, shortened; empty without a cookie
	Login      *login   `json:"login"`      // in the store, or nil
	Stolen     string   `json:"stolen"`     // the thief's copy, shortened
}

type login struct {
	ID       string `json:"id"`
	Mode     string `json:"mode"`
	Subject  string `json:"subject"`
	Since    int64  `json:"since"`
	Used     int64  `json:"used"`
	IdleLeft int64  `json:"idleLeft"`
	Left     int64  `json:"left"`
	Here     bool   `json:"here"` // it belongs to this browser
}

// state responds with the current state. It does not use any login, so viewing the page
// does not extend one.
func (d *demo) state(w http.ResponseWriter, r *http.Request) {
	known := d.visitors.of(r) != nil
	v, err := d.visitors.welcome(w, r)
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	if err := d.remember(r, v); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	v.mu.Lock()
	mine := map[string]string{sessionMode: v.logins[sessionMode].LoginID, tokenMode: v.logins[tokenMode].LoginID}
	subjects := []string{v.logins[sessionMode].Subject, v.logins[tokenMode].Subject}
	v.mu.Unlock()
	s := state{
		Known: known, Label: v.label,
		Limits: map[string]float64{
			"access": d.limits.access.Seconds(), "grace": d.limits.grace.Seconds(),
			"idle": d.limits.idle.Seconds(), "lifetime": d.limits.lifetime.Seconds(),
		},
		Session: cookieState(r, sessionCookie), Token: cookieState(r, refreshCookie),
	}
	slices.Sort(subjects)
	for _, subject := range slices.Compact(subjects) {
		logins, err := d.logins(r.Context(), subject, mine)
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		s.Logins = append(s.Logins, logins...)
	}
	for i, l := range s.Logins {
		switch {
		case l.Here && l.Mode == sessionMode:
			s.Session.Login = &s.Logins[i]
		case l.Here:
			s.Token.Login = &s.Logins[i]
		}
	}
	v.mu.Lock()
	s.Session.Stolen, s.Token.Stolen = legible(v.stolen[sessionMode]), legible(v.stolen[tokenMode])
	s.Steps = v.steps
	text, err := json.Marshal(s) // concurrent requests may add steps later
	v.mu.Unlock()
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	writeJSON(w, json.RawMessage(text))
}

// remember looks up the session of the browser if the visitor's record does not have it:
// records are bounded and may have been dropped.
func (d *demo) remember(r *http.Request, v *visitor) error {
	v.mu.Lock()
	_, known := v.logins[sessionMode]
	v.mu.Unlock()
	if _, sent, _ := sessionCookie.Read(r); known || !sent {
		return nil
	}
	id, err := d.sessions.Authenticate(r)
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		return nil // the server does not know it any more
	case err != nil:
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.logins[sessionMode] = auth.Event{Subject: id.Subject, LoginID: id.LoginID}
	return nil
}

// logins lists the logins of a subject by both modes, oldest first.
func (d *demo) logins(ctx context.Context, subject string, mine map[string]string) (all []login, err error) {
	if subject == "" {
		return nil, nil
	}
	list, err := d.sessions.Logins(ctx, subject) // logins by token included
	if err != nil {
		return nil, err
	}
	for _, l := range list {
		all = append(all, d.newLogin(subject, l, mine))
	}
	slices.SortStableFunc(all, func(a, b login) int { return cmp.Compare(a.Since, b.Since) })
	return all, nil
}

func (d *demo) newLogin(subject string, l auth.Login, mine map[string]string) login {
	idle := l.LastUsed.Add(d.limits.idle)
	if l.Expires.Before(idle) {
		idle = l.Expires
	}
	mode := string(l.Kind)
	return login{
		ID: l.ID, Mode: mode, Subject: subject, Here: l.ID == mine[mode],
		Since: l.AuthTime.UnixMilli(), Used: l.LastUsed.UnixMilli(),
		IdleLeft: time.Until(idle).Milliseconds(), Left: time.Until(l.Expires).Milliseconds(),
	}
}

// cookieState returns the cookie that the browser has sent, with its policy.
func cookieState(r *http.Request, policy cookie.Policy) modeState {
	value, _, _ := policy.Read(r)
	m := modeState{Name: policy.Name(), Cookie: legible(value)}
	h := make(http.Header)
	if policy.Set(h, r, "probe") != nil {
		return m
	}
	c, err := http.ParseSetCookie(h.Get("Set-Cookie"))
	if err != nil {
		return m
	}
	if c.HttpOnly {
		m.Attributes = append(m.Attributes, "HttpOnly")
	}
	if c.Secure {
		m.Attributes = append(m.Attributes, "Secure")
	}
	switch c.SameSite {
	case http.SameSiteLaxMode:
		m.Attributes = append(m.Attributes, "SameSite=Lax")
	case http.SameSiteStrictMode:
		m.Attributes = append(m.Attributes, "SameSite=Strict")
	}
	return m
}

// hostname returns the host name in the request, and the port.
func hostname(r *http.Request) (name, port string) {
	name, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		return r.Host, ""
	}
	return name, ":" + port
}
