package tokenclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/wire"
)

// ErrReused is the error of a refresh token that was already used, and not by a repeated
// request. Reuse indicates theft, so the issuer has ended the login. It wraps
// [auth.ErrUnauthenticated].
var ErrReused = fmt.Errorf("tokenclient: the refresh token was already used: %w", auth.ErrUnauthenticated)

// RefreshAt returns a function for [Config.Refresh] that sends refreshes to the
// token.Issuer.RefreshHandler at a URL. The issuer must admit native clients. The client
// sends the requests; nil means [http.DefaultClient]. Redirects are not followed. Plain
// http is accepted only for loopback hosts.
func RefreshAt(url string, client *http.Client) func(ctx context.Context, refreshToken, attempt string) (Tokens, error) {
	if client == nil {
		client = http.DefaultClient
	}
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(ctx context.Context, refreshToken, attempt string) (Tokens, error) {
		if err := wire.CheckAddress(url, false); err != nil {
			return Tokens{}, err
		}
		body, err := json.Marshal(wire.RefreshRequest{RefreshToken: refreshToken})
		if err != nil {
			return Tokens{}, err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
		if err != nil {
			return Tokens{}, errors.New("the URL of the refresh handler is malformed")
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Refresh-Attempt", attempt)
		response, err := own.Do(r)
		if err != nil {
			return Tokens{}, err
		}
		defer response.Body.Close()
		return readTokens(response)
	}
}

// readTokens returns the tokens of a response, or an error. Only the issuer's own problem
// detail means that the login has ended, because any proxy can respond with 401.
func readTokens(response *http.Response) (Tokens, error) {
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return Tokens{}, err
	}
	switch response.StatusCode {
	case http.StatusOK:
		var tokens Tokens
		if err := json.Unmarshal(body, &tokens); err != nil {
			return Tokens{}, errors.New("the response is not JSON")
		}
		return tokens, nil
	case http.StatusUnauthorized:
		var p wire.Problem
		if json.Unmarshal(body, &p) == nil && strings.HasPrefix(p.Type, wire.RefreshProblem) {
			if p.Type == wire.ReusedProblem {
				return Tokens{}, ErrReused
			}
			return Tokens{}, fmt.Errorf("refresh token refused: %w", auth.ErrUnauthenticated)
		}
	}
	return Tokens{}, &statusError{response.StatusCode, retryAfter(response.Header)}
}

// statusError is a response after which the login may still be live.
type statusError struct {
	status     int
	retryAfter time.Duration
}

func (e *statusError) Error() string { return fmt.Sprintf("status %d", e.status) }

// retryAfter returns the value of the Retry-After header (RFC 9110, 10.2.3), which is in
// seconds or a date.
func retryAfter(h http.Header) time.Duration {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return time.Until(date)
	}
	return 0
}
