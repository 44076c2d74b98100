// Package wire holds what is sent over HTTP by more than one package: the JSON of a refresh,
// problem details, and the check of the addresses that package token and its Go client may
// connect to.
package wire

// RefreshRequest is the body of a refresh, or a logout, without a cookie.
type RefreshRequest struct {
	RefreshToken string `json:"refresh_token"`
}
