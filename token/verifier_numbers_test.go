//go:build !race

// The race detector changes what is measured here.

package token_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/token"
)

// rawVerify is the primitive of the standard library under a token.
func rawVerify(m *minter, text string) func() bool {
	end := strings.LastIndexByte(text, '.')
	input := []byte(text[:end])
	signature, err := b64.DecodeString(text[end+1:])
	must(m.t, err)
	switch key := m.signer.(type) {
	case ed25519.PrivateKey:
		public := key.Public().(ed25519.PublicKey)
		return func() bool { return ed25519.Verify(public, input, signature) }
	case *ecdsa.PrivateKey:
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return func() bool { d := sha256.Sum256(input); return ecdsa.Verify(&key.PublicKey, d[:], r, s) }
	}
	panic("no primitive")
}

// benchClaims have 10 members.
func benchClaims(i int) map[string]any {
	return with(map[string]any{"jti": fmt.Sprintf("%032d", i), "sub": "0123456789abcdef", "amr": nil})
}

// atMost asserts that b takes limit times as long as a at most. Both run in turn, and
// their least times count: what else the machine does only adds to a time. Where it
// does much, more rounds find a moment without. What is always too slow stays so.
func atMost(t *testing.T, limit float64, a, b func(int)) {
	t.Helper()
	var seen []string
	least := [2]time.Duration{time.Hour, time.Hour}
	for range 20 {
		for round := range 1000 {
			for i, f := range []func(int){a, b} {
				start := time.Now()
				f(round)
				least[i] = min(least[i], time.Since(start))
			}
		}
		ratio := float64(least[1]) / float64(least[0])
		seen = append(seen, fmt.Sprintf("%.3f", ratio))
		if ratio <= limit {
			t.Logf("%s times (%v against %v), at most %.2f", seen, least[1], least[0], limit)
			return
		}
	}
	t.Errorf("%s times, want %.2f at most", seen, limit)
}

// Each token comes for the first time, and gets into the cache.
func TestFirstVerificationCostsLittleMoreThanTheSignature(t *testing.T) {
	for name, m := range map[string]*minter{"EdDSA": newMinter(t), "ES256": newES256Minter(t)} {
		t.Run(name, func(t *testing.T) {
			texts := make([]string, 64)
			raw := make([]func() bool, len(texts))
			for i := range texts {
				texts[i] = m.mint(benchClaims(i))
				raw[i] = rawVerify(m, texts[i])
			}
			v := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = 1 })
			atMost(t, 1.15, func(i int) {
				if !raw[i%len(raw)]() {
					t.Fatal("the primitive refuses")
				}
			}, func(i int) {
				if _, err := v.Verify(t.Context(), texts[i%len(texts)]); err != nil {
					t.Fatal(err)
				}
			})
			if s := v.CacheStats(); s.Hits != 0 {
				t.Errorf("%d were not the first time", s.Hits)
			}
		})
	}
}

// What the primitive allocates is its own; the envelope and the claims add a
// handful, for any token.
func TestFirstVerificationAllocatesAHandful(t *testing.T) {
	for name, m := range map[string]*minter{"EdDSA": newMinter(t), "ES256": newES256Minter(t)} {
		text := m.mint(benchClaims(1))
		raw := rawVerify(m, text)
		v := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = token.NoCache })
		floor := testing.AllocsPerRun(200, func() { raw() })
		if n := testing.AllocsPerRun(200, func() { v.Verify(t.Context(), text) }) - floor; n > 19 {
			t.Errorf("%s: %v allocations more than the primitive", name, n)
		}
	}
}

// bare sets one header by itself, as most handlers do.
var bare = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain")
})

// discard is a ResponseWriter that has a new header for each response.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

func bearerRequest(text string) *http.Request {
	r := httptest.NewRequest("GET", "/me", nil)
	r.Header.Set("Authorization", "Bearer "+text)
	return r
}

// The copy of the request and its context are all that a known token costs.
func TestSecondVerificationAllocatesNothing(t *testing.T) {
	m := newMinter(t)
	r := bearerRequest(m.mint(benchClaims(1)))
	guard := &middleware.Guard{Authenticator: m.verifier()}
	allocations := func(h http.Handler) float64 {
		return testing.AllocsPerRun(1000, func() { h.ServeHTTP(&discard{make(http.Header)}, r) })
	}
	floor := allocations(bare)
	if floor == 0 {
		t.Fatal("the bare handler allocates nothing, so nothing is measured")
	}
	for name, h := range map[string]http.Handler{
		"Require":      guard.Require(bare),
		"RequireScope": guard.RequireScope("read")(bare),
	} {
		if got := allocations(h) - floor; got != 2 {
			t.Errorf("%s: %v allocations more than the bare handler, want 2", name, got)
		}
	}
}

