package token

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/authlatch/auth"
)

// clientState is what a Transport knows and keeps in its file.
type clientState struct {
	Login        string    `json:"login,omitempty"`    // a name that Transport.Login makes up
	LoginID      string    `json:"login_id,omitempty"` // as the issuer says it, if it does
	AccessToken  string    `json:"access_token"`
	RefreshToken string    `json:"refresh_token"`
	Generation   uint64    `json:"gen"`
	Expires      time.Time `json:"expires"`       // of the access token, by our clock
	RefreshAfter time.Time `json:"refresh_after"` // likewise

	// Attempt is that of a refresh that has no answer yet. It is kept before the
	// refresh is sent: with it a lost answer can be got again, however late.
	Attempt string `json:"attempt,omitempty"`
}

func newClientState(tokens Tokens, received time.Time) clientState {
	return clientState{
		LoginID:     tokens.LoginID,
		AccessToken: tokens.AccessToken, RefreshToken: tokens.RefreshToken, Generation: tokens.Generation,
		Expires:      received.Add(time.Duration(tokens.ExpiresIn) * time.Second),
		RefreshAfter: received.Add(time.Duration(tokens.RefreshAfter) * time.Second),
	}
}

func (t *Transport) set(state clientState) { t.state = func() clientState { return state } }

// flight is a refresh that is under way, or over. It counts as long as it is
// the pending one of its Transport.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is over
	err    error         // why there are no new tokens, though the log-in goes on
}

const (
	refreshTimeout = 10 * time.Second
	leastBackoff   = time.Second
	mostBackoff    = time.Minute
)

// fresh returns an access token to send for a login. It refreshes if there is
// none, if it is time, or if the newest is refused, which an API has answered
// with a 401; a 401 that is late only gets what is newer already.
func (t *Transport) fresh(ctx context.Context, login, refused string) (string, error) {
	usable, pending, err := t.present(login, refused)
	if pending == nil {
		return usable, err
	}
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-pending.done:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	state := t.state()
	if err := state.ended(login); err != nil {
		return "", err
	}
	if pending.err != nil && usable == "" {
		return "", pending.err
	}
	return state.AccessToken, nil
}

// present returns the access token, if it need not be refreshed now. Otherwise
// it returns the refresh that is under way, and the token to go on with if that
// fails, if there is one.
func (t *Transport) present(login, refused string) (usable string, pending *flight, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, state := time.Now(), t.state()
	if err := state.ended(login); err != nil {
		return "", nil, err
	}
	if state.AccessToken != refused && now.Before(state.Expires) {
		usable = state.AccessToken
	}
	switch {
	case usable != "" && now.Before(state.RefreshAfter):
		return usable, nil, nil
	case now.Before(t.retryAt) && usable != "":
		return usable, nil, nil
	case now.Before(t.retryAt):
		return "", nil, errors.New("token: refresh: it has failed a moment ago")
	case t.pending == nil:
		t.begin()
	}
	return usable, t.pending, nil
}

// ended returns why a request of a login must not be sent, or nil.
func (s clientState) ended(login string) error {
	switch {
	case s.RefreshToken == "":
		return ErrLoginEnded
	case s.Login != login:
		return ErrLoginReplaced
	}
	return nil
}

// login names the login of requests that begin now. Where a refresh is due, that
// is the one that another process may have put into the file.
func (t *Transport) login() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending == nil && !time.Now().Before(t.state().RefreshAfter) {
		t.overtaken(t.state().RefreshToken)
	}
	return t.state().Login
}

// refreshOf is the key of a context value: a request with that context belongs
// to a refresh of the Transport, and must not wait for it.
type refreshOf struct{ transport *Transport }

// begin lets a refresh start, on a context of its own: those who wait for it may
// give up.
func (t *Transport) begin() {
	ctx := context.WithValue(context.Background(), refreshOf{t}, true)
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	t.pending = &flight{cancel: cancel, done: make(chan struct{})}
	go t.refresh(ctx, t.pending)
}

// discard forgets what belongs to a log-in that is no longer ours.
func (t *Transport) discard() {
	if t.pending != nil {
		t.pending.cancel()
	}
	t.pending, t.retryAt, t.backoff = nil, time.Time{}, 0
}

