//go:build race

package password_test

// raceEnabled is whether the race detector runs, under which bcrypt and
// large blocks of memory are many times as slow.
const raceEnabled = true
