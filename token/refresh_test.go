package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// The invariants of rotation, I1 to I15. What the simulation in
// internal/simulate plays at random is here one by one.

// I1: the generation never goes back, and jumps by healing alone.
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
			time.Sleep(window + time.Second)
		}
	})(t)
}

// I2: many refreshes at once, on two hosts, have one answer.
func TestI2ParallelRefreshesHaveOneAnswer(t *testing.T) {
	for _, n := range []int{2, 8, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			s, keys, j := &meter{}, cheapKeys(t), &journal{}
			hosts := []*token.Issuer{newIssuer(t, over(s, keys), heard(j)), newIssuer(t, over(s, keys), heard(j))}
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

// I3: whatever order the answers come in, the browser can go on.
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
			time.Sleep(window)
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

// I4: a retry has the same answer, and moves nothing. A spent token dies when
// its window ends, however often it is tried.
func TestI4RetriesDoNotKeepTheWindowOpen(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		spent := issued(t, i).RefreshToken
		successor := refreshed(t, i, spent).RefreshToken
		s.reset()
		for tries := 0; ; tries++ {
			time.Sleep(window/2 - time.Millisecond)
			tokens, err := i.Refresh(t.Context(), spent, newAttempt())
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

// I4: with its attempt an answer that was lost is got again, however late.
func TestI4LostAnswerIsGotAgainByItsAttempt(t *testing.T) {
	for _, later := range []time.Duration{0, time.Second, window, window + time.Second, time.Hour, 2*time.Hour + 50*time.Minute} {
		t.Run(later.String(), inBubble(func(t *testing.T) {
			j := &journal{}
			i := newIssuer(t, heard(j))
			spent, attempt := issued(t, i).RefreshToken, newAttempt()
			lost, err := i.Refresh(t.Context(), spent, attempt)
			must(t, err)
			j.take()
			time.Sleep(later)
			again, err := i.Refresh(t.Context(), spent, attempt)
			must(t, err)
			if again.RefreshToken != lost.RefreshToken || again.Generation != lost.Generation {
				t.Error("it is another answer")
			}
			if want := later > window; slices.Contains(j.kinds(), auth.EventRecovered) != want {
				t.Errorf("recovered: %v", !want)
			}
			time.Sleep(window + time.Second)
			wants(t, i, again.RefreshToken, valid)
		}))
	}
}

// I5: a spent token ends the family, on every host, and once.
func TestI5SpentTokenEndsTheLogIn(t *testing.T) {
	for rule, c := range map[string]struct {
		refreshes int
		pause     time.Duration
		presented int
	}{
		"the previous one after the window":       {1, window + time.Second, 0},
		"the one before it inside of the window":  {2, 0, 0},
		"the one before it after the window":      {2, window + time.Second, 0},
		"one of long ago":                         {5, 0, 1},
		"the first of many, just after the last":  {9, time.Second, 0},
		"the previous one long after the window":  {1, 2 * time.Hour, 0},
		"the previous one of many":                {6, window + time.Second, 5},
		"the previous one at the end of the idle": {1, 3*time.Hour - time.Second, 0},
	} {
		t.Run(rule, inBubble(func(t *testing.T) {
			s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
			hosts := []*token.Issuer{newIssuer(t, over(s, keys), heard(j)), newIssuer(t, over(s, keys), heard(j))}
			all := []string{issued(t, hosts[0]).RefreshToken}
			for n := range c.refreshes {
				if n > 0 {
					time.Sleep(window + time.Second)
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
			list, err := hosts[0].List(t.Context(), "alice")
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

// I7: what is not ours changes nothing. A malformed token is not even looked up.
func TestI7ForgedTokensChangeNothing(t *testing.T) {
	s, keys := &meter{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys))
	good := issued(t, i).RefreshToken
	other := issued(t, i).RefreshToken
	id := familyIDOf(good)
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

// I8: a refresh that was under way when its log-in ended brings nothing back,
// also once the tombstone has gone.
func TestI8EndedLogInStaysEnded(t *testing.T) {
	type end func(t *testing.T, i *token.Issuer, text string)
	for rule, e := range map[string]end{
		"log-out":            func(t *testing.T, i *token.Issuer, text string) { must(t, i.Revoke(t.Context(), text)) },
		"log-out everywhere": func(t *testing.T, i *token.Issuer, _ string) { must(t, i.LogoutAll(t.Context(), "alice")) },
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

// I9: nothing outlives the absolute limit, and without a refresh the idle one.
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
		if lasted := time.Since(began); lasted <= 12*time.Hour || lasted > 13*time.Hour {
			t.Errorf("it has lasted %v", lasted)
		}
		wants(t, i, tokens.RefreshToken, refusedAs)
	})(t)
}

func TestI9IdleLogInEnds(t *testing.T) {
	for idle, want := range map[time.Duration]string{3*time.Hour - time.Millisecond: valid, 3 * time.Hour: refusedAs, 3*time.Hour + 30*time.Second: refusedAs, 20 * time.Hour: refusedAs} {
		inBubble(func(t *testing.T) {
			i := newIssuer(t)
			text := issued(t, i).RefreshToken
			time.Sleep(idle)
			wants(t, i, text, want)
		})(t)
	}
}

// The last access token ends with the log-in.
func TestI9LastAccessTokenIsCutToTheEnd(t *testing.T) {
	inBubble(func(t *testing.T) {
		i := newIssuer(t, func(c *token.Config) { c.Lifetime, c.IdleTimeout = 3*time.Hour, 3*time.Hour })
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

// I11: the end of a family ends its access tokens where somebody looks.
func TestI11EndIsSeenWhereSomebodyLooks(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		live := newIssuer(t, over(s, keys), func(c *token.Config) { c.LiveCheck = true })
		blind := newIssuer(t, over(s, keys))
		late, err := token.NewVerifier(token.VerifierConfig{
			Keys: keys, Issuer: issuerName, Audience: audienceName, LiveCheck: &token.LiveCheck{Store: s, Every: time.Minute},
		})
		must(t, err)
		spent := issued(t, blind).RefreshToken
		tokens := refreshed(t, blind, spent)
		verify := func(v *token.Verifier) string {
			_, err := v.Verify(t.Context(), tokens.AccessToken)
			return outcome(err)
		}
		if verify(live.Verifier) != valid || verify(late) != valid {
			t.Fatal("it is not live at first")
		}
		time.Sleep(window + time.Second)
		wants(t, blind, spent, reused)
		if verify(live.Verifier) != refusedAs || verify(blind.Verifier) != valid || verify(late) != valid {
			t.Error("at once")
		}
		time.Sleep(time.Minute - window - 2*time.Second)
		if verify(late) != valid {
			t.Error("a second before the bound")
		}
		time.Sleep(2 * time.Second)
		if verify(late) != refusedAs {
			t.Error("a second after the bound")
		}
	})(t)
}

// I13: a store that fails is never a log-out. Whichever call fails, before or
// after it was done, the same client gets its answer by trying again.
func TestI13FailingStoreIsNoLogOut(t *testing.T) {
	errDown := errors.New("down")
	for _, applied := range []bool{false, true} {
		for n := 1; ; n++ {
			failed := false
			t.Run(fmt.Sprintf("call %d, applied %v", n, applied), inBubble(func(t *testing.T) {
				s := &meter{}
				i := newIssuer(t, over(s, cheapKeys(t)))
				text, attempt := issued(t, i).RefreshToken, newAttempt()
				calls := 0
				fault := func(string, string) error {
					if calls++; calls == n {
						failed = true
						return errDown
					}
					return nil
				}
				if s.before = fault; applied {
					s.before, s.after = nil, fault
				}
				tokens, err := i.Refresh(t.Context(), text, attempt)
				if got := outcome(err); got != valid && got != unavailable {
					t.Fatal(got)
				}
				s.before, s.after = nil, nil
				time.Sleep(window + time.Second)
				again, err := i.Refresh(t.Context(), text, attempt)
				if err != nil || again.Generation != 1 || tokens.RefreshToken != "" && tokens.RefreshToken != again.RefreshToken {
					t.Errorf("generation %d: %v", again.Generation, err)
				}
				wants(t, i, again.RefreshToken, valid)
			}))
			if !failed {
				if n < 4 {
					t.Errorf("only %d calls", n-1)
				}
				break
			}
		}
	}
}

// A store that stays down is neither yes nor no, and touches nothing.
func TestI13StoreThatStaysDownIsUnavailable(t *testing.T) {
	for _, broken := range []string{"get", "swap"} {
		s, j := &meter{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), heard(j))
		text := issued(t, i).RefreshToken
		before, _, _ := s.Memory.Get(t.Context(), familyKeyOf(text))
		s.before = func(op, _ string) error {
			if op == broken {
				return errors.New("down")
			}
			return nil
		}
		wants(t, i, text, unavailable)
		for what, err := range map[string]error{
			"Revoke":    i.Revoke(t.Context(), text),
			"LogoutAll": i.LogoutAll(t.Context(), "alice"),
			"Issue":     func() error { _, err := i.Issue(t.Context(), alice); return err }(),
		} {
			if outcome(err) != unavailable {
				t.Errorf("%s: %v", what, err)
			}
		}
		s.before = nil
		if after, _, _ := s.Memory.Get(t.Context(), familyKeyOf(text)); !bytes.Equal(before, after) {
			t.Error("the record has changed")
		}
		wants(t, i, text, valid)
	}
}

// What others do to a family each time is no success for long: the client is
// asked to come again.
func TestRefreshGivesUpAgainstFasterOnes(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	text := issued(t, i).RefreshToken
	key := familyKeyOf(text)
	s.before = func(op, name string) error {
		if op == "swap" && name == key {
			raw, _, _ := s.Memory.Get(t.Context(), key)
			other := bytes.Clone(raw)
			other[3]++ // the writeID
			s.Memory.CompareAndSwap(t.Context(), key, raw, other, time.Hour)
		}
		return nil
	}
	s.reset()
	wants(t, i, text, unavailable)
	if _, swaps, _ := s.reset(); swaps != 4 {
		t.Errorf("%d tries", swaps)
	}
	s.before = nil
	wants(t, i, text, valid)
}

// I14: a client in a loop writes once in a window.
func TestI14OneRotationInAWindow(t *testing.T) {
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

// I15: new keys in the middle of a window change no answer.
func TestI15KeysRotateInsideAWindow(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, keys := &store.Memory{}, cheapKeys(t)
		a, b := newIssuer(t, over(s, keys)), newIssuer(t, over(s, keys))
		first := issued(t, a).RefreshToken
		second := refreshed(t, a, first).RefreshToken
		must(t, keys.Rotate())
		if refreshed(t, b, first).RefreshToken != second || refreshed(t, a, second).RefreshToken != second {
			t.Error("another successor")
		}
		time.Sleep(window + time.Second)
		must(t, keys.Rotate())
		third := refreshed(t, b, second).RefreshToken
		wants(t, a, third, valid)
	})(t)
}

// A secret that is gone for good ends its log-ins; one that is not here yet
// ends nothing.
func TestI15RetiredSecretRevokesAndUnknownOneWaits(t *testing.T) {
	s, keys, j := &store.Memory{}, cheapKeys(t), &journal{}
	i := newIssuer(t, over(s, keys), heard(j))
	text := issued(t, i).RefreshToken
	elsewhere := newIssuer(t, over(s, cheapKeys(t)), heard(j))
	j.take()
	wants(t, elsewhere, text, unavailable)
	if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventFault}) {
		t.Errorf("events %v", kinds)
	}
	wants(t, i, text, valid)
	must(t, keys.Rotate())
	wants(t, i, text, valid)
	_, err := keys.DropFormer(0)
	must(t, err)
	wants(t, i, text, refusedAs)
}

// A record of a later version waits for it, and a corrupt one for its owner.
// Neither is a word on the client.
func TestFamilyThatMakesNoSenseIsUnavailable(t *testing.T) {
	for rule, change := range map[string]func([]byte) []byte{
		"newer":   func(b []byte) []byte { b[0]++; return b },
		"corrupt": func(b []byte) []byte { return b[:len(b)-1] },
		"foreign": func([]byte) []byte { return []byte("a session, say") },
	} {
		s, j := &store.Memory{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), heard(j))
		text := issued(t, i).RefreshToken
		key := familyKeyOf(text)
		raw, _, _ := s.Get(t.Context(), key)
		s.CompareAndSwap(t.Context(), key, raw, change(bytes.Clone(raw)), time.Hour)
		j.take()
		wants(t, i, text, unavailable)
		if events := j.take(); len(events) != 1 || events[0].Kind != auth.EventFault || events[0].Err == nil {
			t.Errorf("%s: events %v", rule, events)
		}
		if _, err := i.List(t.Context(), "alice"); (err != nil) != (rule == "newer") {
			t.Errorf("%s: list: %v", rule, err)
		}
	}
}

// A store that has lost a write is healed by the client that had its answer.
func TestLostWriteIsHealed(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, j := &store.Memory{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), heard(j))
		text := issued(t, i).RefreshToken
		key := familyKeyOf(text)
		before, _, _ := s.Get(t.Context(), key)
		for range 3 {
			text = refreshed(t, i, text).RefreshToken
			time.Sleep(window + time.Second)
		}
		now, _, _ := s.Get(t.Context(), key)
		s.CompareAndSwap(t.Context(), key, now, before, time.Hour)
		j.take()
		if tokens := refreshed(t, i, text); tokens.Generation != 3 || tokens.RefreshToken != text {
			t.Errorf("generation %d", tokens.Generation)
		}
		if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventHealed}) {
			t.Errorf("events %v", kinds)
		}
		time.Sleep(window + time.Second)
		wants(t, i, text, valid)
	})(t)
}

// A refresh that writes looks whether its log-in is still listed, and ends it
// if not: the list has lost it, or a log-out was lost.
func TestRefreshEndsWhatIsNotListed(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, j := &meter{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), heard(j))
		text := issued(t, i).RefreshToken
		family := familyKeyOf(text)
		before, _, _ := s.Memory.Get(t.Context(), family)
		must(t, i.Revoke(t.Context(), text))
		tombstone, _, _ := s.Memory.Get(t.Context(), family)
		s.Memory.CompareAndSwap(t.Context(), family, tombstone, before, time.Hour) // the failover
		j.take()
		wants(t, i, text, refusedAs)
		if kinds := j.kinds(); !slices.Equal(kinds, []auth.EventKind{auth.EventRevoked}) {
			t.Errorf("events %v", kinds)
		}
		wants(t, i, text, refusedAs)
	})(t)
}

