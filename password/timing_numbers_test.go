package password_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/password"
)

// ASVS 5.0, 6.3.8; CVE-2025-22234, CVE-2026-44332. The median times of wrong logins lie
// within a factor of 1.3 for any user and password. Hashing is cheap here, so that
// other work is visible: with the defaults it takes 20 times as long. A hash with half
// the passes proves that the test detects such a factor.
//
// A run that does not detect it, or that is disturbed, is repeated: a real difference
// fails every time. go -C internal/lab/bench run . -logins shows smaller differences.
func TestTimeDoesNotRevealWhoExists(t *testing.T) {
	h := noting(t, password.NewWeak, password.Config{Memory: 1024, Iterations: 2}, func(password.Call) {})
	half := hash(t, noting(t, password.NewWeak, password.Config{Memory: 1024, Iterations: 1}, func(password.Call) {}), "the right one")
	known := hash(t, h, "the right one")
	logins := []login{
		{"known", known, "the wrong one"},
		{"unknown", "", "the wrong one"},
		{"known, empty", known, ""},
		{"unknown, empty", "", ""},
		{"known, 10 MB", known, tenMegabytes},
		{"unknown, 10 MB", "", tenMegabytes},
		{"known, 1024 bytes", known, strings.Repeat("x", 1024)},
		{"unknown, 1024 bytes", "", strings.Repeat("x", 1024)},
		{"control", half, "the wrong one"},
	}
	const most = 1.3
	rounds := 81
	if testing.Short() {
		rounds = 27
	}
	for try := range 10 {
		to := ratios(t, h, logins, rounds)
		t.Logf("numbers: medians of times, to that of a known subject: %.2f", to)
		alike := slices.IndexFunc(to[:len(to)-1], func(r float64) bool { return r > most || r < 1/most }) < 0
		if alike && to[len(to)-1] < 1/most {
			return
		}
		t.Logf("run %d is repeated", try)
	}
	t.Errorf("times differ by more than a factor of %.1f, or cannot be measured here", most)
}

type login struct{ name, hash, password string }

// ratios returns the median times of logins relative to that of the first. The logins
// take turns, in a different order each time, so that other load on the machine affects
// all of them equally.
func ratios(t *testing.T, h *password.Hasher, logins []login, rounds int) []float64 {
	t.Helper()
	times := make([][]float64, len(logins))
	for range rounds {
		for _, i := range rand.Perm(len(logins)) {
			start := time.Now()
			err := h.Verify(t.Context(), logins[i].hash, logins[i].password)
			times[i] = append(times[i], float64(time.Since(start)))
			if !errors.Is(err, password.ErrWrong) {
				t.Fatalf("%s: %v", logins[i].name, err)
			}
		}
	}
	medians := make([]float64, len(logins))
	for i := range times {
		slices.Sort(times[i])
		medians[i] = times[i][rounds/2] / times[0][rounds/2]
	}
	return medians
}
