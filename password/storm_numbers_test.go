package password_test

import (
	"context"
	"fmt"
	"testing"
)

// Many concurrent logins come over real connections to a service in its own process,
// which hashes as [password.New] does by default on two processors: 4 at once, of
// 19 MiB each. Hashing starts when all requests have arrived.

const (
	inUse     = 4 * 19 << 20
	largeHash = 128 << 20 // the maximum of a stored hash
)

// fewer reduces the number of logins where the test would take too long.
func fewer(logins, underRace, short int) int {
	switch {
	case testing.Short():
		return short
	case raceEnabled:
		return underRace
	}
	return logins
}

// ASVS 5.0, 15.2.2: a thousand concurrent logins stay within the bound. MaxConcurrent ×
// Memory is in use. Memory of earlier hashes is not collected at once, so the heap
// grows to up to four times that.
func TestStormOfLoginsStaysWithinItsMemory(t *testing.T) {
	logins := fewer(1000, 60, 24)
	s := startStorm(t, "off")
	for i := range logins {
		s.login(t.Context(), []string{"known", "unknown"}[i%2], 401)
	}
	s.wait("entered", logins)
	r := s.run()
	t.Logf("numbers: %d logins took %.1f × MaxConcurrent × Memory, the process %.1f", logins, times(r.Heap, inUse), times(r.Resident, inUse))
	if r.Counts["wrong"] != logins || r.Counts["hashed"] != logins {
		t.Errorf("%v of %d", r.Counts, logins)
	}
	r.within(t, 4*inUse)
}

// ASVS 5.0, 15.2.2: with GOMEMLIMIT the heap stays within that limit and two more
// places, which are allocated while the collector runs.
func TestMemoryLimitHoldsInAStorm(t *testing.T) {
	const limit = inUse * 3 / 2
	logins := fewer(100, 30, 16)
	s := startStorm(t, fmt.Sprint(limit))
	for range logins {
		s.login(t.Context(), "known", 401)
	}
	s.wait("entered", logins)
	r := s.run()
	t.Logf("numbers: with a limit of 1.5 × MaxConcurrent × Memory it is %.1f, the process %.1f", times(r.Heap, inUse), times(r.Resident, inUse))
	r.within(t, limit+2*(inUse/4))
}

// ASVS 5.0, 6.3.8 and 15.2.2: the bound holds for any mix of logins, except for a stored
// hash that needs more than all places. That runs alone, so the larger of the two is
// in use. Nothing is hashed for clients that have disconnected.
func TestMixedStormStaysWithinItsMemory(t *testing.T) {
	each := fewer(30, 5, 2)
	s := startStorm(t, "off")
	for i := range each {
		s.login(t.Context(), "known", 401)
		s.login(t.Context(), "unknown", 401)
		s.login(t.Context(), "known, 10 MB", 401)
		s.login(t.Context(), "unknown, 10 MB", 401)
		s.login(t.Context(), "a hash of 4 GiB", 503)
		s.login(t.Context(), "a body of 10 MB", 0) // the answer is 413, but may be lost with the connection
		if i%5 == 0 {
			s.login(t.Context(), "a hash of 128 MiB", 401)
		}
	}
	ctx, hangUp := context.WithCancel(t.Context())
	for range 3 * each {
		s.login(ctx, "unknown", 0)
	}
	answered, hasty := 4*each+(each+4)/5, 3*each
	s.wait("entered", answered+each+hasty)
	s.wait("too large", each)
	hangUp()
	s.wait("gone", hasty-4) // of which at most 4 have begun
	r := s.run()
	t.Logf("numbers: a mixed storm took %.1f × 128 MiB, the process %.1f", times(r.Heap, largeHash), times(r.Resident, largeHash))
	if c := r.Counts; c["wrong"]+c["gone"] != answered+hasty || c["hashed"] != c["wrong"] || c["refused"] != each || c["too large"] != each {
		t.Errorf("%v of %d, %d and %d", c, answered, hasty, each)
	}
	r.within(t, 4*largeHash)
}

func times(bytes, unit int) float64 { return float64(bytes) / float64(unit) }

// within asserts a bound on the heap and, where the system reports it, on the process.
// 64 MiB are for the program and for the waiting clients, which have a connection and
// goroutines each.
func (r report) within(t *testing.T, bound int) {
	t.Helper()
	const rest = 64 << 20
	if r.Heap > bound+rest {
		t.Errorf("%d MiB of heap, want %d at most", r.Heap>>20, bound>>20)
	}
	if r.Resident > bound+rest && !raceEnabled { // the race detector keeps books on all of it
		t.Errorf("%d MiB resident, want %d at most", r.Resident>>20, bound>>20)
	}
}
