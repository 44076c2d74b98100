//go:build !race

// The race detector changes the measured times.

package jose_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/jose"
)

// ratio asserts that b takes at most limit times as long as a. They run in turn, and
// their minimum times are compared, because other load can only add time. Under load,
// more rounds find an undisturbed moment. A real regression fails every time.
func ratio(t *testing.T, limit float64, a, b func()) {
	t.Helper()
	var seen []string
	least := [2]time.Duration{time.Hour, time.Hour}
	for range 20 {
		for range 1000 {
			for i, f := range []func(){a, b} {
				start := time.Now()
				f()
				least[i] = min(least[i], time.Since(start))
			}
		}
		got := float64(least[1]) / float64(least[0])
		seen = append(seen, fmt.Sprintf("%.3f", got))
		if got <= limit {
			t.Logf("%s times the raw primitive (at most %.2f)", seen, limit)
			return
		}
	}
	t.Errorf("%s times the raw primitive, want at most %.2f", seen, limit)
}

func TestVerificationCostsLittleMoreThanThePrimitive(t *testing.T) {
	for alg, limit := range map[jose.Algorithm]float64{jose.Ed25519: 1.15, jose.ES256: 1.15, jose.PS256: 1.15} {
		t.Run(string(alg), func(t *testing.T) {
			raw := rawKey(t, alg)
			key := signingKey(t, raw)
			set := setOf(t, key)
			token := mint(t, key, string(benchPayload))
			floor := floorOf(t, raw, token)
			ratio(t, limit, func() { floor.verify() }, func() { set.Verify(token, accessForm) })
		})
	}
}

func TestSigningCostsLittleMoreThanThePrimitive(t *testing.T) {
	for alg, limit := range map[jose.Algorithm]float64{jose.Ed25519: 1.12, jose.ES256: 1.12} {
		t.Run(string(alg), func(t *testing.T) {
			raw := rawKey(t, alg)
			key := signingKey(t, raw)
			floor := floorOf(t, raw, mint(t, key, string(benchPayload)))
			ratio(t, limit, floor.sign, func() { key.Mint(benchPayload) })
		})
	}
}

// The primitive of each algorithm allocates; the test bounds what the envelope
// and the engine add, of which the members of the payload are one. It must not depend
// on the header.
func TestAllocationsAreExact(t *testing.T) {
	for _, c := range []struct {
		alg          jose.Algorithm
		verify, sign float64
	}{
		{jose.Ed25519, 4, 3},
		{jose.ES256, 7, 0},
		{jose.HS256, 3, 3},
	} {
		t.Run(string(c.alg), func(t *testing.T) {
			raw := rawKey(t, c.alg)
			key := signingKey(t, raw)
			set := setOf(t, key)
			token := mint(t, key, string(benchPayload))
			floor := floorOf(t, raw, token)
			count := func(f func()) float64 { return testing.AllocsPerRun(200, f) }
			verify := count(func() { set.Verify(token, accessForm) }) - count(func() { floor.verify() })
			sign := count(func() { key.Mint(benchPayload) }) - count(floor.sign)
			if verify != c.verify || sign != c.sign {
				t.Errorf("%v allocations to verify and %v to sign, want %v and %v", verify, sign, c.verify, c.sign)
			}
		})
	}
}