// ByIssuer finds a known token before it reads its payload, so it costs no more.
func TestSecondVerificationByIssuerAllocatesNothing(t *testing.T) {
	m := newMinter(t)
	text := m.mint(benchClaims(1))
	all := joined(t, m.tenant(tenantA), m.verifier())
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := all.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Reading iss first costs a few allocations more than what comes after.
func TestFirstVerificationByIssuerAllocatesAFewMore(t *testing.T) {
	m := newMinter(t)
	text := m.mint(benchClaims(1))
	v := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = token.NoCache })
	all := joined(t, v)
	floor := testing.AllocsPerRun(200, func() { v.Verify(t.Context(), text) })
	if n := testing.AllocsPerRun(200, func() { all.Verify(t.Context(), text) }) - floor; n > 4 {
		t.Errorf("%v allocations more than without ByIssuer", n)
	}
}

// About a microsecond, so far below the signature that noise does not matter.
func TestSecondVerificationIsFarFasterThanTheSignature(t *testing.T) {
	m := newMinter(t)
	text := m.mint(benchClaims(1))
	raw, r := rawVerify(m, text), bearerRequest(text)
	guarded := (&middleware.Guard{Authenticator: m.verifier()}).Require(bare)
	atMost(t, 1, func(int) { raw() }, func(int) {
		for range 15 {
			guarded.ServeHTTP(&discard{make(http.Header)}, r)
		}
	})
}

// The bound in bytes is one of memory, so the estimate must not be below it.
func TestBytesOfTheCacheAreHonest(t *testing.T) {
	m := newMinter(t)
	const n = 4000
	texts := make([]string, n)
	for i := range texts {
		claims := benchClaims(i)
		claims["fact"] = strings.Repeat("x", i%300)
		texts[i] = m.mint(claims)
	}
	v := m.verifier()
	before := heap()
	for _, text := range texts {
		if _, err := v.Verify(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	taken := heap() - before
	s := v.CacheStats()
	t.Logf("%d bytes taken for %d tokens, %d counted", taken, s.Entries, s.Bytes)
	if s.Entries != n || taken > int64(s.Bytes) || taken < int64(s.Bytes)/2 {
		t.Errorf("%d bytes taken, %+v", taken, s)
	}
	runtime.KeepAlive(texts)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// A flood of garbage allocates no more than a constant.
func TestGarbageAllocatesAConstant(t *testing.T) {
	m := newMinter(t)
	v := m.verifier()
	for _, text := range []string{strings.Repeat(".", 1<<20), strings.Repeat("A", 8192), strings.Repeat("A", 2000) + ".A." + strings.Repeat("A", 86)} {
		if n := testing.AllocsPerRun(50, func() { v.Verify(t.Context(), text) }); n > 8 {
			t.Errorf("%v allocations", n)
		}
	}
}

func BenchmarkVerifyAccessToken(b *testing.B) {
	for name, m := range map[string]*minter{"EdDSA": newMinter(b), "ES256": newES256Minter(b)} {
		text := m.mint(benchClaims(1))
		raw := rawVerify(m, text)
		first := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = token.NoCache })
		second := m.verifier()
		many := joined(b, m.verifier(), m.tenant(tenantA), m.tenant(tenantB))
		guarded := (&middleware.Guard{Authenticator: second}).Require(bare)
		r := bearerRequest(text)
		for _, c := range []struct {
			name string
			run  func()
		}{
			{"Raw", func() { raw() }},
			{"First", func() { first.Verify(b.Context(), text) }},
			{"Second", func() { second.Verify(b.Context(), text) }},
			{"SecondByIssuer", func() { many.Verify(b.Context(), text) }},
			{"Bare", func() { bare.ServeHTTP(&discard{make(http.Header)}, r) }},
			{"SecondGuarded", func() { guarded.ServeHTTP(&discard{make(http.Header)}, r) }},
		} {
			b.Run(name+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.run()
				}
			})
		}
	}
}
