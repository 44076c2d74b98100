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

// flight is a refresh that is under way, or over.
type flight struct {
	done chan struct{} // closed when it is over
	err  error
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
	state := t.state
	switch {
	case state.RefreshToken == "":
		t.mu.Unlock()
		return "", ErrSessionEnded
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
		t.pending = &flight{done: make(chan struct{})}
		go t.refresh(t.pending, t.epoch)
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
	case t.state.RefreshToken == "":
		return "", ErrSessionEnded
	case pending.err != nil && !usable:
		return "", pending.err
	}
	return t.state.AccessToken, nil
}

// refresh carries out a flight, on a context of its own: those who wait may
// give up. Its result counts only for the log-in that it was begun for.
func (t *Transport) refresh(f *flight, epoch int) {
	defer close(f.done)
	ctx, cancel := context.WithTimeout(context.Background(), refreshTimeout)
	defer cancel()
	refreshToken, attempt, err := t.prepare(f, epoch)
	if err != nil || refreshToken == "" {
		t.land(f, epoch, Tokens{}, time.Now(), err)
		return
	}
	tokens, err := t.config.Refresh(ctx, refreshToken, attempt)
	if err == nil && (tokens.AccessToken == "" || tokens.RefreshToken == "") {
		err = errors.New("the answer has no tokens")
	}
	t.land(f, epoch, tokens, time.Now(), err)
}

// prepare returns what to refresh with, or nothing if another process has done
// it: its tokens are adopted.
func (t *Transport) prepare(f *flight, epoch int) (refreshToken, attempt string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != epoch {
		return "", "", nil
	}
	if kept, err := t.load(); err == nil && kept.RefreshToken != "" && kept.Generation >= t.state.Generation {
		newer := kept.Generation > t.state.Generation
		t.state = kept
		if newer && time.Now().Before(kept.RefreshAfter) {
			return "", "", nil
		}
	}
	if t.state.Attempt == "" {
		var b [16]byte
		rand.Read(b[:])
		t.state.Attempt = base64.RawURLEncoding.EncodeToString(b[:])
		if err := t.save(); err != nil {
			return "", "", err
		}
	}
	return t.state.RefreshToken, t.state.Attempt, nil
}

// land ends a flight with what has come of it.
func (t *Transport) land(f *flight, epoch int, tokens Tokens, received time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.epoch != epoch {
		return // another log-in, or none, since
	}
	t.pending = nil
	switch {
	case errors.Is(err, auth.ErrUnauthenticated):
		t.epoch++
		t.state = clientState{}
		err = errors.Join(ErrSessionEnded, t.save())
	case err != nil:
		t.backoff = min(max(2*t.backoff, leastBackoff), mostBackoff)
		t.retryAt = received.Add(t.backoff)
		err = fmt.Errorf("token: refresh: %w", err)
	case tokens.RefreshToken != "":
		t.state, t.backoff = newClientState(tokens, received), 0
		err = t.save()
	}
	f.err = err
}

// load reads the file, if there is one.
func (t *Transport) load() (state clientState, err error) {
	if t.config.File == "" {
		return t.state, nil
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

// save replaces the file, if there is one.
func (t *Transport) save() error {
	if t.config.File == "" {
		return nil
	}
	if t.state.RefreshToken == "" {
		if err := os.Remove(t.config.File); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("token: forget the tokens in the file: %w", err)
		}
		return nil
	}
	text, err := json.Marshal(t.state)
	if err == nil {
		err = replaceFile(t.config.File, text)
	}
	if err != nil {
		return fmt.Errorf("token: keep the tokens in the file: %w", err)
	}
	return nil
}
