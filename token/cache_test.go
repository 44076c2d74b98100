package token_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// hits verifies a token and reports whether the cache knew it.
func hits(t *testing.T, v *token.Verifier, text string) bool {
	t.Helper()
	before := v.CacheStats().Hits
	_, err := v.Verify(t.Context(), text)
	must(t, err)
	return v.CacheStats().Hits > before
}

func TestCacheKnowsATokenTheSecondTime(t *testing.T) {
	m := newMinter(t)
	v, text := m.verifier(), m.mint(claims())
	if hits(t, v, text) || !hits(t, v, text) || !hits(t, v, text) {
		t.Error("a token is not known from the second time on")
	}
	if s := v.CacheStats(); s.Hits != 2 || s.Misses != 1 || s.Entries != 1 || s.Bytes == 0 {
		t.Errorf("%+v", s)
	}
	off := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = token.NoCache })
	first, again := hits(t, off, text), hits(t, off, text)
	if first || again || off.CacheStats() != (token.CacheStats{}) {
		t.Error("there is a cache although it is off")
	}
}

// Rule 1: what does not verify takes no room.
func TestCacheRemembersNoFailure(t *testing.T) {
	m := newMinter(t)
	v, past := m.verifier(), time.Now().Unix()-600
	good := m.mint(claims())
	for _, text := range []string{
		"", "x", good[:len(good)-4], good + "A", newMinter(t).mint(claims()), m.mint(with(map[string]any{"aud": "x"})),
		m.mint(with(map[string]any{"iat": past, "auth_time": past, "exp": past + 60})), strings.Repeat("A", 9000),
	} {
		for range 2 {
			refuses(t, v, text)
		}
	}
	s := v.CacheStats()
	if s.Entries != 0 || s.Hits != 0 {
		t.Errorf("%+v", s)
	}
	// What is longer than any token is not even hashed.
	refuses(t, v, strings.Repeat("A", 8193))
	if v.CacheStats() != s {
		t.Errorf("%+v, want %+v", v.CacheStats(), s)
	}
}

// Rule 2: the key is of one verifier.
func TestCachesOfTwoVerifiersAreApart(t *testing.T) {
	m := newMinter(t)
	text := m.mint(claims())
	a, b := m.verifier(), m.verifier()
	if hits(t, a, text); hits(t, b, text) {
		t.Error("a token that one verifier knows is known to another")
	}
}

// Rule 2: of a token's spellings one verifies, so one is an entry.
func TestSpellingsOfATokenMakeNoEntries(t *testing.T) {
	m := newMinter(t)
	v, text := m.verifier(), m.mint(claims())
	for _, spelling := range []string{text + "=", text + "\n", " " + text, text[:len(text)-1] + string(text[len(text)-1]+1)} {
		v.Verify(t.Context(), text)
		refuses(t, v, spelling)
	}
	if s := v.CacheStats(); s.Entries != 1 {
		t.Errorf("%+v", s)
	}
}

// Rule 3: on each hit the clock counts.
func TestKnownTokenExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMinter(t)
		v, text := m.verifier(), m.mint(claims())
		hits(t, v, text)
		time.Sleep(630*time.Second - 1)
		if !hits(t, v, text) {
			t.Error("a token is forgotten before its end")
		}
		time.Sleep(time.Nanosecond)
		refuses(t, v, text)
	})
}

// Rule 5: a key that is gone ends what it has verified, a key that stays ends
// nothing.
func TestKnownTokenDiesWithItsKey(t *testing.T) {
	m := newMinter(t)
	v, text := m.verifier(), m.mint(claims())
	hits(t, v, text)
	_, next, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	must(t, m.keys.SetSigner(next, m.signer.Public()))
	if !hits(t, v, text) {
		t.Error("a rotation in which the key stays made it be forgotten")
	}
	must(t, m.keys.SetSigner(next))
	refuses(t, v, text)
	if s := v.CacheStats(); s.Entries != 0 {
		t.Errorf("%+v", s)
	}
	// The same key comes back: the token is valid again, by its signature.
	must(t, m.keys.SetSigner(next, m.signer.Public()))
	if hits(t, v, text) {
		t.Error("the cache has a token whose key was removed")
	}
}

