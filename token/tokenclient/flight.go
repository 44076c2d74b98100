package tokenclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/authlatch/auth"
)

// flight is a refresh, under way or completed. Its result is used only while it is the
// pending one of its Transport.
type flight struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is complete
	err    error         // why there are no new tokens, although the login has not ended
}

const (
	refreshTimeout = 10 * time.Second
	minBackoff     = time.Second
	maxBackoff     = time.Minute
)

// fresh returns an access token for a request of a login. It refreshes if there is no
// token, if a refresh is due, or if the newest token is refused, the token of a 401
// response. After a late 401 for an older token, it returns the newer token.
func (t *Transport) fresh(ctx context.Context, login, refused string) (string, error) {
	usable, pending, err := t.usableToken(login, refused)
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

// usableToken returns the access token if no refresh is due. Otherwise it returns the
// refresh that is under way, and the token to use if that fails, if there is one.
func (t *Transport) usableToken(login, refused string) (usable string, pending *flight, err error) {
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
		return "", nil, errors.New("tokenclient: refresh: the previous refresh has failed, and the next is not due yet")
	case t.pending == nil:
		t.begin()
	}
	return usable, t.pending, nil
}

// login returns the name of the login of requests that begin now. If a refresh is due,
// login reads the file first, because another process may have stored a newer login.
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

// begin starts a refresh on a context of its own, because the requests that wait for it
// may be canceled.
func (t *Transport) begin() {
	ctx := context.WithValue(context.Background(), refreshOf{t}, true)
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	t.pending = &flight{cancel: cancel, done: make(chan struct{})}
	go t.refresh(ctx, t.pending)
}

// discard cancels the pending refresh and clears the backoff, when the login changes.
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
			err = errors.New("the response has no tokens")
		}
	}
	t.land(f, sent, tokens, err)
}

// prepare returns the state to refresh with, after storing its attempt. The state has no
// attempt if no refresh is needed: another process has refreshed, or the login has
// ended.
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

// land completes a flight with its result.
func (t *Transport) land(f *flight, sent clientState, tokens Tokens, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != f {
		return // the login has been replaced or cleared since
	}
	t.pending = nil
	ended := errors.Is(err, auth.ErrUnauthenticated) || err == nil && anotherLogin(sent, tokens)
	if sent.Attempt != "" && (err == nil || ended) {
		switch {
		case t.overtaken(sent.RefreshToken):
			err = nil
		case ended:
			t.forget() // tokens that remain in the file cannot be refreshed
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

// anotherLogin reports whether the response to a refresh has the tokens of another
// login, for example from a cache that mixes up its users. These tokens are not used.
// The login of the Transport has ended then, because its refresh token has been used.
func anotherLogin(sent clientState, tokens Tokens) bool {
	return sent.LoginID != "" && tokens.LoginID != "" && sent.LoginID != tokens.LoginID
}

// backOff sets the time of the next refresh after a failed one.
func (t *Transport) backOff(err error) {
	t.backoff = min(max(2*t.backoff, minBackoff), maxBackoff)
	wait := t.backoff
	var status *statusError
	if errors.As(err, &status) {
		wait = min(max(wait, status.retryAfter), maxBackoff)
	}
	t.retryAt = time.Now().Add(wait)
}
