package token_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// The invariants of rotation. What the simulation in
// internal/lab/simulate plays at random is here one by one.

// The generation never goes back, and jumps by healing alone.
func TestI1GenerationNeverGoesBack(t *testing.T) {
	inBubble(func(t *testing.T) {
		var last uint64
		s := &meter{}
		s.saw = func(_ string, _, raw []byte) {
			generation, _, ok := token.FamilyGeneration(raw)
			if ok && generation != last && generation != last+1 {
				t.Errorf("from generation %d to %d", last, generation)
			}
			if ok {
				last = generation
			}
		}
		i := newIssuer(t, over(s, cheapKeys(t)))
		tokens := issued(t, i)
		for range 20 {
			tokens = refreshed(t, i, tokens.RefreshToken)
			if tokens.Generation != last {
				t.Errorf("generation %d is answered, and %d stored", tokens.Generation, last)
			}
			time.Sleep(gracePeriod + time.Second)
		}
	})(t)
}

// ASVS 5.0, 10.4.5 and 15.4.2.
// Many refreshes at once, on two hosts, have one answer.
func TestI2ParallelRefreshesHaveOneAnswer(t *testing.T) {
	for _, n := range []int{2, 8, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, keys, j := &meter{}, cheapKeys(t), &journal{}
			hosts := []*token.Issuer{newIssuer(t, over(s, keys), reportTo(j)), newIssuer(t, over(s, keys), reportTo(j))}
			first := issued(t, hosts[0]).RefreshToken
			j.take()
			successor := ""
			for round, text := range []string{first, first, ""} {
				if text == "" {
					text = successor
				}
				s.reset()
				answers := make([]token.Tokens, n)
				var wg sync.WaitGroup
				for k := range n {
					wg.Go(func() { answers[k], _ = hosts[k%2].Refresh(context.Background(), text, newAttempt()) })
				}
				wg.Wait()
				for k, a := range answers {
					if a.RefreshToken == "" || a.RefreshToken != answers[0].RefreshToken || a.Generation != 1 {
						t.Errorf("round %d: the answer to %d is another: generation %d", round, k, a.Generation)
					}
				}
				if successor == "" {
					successor = answers[0].RefreshToken
				}
				if _, _, writes := s.reset(); writes != map[int]int{0: 1}[round] || answers[0].RefreshToken != successor {
					t.Errorf("round %d: %d writes", round, writes)
				}
			}
			if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventRenewed}) {
				t.Errorf("events %v", kinds)
			}
		})
	}
}

// The browser stays logged in, in any order of the responses.
func TestI3AnswersComeInAnyOrder(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t)
		for order := range permutations(4) {
			first := issued(t, i).RefreshToken
			second := refreshed(t, i, first).RefreshToken
			answers := []string{second}
			for _, text := range []string{first, second, first} {
				time.Sleep(time.Second)
				answers = append(answers, refreshed(t, i, text).RefreshToken)
			}
			jar := ""
			for _, k := range order {
				jar = answers[k]
			}
			time.Sleep(gracePeriod)
			if ends(i, jar) != valid {
				t.Fatalf("after the order %v", order)
			}
		}
	})(t)
}

const valid, refusedAs, reused, unavailable = "ok", "bad", "reused", "unknown" // as outcome says

func permutations(n int) func(func([]int) bool) {
	return func(yield func([]int) bool) {
		var extend func(order []int) bool
		extend = func(order []int) bool {
			if len(order) == n {
				return yield(order)
			}
			for k := range n {
				if !slices.Contains(order, k) && !extend(append(slices.Clone(order), k)) {
					return false
				}
			}
			return true
		}
		extend(nil)
	}
}

