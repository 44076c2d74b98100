// Package bothmodes has the tests that hold for sessions and tokens alike: events over
// HTTP, headers that decide nothing, the keys that a store gets to see.
package bothmodes
