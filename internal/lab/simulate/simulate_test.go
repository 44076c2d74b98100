package simulate_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/authlatch/auth/internal/lab/simulate"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 10.4.5 and 10.4.8.
// The number of schedules is set by AUTH_SCHEDULES; each has a seed of its own.
func TestRefreshInAHostileEnvironment(t *testing.T) {
	schedules := fewSchedules
	if testing.Short() {
		schedules = 300
	}
	if n, err := strconv.Atoi(os.Getenv("AUTH_SCHEDULES")); err == nil {
		schedules = n
	}
	totals := simulate.Run(t, func() store.Store { return &store.Memory{} }, 1, schedules)
	for _, what := range slices.Sorted(maps.Keys(totals)) {
		t.Logf("%8d %s", totals[what], what)
	}
}