// A retry has the same response, and changes nothing. A used token is refused when
// its grace period ends, however often it is tried.
func TestI4RetriesDoNotExtendTheGracePeriod(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		used := issued(t, i).RefreshToken
		successor := refreshed(t, i, used).RefreshToken
		s.reset()
		for tries := 0; ; tries++ {
			time.Sleep(gracePeriod/2 - time.Millisecond)
			tokens, err := i.Refresh(t.Context(), used, newAttempt())
			if err == nil && tokens.RefreshToken != successor {
				t.Fatal("another successor")
			}
			if errors.Is(err, token.ErrReused) {
				if tries != 2 {
					t.Errorf("it has died after %d tries", tries)
				}
				break
			}
			must(t, err)
			if _, swaps, _ := s.reset(); swaps > 0 {
				t.Error("a retry writes")
			}
		}
	})(t)
}

// ASVS 5.0, 10.4.5.
// Reuse of a token ends the family, on every host, and once.
func TestI5UsedTokenEndsTheLogin(t *testing.T) {
	for rule, c := range map[string]struct {
		refreshes int
		pause     time.Duration
		presented int
	}{
		"the previous one after the grace period":      {1, gracePeriod + time.Second, 0},
		"the one before it within the grace period":    {2, 0, 0},
		"the one before it after the grace period":     {2, gracePeriod + time.Second, 0},
		"one of long ago":                              {5, 0, 1},
		"the first of many, just after the last":       {9, time.Second, 0},
		"the previous one long after the grace period": {1, 30 * time.Minute, 0},
		"the previous one of many":                     {6, gracePeriod + time.Second, 5},
		"the previous one at the end of the idle":      {1, time.Hour - time.Second, 0},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
			hosts := []*token.Issuer{newIssuer(t, over(s, keys), reportTo(j)), newIssuer(t, over(s, keys), reportTo(j))}
			all := []string{issued(t, hosts[0]).RefreshToken}
			for n := range c.refreshes {
				if n > 0 {
					time.Sleep(gracePeriod + time.Second)
				}
				all = append(all, refreshed(t, hosts[n%2], all[n]).RefreshToken)
			}
			time.Sleep(c.pause)
			j.take()
			answers := make([]string, 16)
			var wg sync.WaitGroup
			for k := range answers {
				wg.Go(func() { answers[k] = ends(hosts[k%2], all[c.presented]) })
			}
			wg.Wait()
			slices.Sort(answers)
			if answers[14] == valid || answers[15] != reused || answers[14] == reused {
				t.Errorf("answers %v", answers)
			}
			for n, text := range all {
				for _, host := range hosts {
					if got := ends(host, text); got != refusedAs {
						t.Errorf("generation %d: %s", n, got)
					}
				}
			}
			list, err := hosts[0].Logins(t.Context(), "alice")
			if err != nil || len(list) > 0 {
				t.Errorf("the list: %v %v", list, err)
			}
			count := 0
			for _, e := range j.take() {
				if e.Kind == auth.EventReuse {
					count++
				}
			}
			if count != 1 {
				t.Errorf("%d events", count)
			}
		}))
	}
}

// If the store does not confirm a write, a theft is still reported, and only once.
func TestI5ReuseIsReportedOnceThoughTheStoreFails(t *testing.T) {
	for _, applied := range []bool{false, true} {
		inBubble(func(t *testing.T) {
			s, j := &meter{}, &journal{}
			i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
			used := issued(t, i).RefreshToken
			refreshed(t, i, used)
			time.Sleep(gracePeriod + time.Second)
			j.take()
			failed := false
			fault := func(op, key string) error {
				if op == "swap" && key == familyKeyOf(used) && !failed {
					failed = true
					return errors.New("down")
				}
				return nil
			}
			if s.before = fault; applied {
				s.before, s.after = nil, fault
			}
			wants(t, i, used, reused)
			wants(t, i, used, refusedAs)
			if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventReuse, auth.EventRejected}) {
				t.Errorf("applied %v: events %v", applied, kinds)
			}
		})(t)
	}
}

// A login that was ended by a theft does not count towards MaxLogins.
func TestI5EndedLoginLeavesTheList(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.IssuerConfig) { c.Limits.MaxLogins = 2 })
		oldest, used := issued(t, i).RefreshToken, issued(t, i).RefreshToken
		refreshed(t, i, used)
		time.Sleep(gracePeriod + time.Second)
		wants(t, i, used, reused)
		issued(t, i)
		wants(t, i, oldest, valid)
	})(t)
}

