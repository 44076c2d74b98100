//go:build !race

package store_test

// underRace makes tests smaller under the race detector, which slows them
// down tenfold and makes measures of time and memory void.
const underRace = false
