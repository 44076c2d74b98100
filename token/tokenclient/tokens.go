package tokenclient

import (
	"fmt"
	"log/slog"
)

// Tokens are the response of an issuer to a login or a refresh, for a client that keeps
// both tokens itself. They have the JSON form of token.Tokens, which is that of RFC
// 6749, 5.1. They are secrets: keep them out of logs.
type Tokens struct {
	// AccessToken goes into the Authorization header of requests, after Bearer.
	AccessToken string `json:"access_token,omitempty"`

	// TokenType is "Bearer".
	TokenType string `json:"token_type"`

	// ExpiresIn is how long the access token is valid, in seconds from now.
	ExpiresIn int64 `json:"expires_in"`

	// RefreshAfter is when to refresh, in seconds from now.
	RefreshAfter int64 `json:"refresh_after"`

	// RefreshToken is for one refresh.
	RefreshToken string `json:"refresh_token,omitempty"`

	// Generation counts the refreshes of the login.
	Generation uint64 `json:"gen"`

	// LoginID names the login. It is not a secret. A Transport does not replace its
	// tokens by those of a refresh with another LoginID.
	LoginID string `json:"login_id"`
}

// Format implements [fmt.Formatter]. It writes no token for any verb, because tokens
// are logged by mistake. fmt does not call it for Tokens in an unexported field.
func (t Tokens) Format(state fmt.State, _ rune) {
	fmt.Fprintf(state, "tokenclient.Tokens{expires_in: %d, gen: %d}", t.ExpiresIn, t.Generation)
}

// LogValue implements [slog.LogValuer]. Like Format, it writes no token.
func (t Tokens) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(t)) }
