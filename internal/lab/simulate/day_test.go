package simulate_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/simulate"
)

// days returns how many are played: AUTH_DAYS, or a few.
func days(few int) int {
	if n, err := strconv.Atoi(os.Getenv("AUTH_DAYS")); err == nil {
		return n
	}
	return few
}

// A thief with a copied refresh token is detected in at least 99 of 100 days, and in
// the median within an access lifetime after the owner has refreshed twice, by every
// trick that does not need to see the refreshes of the owner.
//
// ASVS 5.0, 10.4.5.
func TestThiefIsDetected(t *testing.T) {
	const accessLifetime = 10 * time.Minute
	n := days(100)
	for _, name := range slices.Sorted(maps.Keys(simulate.Tricks)) {
		var detections, late []time.Duration
		for day := range n {
			if d := simulate.PlayDay(t, 1, uint64(day), simulate.Tricks[name]); d.Ended {
				detections, late = append(detections, d.Detection), append(late, d.Late)
			}
		}
		slices.Sort(detections)
		slices.Sort(late)
		never := n - len(detections)
		if never*100 > n {
			t.Errorf("%s: never detected in %d of %d days", name, never, n)
			continue
		}
		if median := late[len(late)/2]; median > accessLifetime {
			t.Errorf("%s: detected %v after the owner's second refresh", name, median)
		}
		t.Logf("%-36s median %7v, p99 %9v, never %d of %d", name,
			detections[len(detections)/2].Round(time.Second), detections[len(detections)*99/100].Round(time.Second), never, n)
	}
}

// An honest login is hardly ever ended by mistake, with lost answers, several
// tabs, slow links and laptops that sleep: a message that is under way for longer
// than the grace period can do it.
func TestHonestLoginIsHardlyEverEnded(t *testing.T) {
	refreshes, ended := 0, 0
	for day := range days(200) {
		d := simulate.PlayDay(t, 2, uint64(day), nil)
		refreshes += d.Refreshes
		if d.Ended {
			ended++
		}
	}
	if most := 2 + refreshes/100_000; ended > most {
		t.Errorf("%d logins ended by mistake, over %d", ended, most)
	}
	t.Logf("%d refreshes answered, %d logins ended by mistake: %.1f in a million", refreshes, ended, float64(ended)*1e6/float64(refreshes))
}
