package tokenclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/wire"
)

// Config says how a [Transport] works. Origins and Refresh are required.
type Config struct {
	// Origins are where the access token is sent, such as
	// "https://api.example.com"; plain http is for loopback hosts only. Requests
	// to anywhere else, also those that a redirect leads to, go without. At
	// least one is required.
	Origins []string

	// Refresh exchanges a refresh token, such as [RefreshAt] does over HTTP. It
	// is required. An error that wraps [auth.ErrUnauthenticated] says that the
	// login has ended; after any other error the tokens are kept. It returns when
	// ctx ends, which is after 10 seconds.
	Refresh func(ctx context.Context, refreshToken, attempt string) (Tokens, error)

	// File is where the tokens are kept between runs of the program, mode 0600.
	// Several processes may use one file: what another one has put there, or
	// removed by its Clear, counts from the next refresh on. The default is to
	// keep them in memory.
	File string

	// Base carries the requests. The default is [http.DefaultTransport].
	Base http.RoundTripper
}

// Transport is an [http.RoundTripper] for clients of an API, and refreshes their
// access token when it is due. One refresh is under way at a time, whoever
// needs it, and it is not lost when the one who began it gives up: it goes on
// for 10 seconds at most. [Transport.Clear] ends it, so no Close is needed.
//
// A request that is answered with a 401 that concerns the token, by a Bearer
// challenge or by having no challenge at all, is sent again once, with a newer
// one, if its body is empty or can be got again ([http.Request.GetBody]); a stream
// is not, but the next request has the newer token. A request with an Authorization field of its own is left alone. A 403,
// and a demand for a newer login, refresh nothing.
//
// Create it with [New]. It is for one login, and safe for concurrent use.
type Transport struct {
	config Config

	mu      sync.Mutex
	state   func() clientState // a function, into which no verb of fmt looks
	pending *flight            // the refresh that is under way, or nil
	retryAt time.Time          // no refresh before, after one that has failed
	backoff time.Duration      // doubles with each failure
}

// ErrLoginEnded is the error of requests after their login has ended, and
// before [Transport.SetTokens]. It wraps [auth.ErrUnauthenticated].
var ErrLoginEnded = fmt.Errorf("tokenclient: the login has ended: %w", auth.ErrUnauthenticated)

// ErrLoginReplaced is the kind of [ErrLoginEnded] (it wraps it) of a request
// that began under one login and was not sent, or not sent again, because
// another login had taken its place: no request of one account is sent as
// another. Requests that begin later use the new login.
var ErrLoginReplaced = fmt.Errorf("tokenclient: another login has replaced that of the request: %w", ErrLoginEnded)

// New returns a Transport, or an error that names the field of the
// configuration that cannot work. It reads File, if there is one; if that has
// no tokens yet, call [Transport.SetTokens].
func New(c Config) (*Transport, error) {
	if len(c.Origins) == 0 {
		return nil, errors.New("tokenclient: Config.Origins is required")
	}
	if c.Refresh == nil {
		return nil, errors.New("tokenclient: Config.Refresh is required")
	}
	c.Origins = slices.Clone(c.Origins)
	for i, text := range c.Origins {
		u, err := url.Parse(text)
		if err != nil || u.Host == "" || text != u.Scheme+"://"+u.Host || wire.CheckAddress(text, false) != nil {
			return nil, errors.New("tokenclient: Config.Origins: one is not of the form https://host[:port]")
		}
		c.Origins[i] = origin(u)
	}
	if c.Base == nil {
		c.Base = http.DefaultTransport
	}
	t := &Transport{config: c}
	t.set(clientState{})
	state, err := t.load()
	if err != nil {
		return nil, err
	}
	t.set(state)
	return t, nil
}

// SetTokens takes the tokens of a new login in the place of any others. An error
// says that they lack something, or could not be kept in the file; the Transport
// is as it was then.
func (t *Transport) SetTokens(tokens Tokens) error {
	if tokens.AccessToken == "" || tokens.RefreshToken == "" {
		return errors.New("tokenclient: SetTokens: the access token or the refresh token is missing")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	state := newClientState(tokens, time.Now())
	state.Login = random()
	if err := t.keep(state); err != nil {
		return err
	}
	t.discard()
	return nil
}

// Clear forgets the tokens, and returns the refresh token for the issuer to
// revoke; it is empty if there was none. A refresh that is under way is
// cancelled, and nothing comes of it. An error says that the file is still
// there.
func (t *Transport) Clear() (refreshToken string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.discard()
	refreshToken = t.state().RefreshToken
	return refreshToken, t.forget()
}

// RoundTrip sends a request, with the access token if it goes to one of the
// Origins. It does not change r. Errors are those of Base; [ErrLoginEnded], as
// [ErrLoginReplaced] if another login came while the request waited; or that of
// a refresh which failed while there was no token to go on with.
//
// A request that Refresh makes with its context goes to Base as it is, so the
// client of [RefreshAt] may have this Transport.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	refreshing := r.Context().Value(refreshOf{t}) != nil
	if refreshing || !slices.Contains(t.config.Origins, origin(r.URL)) || r.Header.Get("Authorization") != "" {
		return t.config.Base.RoundTrip(r)
	}
	login := t.login()
	access, err := t.fresh(r.Context(), login, "")
	if err != nil {
		closeBody(r.Body)
		return nil, err
	}
	response, err := t.config.Base.RoundTrip(withToken(r, r.Body, access))
	if err != nil || !concernsToken(response) {
		return response, err
	}
	newer, err := t.fresh(r.Context(), login, access)
	switch {
	case errors.Is(err, ErrLoginEnded):
		closeBody(response.Body)
		return nil, err
	case err != nil || newer == access:
		return response, nil
	}
	body, ok := bodyAgain(r)
	if !ok {
		return response, nil // a stream was read and cannot be sent again
	}
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // lets the connection be used again
	closeBody(response.Body)
	return t.config.Base.RoundTrip(withToken(r, body, newer))
}

// withToken returns a copy of r with the token and a body.
func withToken(r *http.Request, body io.ReadCloser, access string) *http.Request {
	c := r.Clone(r.Context())
	c.Body = body
	if c.Header == nil {
		c.Header = make(http.Header)
	}
	c.Header.Set("Authorization", "Bearer "+access)
	return c
}

// bodyAgain returns the body of r once more, if it can be had.
func bodyAgain(r *http.Request) (io.ReadCloser, bool) {
	if r.Body == nil || r.Body == http.NoBody {
		return r.Body, true
	}
	if r.GetBody == nil {
		return nil, false
	}
	body, err := r.GetBody()
	return body, err == nil
}

func closeBody(body io.Closer) {
	if body != nil {
		body.Close()
	}
}

// origin returns scheme, host and port, the port always there.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
