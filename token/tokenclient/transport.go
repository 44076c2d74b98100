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

// Config configures a [Transport]. Origins and Refresh are required; other zero fields
// have safe defaults.
type Config struct {
	// Origins are the origins to which the access token is sent, such as
	// "https://api.example.com". At least one is required. Plain http is accepted only
	// for loopback hosts. Requests to other origins, including redirected requests,
	// are sent without a token.
	Origins []string

	// Refresh exchanges a refresh token for new tokens, as [RefreshAt] does over HTTP.
	// It is required. attempt is the idempotency key of the refresh. An error that
	// wraps [auth.ErrUnauthenticated] means that the login has ended; after any other
	// error the tokens are kept. Refresh must return when ctx is done, which is after
	// 10 seconds at the latest.
	Refresh func(ctx context.Context, refreshToken, attempt string) (Tokens, error)

	// File is the path of the file in which the tokens are kept between runs of the
	// program, with mode 0600. Several processes may share a file: tokens that another
	// process has stored, or removed by its Clear, take effect at the next refresh.
	// The default is to keep the tokens only in memory.
	File string

	// Base sends the requests. The default is [http.DefaultTransport].
	Base http.RoundTripper
}

// Transport is an [http.RoundTripper] that adds the access token to requests to an API,
// and refreshes it when it is due. Create it with [New]. It holds one login, and is safe
// for concurrent use.
//
// Concurrent requests share one refresh. The refresh continues if the request that began
// it is canceled, for 10 seconds at most. [Transport.Clear] cancels it, so there is no
// Close.
//
// After a 401 with a Bearer challenge, or without any challenge, Transport refreshes and
// sends the request again once, if its body is empty or [http.Request.GetBody] returns
// it. A request with a stream is not sent again, but the next request has the newer
// token. A 403, or a challenge that requires a newer login, does not cause a refresh.
//
// A request that has an Authorization header is sent unchanged.
type Transport struct {
	config Config

	mu      sync.Mutex
	state   func() clientState // a function, because fmt does not print its result
	pending *flight            // the refresh that is under way, or nil
	retryAt time.Time          // no refresh before this time, after a failed one
	backoff time.Duration      // doubles with each failure
}

// ErrLoginEnded is the error of requests whose login has ended, and of requests before
// the first [Transport.SetTokens]. It wraps [auth.ErrUnauthenticated].
var ErrLoginEnded = fmt.Errorf("tokenclient: the login has ended: %w", auth.ErrUnauthenticated)

// ErrLoginReplaced wraps [ErrLoginEnded]. It reports that a request began under one login
// and was not sent, or not sent again, because another login had replaced it. A request
// of one account is never sent as another. Requests that begin later use the new login.
var ErrLoginReplaced = fmt.Errorf("tokenclient: the login of the request has been replaced by another: %w", ErrLoginEnded)

// New returns a Transport, or an error that names the invalid field of the configuration.
// It reads File, if it is set. Without tokens in the file, call [Transport.SetTokens]
// before the first request.
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
		if err == nil {
			err = wire.CheckAddress(text, false)
		} else {
			err = errors.New("it is not a URL") // err would quote a password
		}
		if err == nil && text != u.Scheme+"://"+u.Host {
			err = fmt.Errorf("only %q would be", u.Scheme+"://"+u.Host)
		}
		if err != nil {
			return nil, fmt.Errorf("tokenclient: Config.Origins[%d] is not of the form https://host[:port]: %w", i, err)
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

// SetTokens replaces the tokens by those of a new login. An error means that a token is
// missing, or that the tokens could not be written to the file. After an error the
// Transport is unchanged.
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

// Clear removes the tokens, and returns the refresh token, so that the program can send
// it to the issuer's logout. It is empty if there was none. A refresh that is under way
// is canceled, and its result is not used. An error means that the file could not be
// removed.
func (t *Transport) Clear() (refreshToken string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.discard()
	refreshToken = t.state().RefreshToken
	return refreshToken, t.forget()
}

// RoundTrip sends a request, with the access token if it goes to one of the Origins. It
// does not change r. The error is
//
//   - an error of Base,
//   - [ErrLoginEnded], or [ErrLoginReplaced] if another login came while the request
//     waited,
//   - the error of a refresh that failed while there was no valid token.
//
// A request that Refresh makes with its context goes to Base unchanged, so the client of
// [RefreshAt] may use this Transport.
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
		return response, nil // a stream has been read and cannot be sent again
	}
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be reused
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

// bodyAgain returns the body of r to send again, if that is possible.
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

// origin returns scheme, host and port. The port is always included.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
