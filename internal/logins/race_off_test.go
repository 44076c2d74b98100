//go:build !race

package logins_test

const raceDetector = false
