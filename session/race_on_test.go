//go:build race

package session_test

// raceEnabled is whether the race detector runs, under which allocations and
// bytes say nothing.
const raceEnabled = true
