package onetime_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/store"
)

// CVE-2020-15222, -15223: in every order of store calls, with a number of calls
// that fail before or after they took place and callers that crash, at most one
// redemption succeeds. Without faults exactly one does.
func TestEveryInterleavingHasAtMostOneWinner(t *testing.T) {
	for _, test := range []struct{ redeem, faults int }{{2, 0}, {3, 0}, {2, 1}, {2, 2}, {2, 4}, {3, 2}} {
		t.Run(fmt.Sprintf("%d redeem with %d faults", test.redeem, test.faults), func(t *testing.T) {
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				token := issue(t, over(t, model), "reset", "alice")
				answers := make([]string, test.redeem)
				scenario := interleave.Scenario{Faults: test.faults, Facts: func() string { return fmt.Sprint(answers) }}
				for i := range test.redeem {
					scenario.Actors = append(scenario.Actors, func(s store.Store) {
						answers[i] = redeem(over(t, s), token)
					})
				}
				scenario.Check = func(done bool) error { return judge(answers, done && test.faults == 0) }
				return scenario
			})
			t.Logf("explored %d states", states)
		})
	}
}

func redeem(tokens *onetime.Tokens, token string) string {
	payload, err := tokens.Redeem(context.Background(), "reset", token)
	switch {
	case err != nil && (strings.Contains(err.Error(), token) || strings.Contains(err.Error(), "alice")):
		return "an error with a secret" // ASVS 5.0, 16.2.5
	case err == nil && payload == "alice":
		return "won"
	case payload != "":
		return "a payload beside an error"
	case errors.Is(err, onetime.ErrUsed):
		return "used"
	case errors.Is(err, onetime.ErrUnknown):
		return "unknown"
	}
	return "fault"
}

func judge(answers []string, all bool) error {
	won := 0
	for _, answer := range answers {
		switch answer {
		case "won":
			won++
		case "", "used", "fault":
		default:
			return fmt.Errorf("an outcome is %q", answer)
		}
	}
	if won > 1 || all && (won != 1 || slices.Contains(answers, "fault")) {
		return fmt.Errorf("the outcomes are %q", answers)
	}
	return nil
}

// ASVS 5.0, 16.5.2, 16.5.3. A store that is down is reported as a fault. A single failed
// swap does not fail the call.
func TestFaults(t *testing.T) {
	down := errors.New("the store is down")
	for _, test := range []struct {
		name  string
		fault func(call int, do func()) error // call 0 is the first read
		want  string
	}{
		{"the read fails", at(down, false, 0), "fault"},
		{"the swap fails before", at(down, false, 1), "won"},
		{"the swap fails after", at(down, true, 1), "won"},
		{"the swap and the read after it fail", at(down, true, 1, 2), "fault"},
		{"both swaps fail before", at(down, false, 1, 3), "fault"},
		{"both swaps fail after", at(down, true, 1, 3), "won"},
		{"the swap returns false but was applied", at(nil, true, 1), "won"},
		{"both swaps return false", at(nil, false, 1, 3), "fault"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &faulty{mapStore: &mapStore{}}
			token := issue(t, over(t, s), "reset", "alice")
			s.fault = test.fault
			if got := redeem(over(t, s), token); got != test.want {
				t.Fatalf("got %q, want %q", got, test.want)
			}
			s.fault = nil
			again := redeem(over(t, s), token)
			if test.want == "won" && again != "used" || again != "won" && again != "used" {
				t.Errorf("afterwards %q", again)
			}
		})
	}
}

// at makes calls fail, after they were applied or instead. A nil error is a swap that
// returns false.
func at(err error, done bool, calls ...int) func(int, func()) error {
	return func(call int, do func()) error {
		if !slices.Contains(calls, call) {
			do()
			return nil
		}
		if done {
			do()
		}
		if err == nil {
			return errNotSwapped
		}
		return err
	}
}

var errNotSwapped = errors.New("no")

type faulty struct {
	*mapStore
	fault func(int, func()) error
	call  int
}

func (f *faulty) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if f.fault == nil {
		return f.mapStore.Get(ctx, key)
	}
	f.call++
	if err := f.fault(f.call-1, func() { value, ok, _ = f.mapStore.Get(ctx, key) }); err != nil {
		return nil, false, err
	}
	return value, ok, nil
}

func (f *faulty) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if f.fault == nil {
		return f.mapStore.CompareAndSwap(ctx, key, old, new, ttl)
	}
	f.call++
	err = f.fault(f.call-1, func() { swapped, _ = f.mapStore.CompareAndSwap(ctx, key, old, new, ttl) })
	if err == errNotSwapped {
		return false, nil
	}
	return swapped && err == nil, err
}

func TestIssueOfUnknownOutcomeGivesNoToken(t *testing.T) {
	for _, done := range []bool{false, true} {
		s := &faulty{mapStore: &mapStore{}, fault: at(errors.New("down"), done, 0)}
		if token, err := over(t, s).Issue(t.Context(), "reset", "alice", time.Hour); err == nil || token != "" {
			t.Errorf("%q, %v", token, err)
		}
	}
}

// A client that disconnects between the read and the swap does not prevent the swap.
func TestSwapGoesOnWhenTheClientHangsUp(t *testing.T) {
	s := &faulty{mapStore: &mapStore{}}
	token := issue(t, over(t, s), "reset", "alice")
	ctx, hangUp := context.WithCancel(t.Context())
	s.fault = func(call int, do func()) error {
		do()
		hangUp()
		return nil
	}
	if payload, err := over(t, s).Redeem(ctx, "reset", token); err != nil || payload != "alice" {
		t.Errorf("%q, %v", payload, err)
	}
}