// A client that goes away changes nothing: the refresh is carried out.
func TestRefreshGoesOnWhenTheClientGoesAway(t *testing.T) {
	i := newIssuer(t)
	text := issued(t, i).RefreshToken
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if tokens, err := i.Refresh(ctx, text, newAttempt()); err != nil || tokens.Generation != 1 {
		t.Errorf("generation %d: %v", tokens.Generation, err)
	}
}

// A store that hangs is given up after 5 seconds.
func TestRefreshGivesUpAStoreThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &hanging{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		text := issued(t, i).RefreshToken
		s.hangs = true
		began := time.Now()
		wants(t, i, text, unavailable)
		if waited := time.Since(began); waited > 5*time.Second {
			t.Errorf("after %v", waited)
		}
	})
}

type hanging struct {
	store.Memory
	hangs bool
}

func (h *hanging) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if h.hangs {
		<-ctx.Done()
		return false, ctx.Err()
	}
	return h.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

// A client that sends no attempt is served where that is allowed, and loses its
// log-in with a lost answer.
func TestAttemptIsRequiredUnlessOptional(t *testing.T) {
	inBubble(func(t *testing.T) {
		strict, lax := newIssuer(t), newIssuer(t, func(c *token.Config) { c.AttemptOptional = true })
		for rule, attempt := range map[string]string{
			"none": "", "21 characters": newAttempt()[:21], "129 characters": strings.Repeat("a", 129),
			"a space": newAttempt()[:21] + " ", "a plus": newAttempt()[:21] + "+", "a line feed": newAttempt() + "\n",
			"not ASCII": newAttempt()[:21] + "é", "padded": newAttempt() + "==", "a NUL": newAttempt()[:21] + "\x00",
		} {
			for which, i := range map[string]*token.Issuer{"strict": strict, "lax": lax} {
				text := issued(t, i).RefreshToken
				_, err := i.Refresh(t.Context(), text, attempt)
				if rule == "none" && which == "lax" {
					must(t, err)
				} else if !errors.Is(err, auth.ErrForbidden) {
					t.Errorf("%s, %s: %v", rule, which, err)
				}
			}
		}
		for _, attempt := range []string{newAttempt(), strings.Repeat("_-", 64)} {
			if _, err := strict.Refresh(t.Context(), issued(t, strict).RefreshToken, attempt); err != nil {
				t.Errorf("%d characters: %v", len(attempt), err)
			}
		}
		text := issued(t, lax).RefreshToken
		for range 2 {
			_, err := lax.Refresh(t.Context(), text, "")
			must(t, err)
		}
		time.Sleep(window + time.Second)
		if _, err := lax.Refresh(t.Context(), text, ""); !errors.Is(err, token.ErrReused) {
			t.Error(err)
		}
	})(t)
}
