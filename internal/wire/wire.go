// Package wire holds what package token and its Go client share: the JSON
// of a refresh, and the check of the addresses that either of them may connect to.
package wire

// RefreshRequest is the body of a refresh, or a logout, without a cookie.
type RefreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}

// Problem is a problem detail (RFC 9457).
type Problem struct {
	Type   string `json:"type,omitempty"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// RefreshProblem is the prefix of the types of problems with refresh tokens, and
// ReusedProblem is the type for a token that was already used.
const (
	RefreshProblem = "urn:authlatch:refresh:"
	ReusedProblem  = RefreshProblem + "reused"
)
