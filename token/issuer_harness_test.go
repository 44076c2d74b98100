package token_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

const (
	gracePeriod   = 10 * time.Second // the default
	refreshCookie = "__Host-Http-refresh"
	accessCookie  = "__Host-Http-access"
)

var alice = auth.Identity{Subject: "alice"}

// cheapKeys sign by HMAC: these tests are not about signatures.
func cheapKeys(t testing.TB) *token.KeySet { return newKeys(t, token.HS256) }

// newIssuer makes an issuer, over a store of its own if none is given.
func newIssuer(t testing.TB, change ...func(*token.IssuerConfig)) *token.Issuer {
	t.Helper()
	c := token.IssuerConfig{Issuer: issuerName, Audience: audienceName, ClientID: "app"}
	for _, each := range change {
		each(&c)
	}
	if c.Keys == nil {
		c.Keys = cheapKeys(t)
	}
	if c.Store == nil {
		c.Store = &store.Memory{}
	}
	i, err := token.NewIssuer(c)
	must(t, err)
	return i
}

func over(s store.Store, keys *token.KeySet) func(*token.IssuerConfig) {
	return func(c *token.IssuerConfig) { c.Store, c.Keys = s, keys }
}

func reportTo(j *journal) func(*token.IssuerConfig) {
	return func(c *token.IssuerConfig) { c.Events = j.record }
}

func newAttempt() string {
	var b [16]byte
	rand.Read(b[:])
	return b64.EncodeToString(b[:])
}

func issued(t testing.TB, i *token.Issuer) token.Tokens {
	t.Helper()
	tokens, err := i.Issue(t.Context(), alice)
	must(t, err)
	return tokens
}

func refreshed(t testing.TB, i *token.Issuer, refreshToken string) token.Tokens {
	t.Helper()
	tokens, err := i.Refresh(t.Context(), refreshToken, newAttempt())
	must(t, err)
	return tokens
}

// ends is what a refresh comes to: "valid", or how it was refused.
func ends(i *token.Issuer, refreshToken string) string {
	tokens, err := i.Refresh(context.Background(), refreshToken, newAttempt())
	if err != nil && tokens != (token.Tokens{}) {
		return "tokens beside an error"
	}
	if errors.Is(err, token.ErrReused) {
		return "reused"
	}
	return outcome(err)
}

func wants(t testing.TB, i *token.Issuer, refreshToken, want string) {
	t.Helper()
	if got := ends(i, refreshToken); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// respell changes the bytes of a refresh token, and makes the check right.
func respell(text string, change func(b []byte)) string {
	const prefix = "authlatch_refresh_"
	b, err := b64.DecodeString(strings.TrimPrefix(text, prefix))
	if err != nil {
		panic(err)
	}
	b = b[:len(b)-4]
	change(b)
	b = binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b))
	return prefix + b64.EncodeToString(b)
}

func seedOf(text string) (seed [16]byte) {
	respell(text, func(b []byte) { copy(seed[:], b[1:17]) })
	return seed
}

func familyKeyOf(text string) string {
	return token.FamilyKey("", token.FamilyID(seedOf(text)))
}

// inBubble runs a test in which time passes by itself.
func inBubble(f func(t *testing.T)) func(*testing.T) {
	return func(t *testing.T) { synctest.Test(t, f) }
}

// meter is a store that counts, and lets a test into each call.
type meter struct {
	store.Memory
	mu     sync.Mutex
	gets   int
	swaps  int // that were tried
	writes int // that happened

	before func(op, key string) error // the call does not happen
	after  func(op, key string) error // it has happened
	saw    func(key string, old, new []byte)
}

func (m *meter) Get(ctx context.Context, key string) ([]byte, bool, error) {
	m.count(&m.gets)
	if err := m.enter(m.before, "get", key); err != nil {
		return nil, false, err
	}
	value, ok, err := m.Memory.Get(ctx, key)
	if err := m.enter(m.after, "get", key); err != nil {
		return nil, false, err
	}
	return value, ok, err
}

