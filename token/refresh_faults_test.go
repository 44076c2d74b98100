package token_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// ASVS 5.0, 2.3.3 and 16.5.2.
// A store failure never ends a login. Whichever call fails, before or
// after it was done, the same client gets its answer by trying again.
func TestI13FailingStoreIsNoLogout(t *testing.T) {
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
				time.Sleep(gracePeriod + time.Second)
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

// ASVS 5.0, 16.5.2 and 16.5.3.
// A store that stays down is neither yes nor no, and touches nothing.
func TestI13StoreThatStaysDownIsUnavailable(t *testing.T) {
	for _, broken := range []string{"get", "swap"} {
		s, j := &meter{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
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

// If other refreshes change the family each time, the refresh gives up: the client is
// asked to come again.
func TestRefreshGivesUpAgainstFasterOnes(t *testing.T) {
	s := &meter{}
	i := newIssuer(t, over(s, cheapKeys(t)))
	text := issued(t, i).RefreshToken
	key := familyKeyOf(text)
	s.before = func(op, name string) error {
		if op == "swap" && name == key {
			raw, _, _ := s.Memory.Get(t.Context(), key)
			other := token.RewriteFamily(raw)
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

// A record of a later version waits for it, and a corrupt one for its owner.
// Neither is a word on the client.
func TestFamilyThatMakesNoSenseIsUnavailable(t *testing.T) {
	for rule, change := range map[string]func([]byte) []byte{
		"newer":   func(b []byte) []byte { b[0] = 0x2f; return b }, // the last format of families
		"corrupt": func(b []byte) []byte { return b[:len(b)-1] },
		"foreign": func([]byte) []byte { return []byte("a session, say") },
	} {
		s, j := &store.Memory{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
		text := issued(t, i).RefreshToken
		key := familyKeyOf(text)
		raw, _, _ := s.Get(t.Context(), key)
		s.CompareAndSwap(t.Context(), key, raw, change(bytes.Clone(raw)), time.Hour)
		j.take()
		wants(t, i, text, unavailable)
		if events := j.take(); len(events) != 1 || events[0].Kind != auth.EventFault || events[0].Err == nil {
			t.Errorf("%s: events %v", rule, events)
		}
		if _, err := i.Logins(t.Context(), "alice"); (err != nil) != (rule == "newer") {
			t.Errorf("%s: list: %v", rule, err)
		}
	}
}

// A store that has lost a write is healed by the client that had its answer.
func TestLostWriteIsHealed(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, j := &store.Memory{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
		text := issued(t, i).RefreshToken
		key := familyKeyOf(text)
		before, _, _ := s.Get(t.Context(), key)
		for range 3 {
			text = refreshed(t, i, text).RefreshToken
			time.Sleep(gracePeriod + time.Second)
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
		time.Sleep(gracePeriod + time.Second)
		wants(t, i, text, valid)
	})(t)
}

// A refresh that writes checks that its login is still listed, and ends it
// if not: the list has lost it, or a logout was lost.
func TestRefreshEndsWhatIsNotListed(t *testing.T) {
	inBubble(func(t *testing.T) {
		s, j := &meter{}, &journal{}
		i := newIssuer(t, over(s, cheapKeys(t)), reportTo(j))
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

// An error begins with the package and what was being done, in one line,
// no matter which call of the store has failed.
func TestErrorsSayWhatWasBeingDone(t *testing.T) {
	inBubble(func(t *testing.T) {
		s := &meter{}
		i := newIssuer(t, over(s, cheapKeys(t)))
		text, calls := issued(t, i).RefreshToken, 0
		time.Sleep(time.Minute)
		for fails := 1; ; fails++ {
			calls = 0
			s.before = func(string, string) error {
				if calls++; calls >= fails {
					return errors.New("down")
				}
				return nil
			}
			_, err := i.Refresh(t.Context(), text, newAttempt())
			if err == nil {
				break
			}
			if outcome(err) != unavailable || !strings.HasPrefix(err.Error(), "token: ") || strings.Contains(err.Error(), "\n") {
				t.Errorf("call %d: %v", fails, err)
			}
		}
		if calls != 3 { // the family, the list, and the swap
			t.Errorf("%d calls", calls)
		}
	})(t)
	i := newIssuer(t, func(c *token.IssuerConfig) { c.Cookie = cookie.New("refresh").Insecure() }) // not here
	r := (&browser{}).request("POST", "/")
	r.Header["Cookie"] = []string{"refresh=a; refresh=b"}
	err := i.Logout(httptest.NewRecorder(), r)
	if outcome(err) != refusedAs || !strings.Contains(err.Error(), "; ") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%q", err)
	}
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
