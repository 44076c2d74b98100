package token

import (
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

// fresh returns an access token to send. It refreshes if there is none, if it
// is time, or if the newest is refused, which an API has answered with a 401;
// a 401 that is late only gets what is newer already.
func (t *Transport) fresh(ctx context.Context, refused string) (string, error) {
	t.mu.Lock()
	now := time.Now()
	state := t.state()
	switch {
	case state.RefreshToken == "":
		t.mu.Unlock()
		return "", ErrLoginEnded
	case state.AccessToken != refused && now.Before(state.RefreshAfter):
		t.mu.Unlock()
		return state.AccessToken, nil
	}
	usable := state.AccessToken != refused && now.Before(state.Expires)
	if now.Before(t.retryAt) {
		t.mu.Unlock()
		if usable {
			return state.AccessToken, nil
		}
		return "", errors.New("token: refresh: it has failed a moment ago")
	}
	if t.pending == nil {
		t.begin()
	}
	pending := t.pending
	t.mu.Unlock()

	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-pending.done:
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.state().RefreshToken == "":
		return "", ErrLoginEnded
	case pending.err != nil && !usable:
		return "", pending.err
	}
	return t.state().AccessToken, nil
}

// begin lets a refresh start, on a context of its own: those who wait for it may
// give up.
func (t *Transport) begin() {
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
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
		var b [16]byte
		rand.Read(b[:])
		next.Attempt = base64.RawURLEncoding.EncodeToString(b[:])
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
	over := errors.Is(err, auth.ErrUnauthenticated)
	if sent.Attempt != "" && (err == nil || over) {
		switch {
		case t.overtaken(sent.RefreshToken):
			err = nil
		case over:
			t.forget() // what may stay in the file is dead
			err = nil
		default:
			err = t.keep(newClientState(tokens, time.Now()))
		}
	}
	if err != nil {
		t.backOff(err)
		f.err = fmt.Errorf("token: refresh: %w", err)
		return
	}
	t.backoff = 0
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