func (m *meter) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	m.count(&m.swaps)
	if err := m.enter(m.before, "swap", key); err != nil {
		return false, err
	}
	swapped, err := m.Memory.CompareAndSwap(ctx, key, old, new, ttl)
	if swapped {
		m.count(&m.writes)
		if m.saw != nil {
			m.saw(key, old, new)
		}
	}
	if err := m.enter(m.after, "swap", key); err != nil {
		return false, err
	}
	return swapped, err
}

// Delete is a write as a swap is.
func (m *meter) Delete(ctx context.Context, key string) error {
	if err := m.enter(m.before, "swap", key); err != nil {
		return err
	}
	err := m.Memory.Delete(ctx, key)
	if err := m.enter(m.after, "swap", key); err != nil {
		return err
	}
	return err
}

func (m *meter) count(n *int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	*n++
}

func (m *meter) enter(f func(op, key string) error, op, key string) error {
	if f == nil {
		return nil
	}
	return f(op, key)
}

// reset sets the counters to zero and returns what they were.
func (m *meter) reset() (gets, swaps, writes int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gets, swaps, writes = m.gets, m.swaps, m.writes
	m.gets, m.swaps, m.writes = 0, 0, 0
	return gets, swaps, writes
}

// journal keeps events.
type journal struct {
	mu     sync.Mutex
	events []auth.Event
}

func (j *journal) record(_ context.Context, e auth.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
}

// take returns the events so far, and forgets them.
func (j *journal) take() []auth.Event {
	j.mu.Lock()
	defer j.mu.Unlock()
	events := j.events
	j.events = nil
	return events
}

// kinds returns the kinds of the events so far, and forgets them.
func (j *journal) kinds() (kinds []auth.EventKind) {
	for _, e := range j.take() {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// wantsFault checks that the only event so far is the fault of a failed login.
func (j *journal) wantsFault(t testing.TB, rule, subject string, err error) {
	t.Helper()
	events := j.take()
	if len(events) != 1 || events[0].Kind != auth.EventFault || events[0].Err != err || events[0].Subject != subject || err == nil || !strings.HasPrefix(err.Error(), "token: log in: ") {
		t.Errorf("%s: %v emits %+v", rule, err, events)
	}
}

// browser keeps the cookies of one site.
type browser struct {
	refresh, access string
	attempt         string // of the next request; "" makes a new one
	userAgent       string
	header          http.Header    // more fields
	set             []*http.Cookie // what the last answer set
}

// request returns a request as the browser sends it.
func (b *browser) request(method, path string) *http.Request {
	r := httptest.NewRequest(method, "https://app.example"+path, nil)
	attempt := b.attempt
	if attempt == "" {
		attempt = newAttempt()
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set(token.AttemptHeader, attempt)
	r.Header.Set("User-Agent", b.userAgent)
	if b.refresh != "" {
		r.Header.Add("Cookie", refreshCookie+"="+b.refresh)
	}
	if b.access != "" {
		r.Header.Add("Cookie", accessCookie+"="+b.access)
	}
	for name, values := range b.header {
		r.Header[name] = values
	}
	return r
}

// post sends a POST, and obeys the answer.
func (b *browser) post(h http.Handler) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, b.request("POST", "/"))
	b.obey(w.Header())
	return w
}

func (b *browser) obey(h http.Header) {
	b.set = nil
	for _, field := range h["Set-Cookie"] {
		c, err := http.ParseSetCookie(field)
		if err != nil {
			panic(err)
		}
		b.set = append(b.set, c)
		value := c.Value
		if c.MaxAge < 0 {
			value = ""
		}
		switch c.Name {
		case refreshCookie:
			b.refresh = value
		case accessCookie:
			b.access = value
		}
	}
}

func (b *browser) login(i *token.Issuer, subject string) (*httptest.ResponseRecorder, error) {
	w := httptest.NewRecorder()
	err := i.Login(w, b.request("POST", "/login"), auth.Identity{Subject: subject})
	b.obey(w.Header())
	return w, err
}

// loggedIn returns a browser in which subject is logged in.
func loggedIn(t testing.TB, i *token.Issuer, subject string) *browser {
	t.Helper()
	b := &browser{}
	_, err := b.login(i, subject)
	must(t, err)
	return b
}
