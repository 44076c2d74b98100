package tokenclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
)

// flight is a refresh that is under way, or over. It counts as long as it is
// the pending one of its Transport.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is over
	err    error         // why there are no new tokens, though the login goes on
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
		return "", nil, errors.New("tokenclient: refresh: it has failed a moment ago")
	case t.pending == nil:
		t.begin()
	}
	return usable, t.pending, nil
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

// discard forgets what belongs to a login that is no longer ours.
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
// there is nothing to do: another process has done it, or the login is over.
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
		return // another login, or none, since
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
		f.err = fmt.Errorf("tokenclient: refresh: %w", err)
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
