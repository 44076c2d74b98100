// Package migrate tests the code of docs/migrating.md with the libraries that it names: a
// user who has logged in with one of them stays logged in.
package migrate
