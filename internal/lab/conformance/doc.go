// Package conformance has the tests that need more than Go: a real browser, and
// all stores side by side. It is a module of its own, so that what it requires
// reaches no user; it is never tagged and never imported.
//
//	go -C internal/lab/conformance test ./...
//
// A test whose means are missing skips itself, and fails if CI=true.
package conformance
