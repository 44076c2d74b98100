//go:build race

package simulate_test

const fewSchedules = 400 // one goroutine runs at a time anyhow