// What is not ours changes nothing. A malformed token is not even looked up.
func TestI7ForgedTokensChangeNothing(t *testing.T) {
	s, keys := &meter{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys))
	good := issued(t, i).RefreshToken
	other := issued(t, i).RefreshToken
	id := seedOf(good)
	record, _, _ := s.Memory.Get(t.Context(), familyKeyOf(good))
	salt := [16]byte(token.FamilySalt(record))
	forged := map[string]string{
		"the MAC of another family":   respell(other, func(b []byte) { copy(b[1:17], id[:]) }),
		"the MAC of another ring":     token.ForgeRefreshToken(token.RefreshSecrets(cheapKeys(t))[0], id, salt, 0),
		"the MAC of the next secret":  token.ForgeRefreshToken(token.RefreshSecrets(keys)[1], id, salt, 0),
		"a MAC without the salt":      token.ForgeRefreshToken(token.RefreshSecrets(keys)[0], id, [16]byte{}, 0),
		"a MAC without a secret":      token.ForgeRefreshToken(nil, id, salt, 0),
		"the next generation":         respell(good, func(b []byte) { b[17] = 1 }),
		"a much later generation":     respell(good, func(b []byte) { b[17] = 99 }),
		"a generation of long ago":    token.ForgeRefreshToken(nil, id, salt, 1<<32),
		"a MAC of zeros":              respell(good, func(b []byte) { clear(b[18:]) }),
		"a family that there is none": respell(good, func(b []byte) { b[5] ^= 1 }),
	}
	for at := 1; at < 34; at++ {
		forged[fmt.Sprintf("byte %d flipped", at)] = respell(good, func(b []byte) { b[at] ^= 0x40 })
	}
	s.reset()
	for rule, text := range forged {
		wants(t, i, text, refusedAs)
		if err := i.Revoke(t.Context(), text); outcome(err) != refusedAs {
			t.Errorf("%s: revoked: %v", rule, err)
		}
		if _, swaps, _ := s.reset(); swaps > 0 {
			t.Errorf("%s: %d writes", rule, swaps)
		}
	}
	for _, text := range []string{"", "x", good[1:], good + "A", good[:40], strings.ToUpper(good), good + "\n", strings.Repeat("A", 1<<20)} {
		wants(t, i, text, refusedAs)
		if gets, swaps, _ := s.reset(); gets+swaps > 0 {
			t.Errorf("%.20q... is looked up", text)
		}
	}
	if now, _, _ := s.Memory.Get(t.Context(), familyKeyOf(good)); !bytes.Equal(now, record) {
		t.Error("the record has changed")
	}
	wants(t, i, good, valid)
	wants(t, i, other, valid)
}

// A client that has an access token alone cannot ask what has become of its login:
// the claim "fam" makes no refresh token of that family.
func TestAccessTokenDoesNotRevealTheStateOfItsLogin(t *testing.T) {
	s, j := &meter{}, &journal{}
	i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
	live, over, revoked := issued(t, i), issued(t, i), issued(t, i)
	must(t, i.Revoke(t.Context(), over.RefreshToken))
	verified, err := i.Verify(t.Context(), revoked.AccessToken)
	must(t, err)
	must(t, i.LogoutOne(t.Context(), verified.Identity().Subject, verified.Identity().LoginID))
	var unknown [16]byte
	outputs := make(map[string]bool)
	for _, seed := range [][16]byte{familyClaim(t, live.AccessToken), familyClaim(t, over.AccessToken), familyClaim(t, revoked.AccessToken), unknown} {
		j.take()
		_, err := i.Refresh(t.Context(), token.ForgeRefreshToken(nil, seed, [16]byte{}, 0), newAttempt())
		outputs[fmt.Sprint(err, j.kinds())] = true
	}
	if len(outputs) != 1 {
		t.Errorf("%v", outputs)
	}
	wants(t, i, live.RefreshToken, valid)
}