func (t *Transport) refresh(ctx context.Context, f *flight) {
	defer close(f.done)
	defer f.cancel()
	sent, err := t.prepare(f)
	var tokens Tokens
	if err == nil && sent.Attempt != "" {
		tokens, err = t.config.Refresh(ctx, sent.RefreshToken, sent.Attempt)
		if err == nil && (tokens.AccessToken == "" || tokens.RefreshToken == "") {
			err = errors.New("the answer has no tokens")
		}
	}
	t.land(f, sent, tokens, err)
}

// prepare returns what to refresh with, its attempt kept. It has no attempt if
// there is nothing to do: another process has done it, or the log-in is over.
func (t *Transport) prepare(f *flight) (clientState, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != f {
		return clientState{}, nil
	}
	if t.overtaken(t.state().RefreshToken) && (t.state().RefreshToken == "" || time.Now().Before(t.state().RefreshAfter)) {
		return clientState{}, nil
	}
	if t.state().Attempt == "" {
		next := t.state()
		next.Attempt = random()
		if err := t.keep(next); err != nil {
			return clientState{}, err
		}
	}
	return t.state(), nil
}

// land ends a flight with what has come of it.
func (t *Transport) land(f *flight, sent clientState, tokens Tokens, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != f {
		return // another log-in, or none, since
	}
	t.pending = nil
	over := errors.Is(err, auth.ErrUnauthenticated) || err == nil && anotherLogin(sent, tokens)
	if sent.Attempt != "" && (err == nil || over) {
		switch {
		case t.overtaken(sent.RefreshToken):
			err = nil
		case over:
			t.forget() // what may stay in the file is dead
			err = nil
		default:
			next := newClientState(tokens, time.Now())
			next.Login, next.LoginID = sent.Login, cmp.Or(tokens.LoginID, sent.LoginID)
			err = t.keep(next)
		}
	}
	if err != nil {
		t.backOff(err)
		f.err = fmt.Errorf("token: refresh: %w", err)
		return
	}
	t.backoff = 0
}

// anotherLogin reports whether a refresh was answered with the tokens of another
// login, as by a cache that mixes up its users. They are not used, and since the
// refresh token of this login is used up, it is over.
func anotherLogin(sent clientState, tokens Tokens) bool {
	return sent.LoginID != "" && tokens.LoginID != "" && sent.LoginID != tokens.LoginID
}

// random returns 128 bits as text.
func random() string {
	var b [16]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// backOff says when the next refresh may be, after one that has failed.
func (t *Transport) backOff(err error) {
	t.backoff = min(max(2*t.backoff, leastBackoff), mostBackoff)
	wait := t.backoff
	var status *statusError
	if errors.As(err, &status) {
		wait = min(max(wait, status.retryAfter), mostBackoff)
	}
	t.retryAt = time.Now().Add(wait)
}

// overtaken takes over what stands in the file, and reports whether another
// process has put it there since known did: newer tokens, those of another
// log-in, or none, after a log-out.
func (t *Transport) overtaken(known string) bool {
	kept, err := t.load()
	if err != nil {
		return false
	}
	t.set(kept)
	return kept.RefreshToken != known
}

// load reads the file, if there is one.
func (t *Transport) load() (state clientState, err error) {
	if t.config.File == "" {
		return t.state(), nil
	}
	text, err := readPrivate(t.config.File)
	if errors.Is(err, fs.ErrNotExist) {
		return clientState{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return clientState{}, fmt.Errorf("token: the tokens in the file: %w", err)
	}
	return state, nil
}

// keep replaces the tokens, first those in the file, if there is one.
func (t *Transport) keep(state clientState) error {
	if t.config.File != "" {
		text, err := json.Marshal(state)
		if err == nil {
			err = replaceFile(t.config.File, text)
		}
		if err != nil {
			return fmt.Errorf("token: keep the tokens in the file: %w", err)
		}
	}
	t.set(state)
	return nil
}

// forget removes the tokens, and the file, if there is one.
func (t *Transport) forget() error {
	t.set(clientState{})
	if t.config.File == "" {
		return nil
	}
	if err := os.Remove(t.config.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("token: forget the tokens in the file: %w", err)
	}
	return nil
}
