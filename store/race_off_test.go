//go:build !race

package store_test

// underRace makes tests smaller under the race detector, which slows them down
// tenfold and invalidates measurements of time and memory.
const underRace = false