// familyClaim returns what an access token says of its family.
func familyClaim(t *testing.T, text string) [16]byte {
	t.Helper()
	var claims struct {
		Family string `json:"fam"`
	}
	payload, err := b64.DecodeString(strings.Split(text, ".")[1])
	must(t, err)
	must(t, json.Unmarshal(payload, &claims))
	raw, err := b64.DecodeString(claims.Family)
	must(t, err)
	return [16]byte(raw)
}

// gate stops a refresh between its Get and its swap, until it is opened.
func gate(s *meter, key string) (reached <-chan struct{}, open func()) {
	at, opened := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.before = func(op, name string) error {
		if op == "swap" && name == key {
			first := false
			once.Do(func() { first = true })
			if first {
				close(at)
				<-opened
			}
		}
		return nil
	}
	return at, func() { close(opened) }
}

// ASVS 5.0, 7.4.1.
// A refresh that was under way when its login ended does not restore it,
// also once the tombstone has gone.
func TestI8EndedLoginStaysEnded(t *testing.T) {
	type end func(t *testing.T, i *token.Issuer, text string)
	for rule, e := range map[string]end{
		"logout":            func(t *testing.T, i *token.Issuer, text string) { must(t, i.Revoke(t.Context(), text)) },
		"logout everywhere": func(t *testing.T, i *token.Issuer, _ string) { must(t, i.LogoutAll(t.Context(), "alice")) },
	} {
		// A context of a store call ends after 5 seconds; the swap may still be
		// under way.
		for _, later := range []time.Duration{0, 4 * time.Second, 61 * time.Minute, 2 * time.Hour} {
			t.Run(fmt.Sprint(rule, " ", later), inBubble(func(t *testing.T) {
				s := &meter{}
				i := newIssuer(t, over(s, cheapKeys(t)))
				text := issued(t, i).RefreshToken
				reached, open := gate(s, familyKeyOf(text))
				answer := make(chan string)
				go func() { answer <- ends(i, text) }()
				<-reached
				e(t, i, text)
				time.Sleep(later)
				open()
				if got := <-answer; got == valid {
					t.Error("it was answered")
				}
				wants(t, i, text, refusedAs)
				if raw, ok, _ := s.Memory.Get(t.Context(), familyKeyOf(text)); ok {
					if _, _, lives := token.FamilyGeneration(raw); lives {
						t.Error("its record is back")
					}
				}
			}))
		}
	}
}

// ASVS 5.0, 7.3.2 and 10.4.8.
// Nothing outlives the absolute limit, and without a refresh the idle one.
func TestI9NothingOutlivesItsLimits(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		var end int64
		s.saw = func(_ string, _, raw []byte) {
			switch e := token.FamilyEnd(raw); {
			case e != 0 && end == 0:
				end = e
			case e != 0 && e != end:
				t.Error("the end has moved")
			}
		}
		i := newIssuer(t, over(s, cheapKeys(t)))
		began := time.Now()
		tokens := issued(t, i)
		for {
			time.Sleep(59 * time.Minute)
			next, err := i.Refresh(t.Context(), tokens.RefreshToken, newAttempt())
			if err != nil {
				break
			}
			tokens = next
			if got := time.Now().Add(time.Duration(tokens.ExpiresIn) * time.Second); got.After(time.UnixMilli(end)) {
				t.Errorf("an access token is for %v more", got.Sub(time.UnixMilli(end)))
			}
			id, err := i.Verify(t.Context(), tokens.AccessToken)
			must(t, err)
			if id.Identity().Expires.After(time.UnixMilli(end)) {
				t.Error("exp is after the end")
			}
		}
		if lasted := time.Since(began); lasted <= 24*time.Hour || lasted > 25*time.Hour {
			t.Errorf("it has lasted %v", lasted)
		}
		wants(t, i, tokens.RefreshToken, refusedAs)
	})(t)
}

