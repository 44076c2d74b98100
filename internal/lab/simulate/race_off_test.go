//go:build !race

package simulate_test

const fewSchedules = 2000