// Rule 6: one account can have many tokens, and they stay within the bounds.
func TestCacheIsBoundedInEntriesAndBytes(t *testing.T) {
	m := newMinter(t)
	for _, c := range []struct {
		name       string
		size, fact int
	}{
		{"one entry", 1, 0},
		{"few entries", 10, 0},
		{"several shards", 64, 0},
		{"large entries", 64, 2200},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := m.verifier(func(v *token.VerifierConfig) { v.CacheSize = c.size })
			for i := range 3 * c.size {
				text := m.mint(with(map[string]any{"jti": fmt.Sprint(i), "fact": strings.Repeat("x", c.fact)}))
				hits(t, v, text)
				s := v.CacheStats()
				if s.Entries > c.size || s.Bytes > c.size*2048 {
					t.Fatalf("%+v", s)
				}
				if c.size > 1 && !hits(t, v, text) {
					t.Fatal("the newest token is not known")
				}
			}
			if s := v.CacheStats(); s.Evictions == 0 || s.Entries < c.size/2 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// An entry that is larger than the whole cache evicts no other.
func TestTooLargeATokenIsNotRemembered(t *testing.T) {
	m := newMinter(t)
	v := m.verifier(func(v *token.VerifierConfig) { v.CacheSize = 1 })
	small, large := m.mint(claims()), m.mint(with(map[string]any{"fact": strings.Repeat("x", 2500)}))
	hits(t, v, small)
	if hits(t, v, large); hits(t, v, large) || !hits(t, v, small) {
		t.Errorf("%+v", v.CacheStats())
	}
}

// What is in use stays while others come and go.
func TestTokensInUseStay(t *testing.T) {
	m := newMinter(t)
	v := m.verifier(func(v *token.VerifierConfig) { v.CacheSize = 10 })
	used := m.mint(claims())
	hits(t, v, used)
	for i := range 100 {
		v.Verify(t.Context(), m.mint(with(map[string]any{"jti": fmt.Sprint(i)})))
		if !hits(t, v, used) {
			t.Fatalf("forgotten after %d others", i+1)
		}
	}
}

// Unused entries are evicted in the order in which they came, and none is skipped.
func TestTokensOutOfUseGo(t *testing.T) {
	m := newMinter(t)
	v := m.verifier(func(v *token.VerifierConfig) { v.CacheSize = 10 })
	var old []string
	for i := range 10 {
		old = append(old, m.mint(with(map[string]any{"jti": fmt.Sprint(i)})))
		v.Verify(t.Context(), old[i])
	}
	for i := range 30 {
		v.Verify(t.Context(), m.mint(with(map[string]any{"jti": fmt.Sprint("new", i)})))
	}
	for i, text := range old {
		if hits(t, v, text) {
			t.Errorf("token %d is still known", i)
		}
	}
}

// Rule 8: no caller can change the token that others receive. An identity is a value of strings
// and times, and a Token has no field that one could set.
func TestHitsShareAnImmutableToken(t *testing.T) {
	m := newMinter(t)
	v, text := m.verifier(), m.mint(with(map[string]any{"role": "user"}))
	first, err := v.Verify(t.Context(), text)
	must(t, err)
	id := first.Identity()
	id.Subject, id.Claims, id.Scopes = "root", `{"role":"admin"}`, "all"
	var decoded map[string]any
	must(t, first.Identity().Claims.Decode(&decoded))
	decoded["role"] = "admin"
	second, err := v.Verify(t.Context(), text)
	must(t, err)
	if second != first {
		t.Error("a hit is another token")
	}
	if got := second.Identity(); got.Subject != "alice" || got.Claims != `{"role":"user"}` || got.Scopes != "read write admin" {
		t.Errorf("%+v", got)
	}
}

// ASVS 5.0, 15.4.1.
// Many users at once never see each other (CVE-2026-24894), while keys change.
func TestManyTokensAtOnceStayApart(t *testing.T) {
	m := newMinter(t)
	v := m.verifier(func(v *token.VerifierConfig) { v.CacheSize = 20 })
	texts := make([]string, 40)
	for i := range texts {
		texts[i] = m.mint(with(map[string]any{"sub": fmt.Sprint(i), "user": i}))
	}
	_, next, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*7 + g) % len(texts)
				got, err := v.Verify(t.Context(), texts[n])
				if err != nil {
					t.Error(err)
					return
				}
				id := got.Identity()
				if id.Subject != fmt.Sprint(n) || id.Claims != auth.Claims(fmt.Sprintf(`{"user":%d}`, n)) {
					t.Errorf("token %d gives %+v", n, id)
				}
			}
		})
	}
	for range 5 {
		must(t, m.keys.SetSigner(next, m.signer.Public()))
		must(t, m.keys.SetSigner(m.signer))
	}
	wg.Wait()
}