// ASVS 5.0, 7.3.1.
func TestI9IdleLoginEnds(t *testing.T) {
	for idle, want := range map[time.Duration]string{time.Hour - time.Millisecond: valid, time.Hour: refusedAs, time.Hour + 30*time.Second: refusedAs, 20 * time.Hour: refusedAs} {
		inBubble(func(t *testing.T) {
			i := newIssuer(t)
			text := issued(t, i).RefreshToken
			time.Sleep(idle)
			wants(t, i, text, want)
		})(t)
	}
}

// The last access token ends with the login.
func TestI9LastAccessTokenIsCutToTheEnd(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.IssuerConfig) { c.Limits.Lifetime, c.Limits.IdleTimeout = 3*time.Hour, 3*time.Hour })
		text := issued(t, i).RefreshToken
		for _, left := range []time.Duration{time.Minute, 1500 * time.Millisecond, 500 * time.Millisecond} {
			time.Sleep(time.Until(time.Now().Truncate(24 * time.Hour).Add(3*time.Hour - left)))
			tokens := refreshed(t, i, text)
			if tokens.ExpiresIn != int64(left/time.Second) || tokens.RefreshAfter > tokens.ExpiresIn || tokens.RefreshAfter < 0 {
				t.Errorf("%v before the end: %d, refresh after %d", left, tokens.ExpiresIn, tokens.RefreshAfter)
			}
			text = tokens.RefreshToken
		}
	})(t)
}

// With a RevocationCheck, the end of a family ends its access tokens.
func TestI11RevocationCheckSeesTheEnd(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		live := newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.RevocationCheck = true })
		blind := newIssuer(t, over(s, keys))
		late, err := token.NewVerifier(token.VerifierConfig{
			Keys: keys, Issuer: issuerName, Audience: audienceName, RevocationCheck: &token.RevocationCheck{Store: s, Every: time.Minute},
		})
		must(t, err)
		used := issued(t, blind).RefreshToken
		tokens := refreshed(t, blind, used)
		verify := func(v *token.Verifier) string {
			_, err := v.Verify(t.Context(), tokens.AccessToken)
			return outcome(err)
		}
		if verify(live.Verifier) != valid || verify(late) != valid {
			t.Fatal("it is not live at first")
		}
		time.Sleep(gracePeriod + time.Second)
		wants(t, blind, used, reused)
		if verify(live.Verifier) != refusedAs || verify(blind.Verifier) != valid || verify(late) != valid {
			t.Error("at once")
		}
		time.Sleep(time.Minute - gracePeriod - 2*time.Second)
		if verify(late) != valid {
			t.Error("a second before the bound")
		}
		time.Sleep(2 * time.Second)
		if verify(late) != refusedAs {
			t.Error("a second after the bound")
		}
	})(t)
}

// A rotation whose write the store does not confirm is reported once, as a rotation.
func TestRotationIsReportedOnceThoughTheStoreFails(t *testing.T) {
	for _, applied := range []bool{false, true} {
		s, j := &meter{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
		text := issued(t, i).RefreshToken
		j.take()
		failed := false
		fault := func(op, _ string) error {
			if op == "swap" && !failed {
				failed = true
				return errors.New("down")
			}
			return nil
		}
		if s.before = fault; applied {
			s.before, s.after = nil, fault
		}
		wants(t, i, text, valid)
		if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventRenewed}) {
			t.Errorf("applied %v: events %v", applied, kinds)
		}
	}
}

// A client in a loop writes once in a grace period.
func TestI14OneRotationInAGracePeriod(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		text := issued(t, i).RefreshToken
		s.reset()
		for n := range 600 { // a minute
			text = refreshed(t, i, text).RefreshToken
			if gets, swaps, _ := s.reset(); swaps > 0 != (n%101 == 0) || swaps == 0 && gets != 1 {
				t.Errorf("call %d: %d reads, %d writes", n, gets, swaps)
			}
			time.Sleep(100 * time.Millisecond)
		}
	})(t)
}
