// Package token keeps a log-in in a signed token: one server signs it, any
// other verifies it without a database.
package token
