package main

import (
	"context"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/authlatch/auth"
)

// step is the effect of one button, or of loading the page.
type step struct {
	ID        string      `json:"id"`
	Time      int64       `json:"time"` // in ms since 1970
	Exchanges []*exchange `json:"exchanges"`
}

// exchange is a request and its response as the server saw them, without secrets. An
// exchange without both records that the thief has copied a credential, or that the store
// was disconnected or connected.
type exchange struct {
	visitor *visitor

	From     string  `json:"from"`         // "browser", "thief", "site" or "store"
	At       string  `json:"at,omitempty"` // "login", "a" or "b"
	Copied   *string `json:"copied,omitempty"`
	What     string  `json:"what,omitempty"` // was copied, or happened to the store
	Method   string  `json:"method,omitempty"`
	Path     string  `json:"path,omitempty"`
	Sent     []field `json:"sent,omitempty"`
	Status   int     `json:"status,omitempty"`
	Received []field `json:"received,omitempty"`
	Body     string  `json:"body,omitempty"`
	Claims   string  `json:"claims,omitempty"` // of the access token in the body
	Reads    int     `json:"reads"`            // of the store
	Writes   int     `json:"writes"`
	Events   []event `json:"events,omitempty"`
}

// field is a header line. aside means that it was sent but not read.
type field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	Aside bool   `json:"aside,omitempty"`
}

// event is an event of a mode during an exchange.
type event struct {
	Kind    string `json:"kind"`
	Subject string `json:"subject,omitempty"`
	LoginID string `json:"login,omitempty"`
	Reason  string `json:"reason,omitempty"`
}

const (
	maxSteps     = 40  // of a visitor
	maxExchanges = 12  // of a step
	maxEvents    = 12  // of an exchange
	maxLines     = 12  // of the header of a request or a response
	maxText      = 300 // bytes of a body or a header, as shown
	maxSeen      = 8 << 10
)

// stepHeader names the step to which a request of the page belongs.
const stepHeader = "Demo-Step"

var stepID = regexp.MustCompile(`^[a-z]{2,12}-(session|token)-[0-9a-f]{16}$`)

type exchangeKey struct{}

// record records the exchanges of visitors with a server. The thief, the other site, and
// calls of an API by token have no visitor cookie, so their query has the label. Requests
// without either are served too.
func (d *demo) record(at string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v, id := d.visitors.of(r), r.Header.Get(stepHeader)
		if label := r.URL.Query().Get("visitor"); label != "" {
			v, id = d.visitors.labelled(label), r.URL.Query().Get("step")
		}
		if v == nil || !stepID.MatchString(id) {
			next.ServeHTTP(w, r)
			return
		}
		x := &exchange{visitor: v, From: sender(r), At: at, Method: r.Method, Path: legible(r.URL.Path), Sent: sent(r)}
		watched := &watcher{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(watched, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x)))
		v.mu.Lock()
		defer v.mu.Unlock()
		x.Status, x.Body, x.Claims = watched.status, legible(string(watched.body)), claims(watched.body)
		x.Received = fields(watched.Header(), "Set-Cookie", "WWW-Authenticate", "Location", "Cache-Control", "Vary")
		v.file(id, x)
	})
}

// note writes into the record of the exchange in a context. Requests without one, such as
// for the state of the page, are not recorded.
func note(ctx context.Context, write func(x *exchange)) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return
	}
	x.visitor.mu.Lock()
	defer x.visitor.mu.Unlock()
	write(x)
}

// noteEvent is the hook for events of both modes.
func noteEvent(ctx context.Context, e auth.Event) {
	note(ctx, func(x *exchange) {
		if len(x.Events) < maxEvents {
			x.Events = append(x.Events, event{string(e.Kind), e.Subject, e.LoginID, e.Reason})
		}
		switch e.Kind {
		case auth.EventLogin:
			x.visitor.logins[e.Source] = e
		case auth.EventRenewed:
			x.visitor.renewed = e.Time
		}
	})
}

// file adds an exchange to its step, and creates the step if necessary. The caller holds
// the lock.
func (v *visitor) file(id string, x *exchange) {
	var s *step
	for _, old := range v.steps {
		if old.ID == id {
			s = old
		}
	}
	if s == nil {
		s = &step{ID: id, Time: time.Now().UnixMilli()}
		v.steps = append(v.steps, s)
		if len(v.steps) > maxSteps {
			v.steps = v.steps[1:]
		}
	}
	if len(s.Exchanges) < maxExchanges {
		s.Exchanges = append(s.Exchanges, x)
	}
}

func sender(r *http.Request) string {
	switch {
	case r.UserAgent() == thiefAgent:
		return "thief"
	case r.Header.Get("Sec-Fetch-Site") == "cross-site":
		return "site"
	}
	return "browser"
}

// sent returns the relevant headers of a request. The Cookie header is shown as a line for
// each cookie of the two modes, and as an empty line if there is none.
func sent(r *http.Request) []field {
	own := cookieOf(r.URL.Path)
	var lines []field
	for _, c := range r.Cookies() {
		if c.Name == sessionCookie.Name() || c.Name == refreshCookie.Name() {
			lines = append(lines, field{"Cookie", c.Name + "=" + legible(c.Value), c.Name != own})
		}
	}
	if lines == nil {
		lines = append(lines, field{Name: "Cookie"})
	}
	lines = append(lines, fields(r.Header, "Authorization", "Origin", "Sec-Fetch-Site", "Refresh-Attempt", "Access-Control-Request-Headers")...)
	return slices.Clone(lines[:min(len(lines), maxLines)])
}

// cookieOf returns the name of the cookie that a path reads. An API of tokens
// reads none.
func cookieOf(path string) string {
	switch path {
	case "/token/login", "/token/refresh", "/token/logout":
		return refreshCookie.Name()
	}
	if strings.HasPrefix(path, "/token/") {
		return ""
	}
	return sessionCookie.Name()
}

// claims returns the claims of an access token in a body. They are signed, and not secret
// to the holder of the token.
func claims(body []byte) string {
	var tokens struct {
		Access string `json:"access_token"`
	}
	if json.Unmarshal(body, &tokens) != nil {
		return ""
	}
	return legible(string(payload(tokens.Access)))
}

func fields(h http.Header, names ...string) (lines []field) {
	for _, name := range names {
		for _, value := range h.Values(name) {
			lines = append(lines, field{Name: name, Value: legible(value)})
		}
	}
	return slices.Clone(lines[:min(len(lines), maxLines)])
}

var secret = regexp.MustCompile(`[A-Za-z0-9_.-]{32,}`)

// legible shortens all words that are long enough to be a secret, and the text itself. The
// rest of a secret identifies it and cannot authenticate a request.
func legible(text string) string {
	text = text[:min(maxSeen, len(text))]
	text = secret.ReplaceAllStringFunc(text, func(s string) string { return s[:4] + "…" + s[len(s)-6:] })
	if len(text) > maxText {
		text = text[:maxText] + "…"
	}
	return strings.ToValidUTF8(text, "�")
}

// watcher records the status and the beginning of a body.
type watcher struct {
	http.ResponseWriter
	status int // 200 unless the handler sets another
	body   []byte
}

func (w *watcher) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *watcher) Write(b []byte) (int, error) {
	room := max(0, maxSeen-len(w.body))
	w.body = append(w.body, b[:min(room, len(b))]...)
	return w.ResponseWriter.Write(b)
}

// Unwrap implements the contract of [http.ResponseController].
func (w *watcher) Unwrap() http.ResponseWriter { return w.ResponseWriter }
