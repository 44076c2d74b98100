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
	APIs    map[string]string  `json:"apis"`   // their origins, by name
	Limits  map[string]float64 `json:"limits"` // in seconds
	Session modeState          `json:"session"`
	Token   modeState          `json:"token"`
	Steps   []*step            `json:"steps"` // oldest first
}

// modeState is the state of a mode in this browser, on the server and at the thief.
type modeState struct {
	Attributes   []string `json:"attributes"` // of the cookie
	Cookie       string   `json:"cookie"`     // its value, shortened; empty without a cookie
	Login        *login   `json:"login"`      // of this browser, in the store, or nil
	Logins       []login  `json:"logins"`     // of the subject, oldest first
	Stolen       []stolen `json:"stolen"`
	Disconnected bool     `json:"disconnected"` // the store
	Rest         int64    `json:"rest"`         // how long a refresh returns the same refresh token
}

type login struct {
	ID       string `json:"id"`
	Subject  string `json:"subject"`
	Since    int64  `json:"since"`
	Used     int64  `json:"used"`
	IdleLeft int64  `json:"idleLeft"`
	Left     int64  `json:"left"`
	Here     bool   `json:"here"` // it belongs to this browser
}

// stolen is a credential that the thief has.
type stolen struct {
	What  string `json:"what"`
	Value string `json:"value"` // shortened
	Left  int64  `json:"left"`  // until an access token expires
	Live  bool   `json:"live"`  // the login is in the store
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
	s := state{
		Known: known, Label: v.label, APIs: map[string]string{"a": d.at.a, "b": d.at.b},
		Limits: map[string]float64{
			"access": d.limits.access.Seconds(), "grace": d.limits.grace.Seconds(),
			"idle": d.limits.idle.Seconds(), "lifetime": d.limits.lifetime.Seconds(),
		},
		Session: cookieState(r, sessionCookie), Token: cookieState(r, refreshCookie),
	}
	errSession := d.look(r.Context(), v, &s.Session, sessionMode, d.sessions)
	errToken := d.look(r.Context(), v, &s.Token, tokenMode, d.tokens)
	if err := cmp.Or(errSession, errToken); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	v.mu.Lock()
	s.Session.addStolen(v, sessionCredential)
	s.Token.addStolen(v, accessCredential, refreshCredential)
	s.Session.Disconnected, s.Token.Disconnected = v.disconnected[sessionMode], v.disconnected[tokenMode]
	s.Token.Rest = max(0, d.limits.grace-time.Since(v.renewed)).Milliseconds()
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

// look lists the logins of a mode, oldest first, of the subject of this browser's login.
func (d *demo) look(ctx context.Context, v *visitor, m *modeState, mode string, logins interface {
	Logins(ctx context.Context, subject string) ([]auth.Login, error)
}) error {
	v.mu.Lock()
	mine := v.logins[mode]
	v.mu.Unlock()
	if mine.Subject == "" {
		return nil
	}
	list, err := logins.Logins(ctx, mine.Subject)
	if err != nil {
		return err
	}
	for _, l := range list {
		m.Logins = append(m.Logins, d.newLogin(mine.Subject, l, mine.LoginID))
	}
	slices.SortStableFunc(m.Logins, func(a, b login) int { return cmp.Compare(a.Since, b.Since) })
	for i, l := range m.Logins {
		if l.Here {
			m.Login = &m.Logins[i]
		}
	}
	return nil
}

func (d *demo) newLogin(subject string, l auth.Login, mine string) login {
	idle := l.LastUsed.Add(d.limits.idle)
	if l.Expires.Before(idle) {
		idle = l.Expires
	}
	return login{
		ID: l.ID, Subject: subject, Here: l.ID == mine,
		Since: l.AuthTime.UnixMilli(), Used: l.LastUsed.UnixMilli(),
		IdleLeft: time.Until(idle).Milliseconds(), Left: time.Until(l.Expires).Milliseconds(),
	}
}

// addStolen lists what the thief has. The caller holds the lock of v.
func (m *modeState) addStolen(v *visitor, credentials ...string) {
	for _, what := range credentials {
		l, ok := v.stolen[what]
		if !ok {
			continue
		}
		live := slices.ContainsFunc(m.Logins, func(login login) bool { return login.ID == l.loginID })
		s := stolen{What: what, Value: legible(l.value), Live: live}
		if what == accessCredential {
			s.Left = max(0, time.Until(expiry(l.value))).Milliseconds()
		}
		m.Stolen = append(m.Stolen, s)
	}
}

// cookieState returns the cookie that the browser has sent, with its policy.
func cookieState(r *http.Request, policy cookie.Policy) modeState {
	value, _, _ := policy.Read(r)
	m := modeState{Cookie: legible(value)}
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
