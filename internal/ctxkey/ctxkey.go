// Package ctxkey holds the one context key that packages auth and middleware
// share, so that a guard can carry an identity and its own mark in a single
// context value, and code outside of this module can plant neither.
package ctxkey

// Identity is the key of a *auth.Identity in a context.
type Identity struct{}
