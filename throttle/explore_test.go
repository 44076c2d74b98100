package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/store"
)

// room is one account and one address, and the outcomes of the attempts.
type room struct {
	t       *testing.T
	model   *interleave.Model
	limiter *Limiter

	checks   []string // the outcome of each call of check, in order
	answers  []string
	wasReset bool
}

const allowed = 2

func newRoom(t *testing.T, model *interleave.Model) *room {
	m := &room{t: t, model: model}
	m.limiter = m.server(model)
	return m
}

func (m *room) server(s store.Store) *Limiter {
	limiter, err := New(Config{Store: s, Failures: allowed, FirstWait: time.Hour, AddressFailures: 3, AddressRecovery: time.Hour})
	if err != nil {
		m.t.Fatal(err)
	}
	return limiter
}

// try returns an attempt at a server of its own, with a check of this outcome.
func (m *room) try(how string) func(store.Store) {
	i := len(m.answers)
	m.answers = append(m.answers, "")
	return func(s store.Store) {
		err := m.server(s).Try(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), "alice", func() error {
			m.checks = append(m.checks, how)
			switch how {
			case "right":
				return nil
			case "unable":
				return errors.ErrUnsupported
			}
			return auth.ErrUnauthenticated
		})
		var throttled *Error
		switch {
		case err == nil:
			m.answers[i] = "right"
		case errors.Is(err, auth.ErrUnauthenticated):
			m.answers[i] = "wrong"
		case errors.As(err, &throttled):
			m.answers[i] = "throttled"
		case errors.Is(err, errors.ErrUnsupported):
			m.answers[i] = "unable"
		default:
			m.answers[i] = "no answer"
		}
	}
}

func (m *room) reset(s store.Store) {
	if m.server(s).Reset(context.Background(), "alice") == nil {
		m.wasReset = true
	}
}

// standing returns how many attempts count against the account and the address.
func (m *room) standing() (account, address int) {
	for where, parts := range map[*int][]string{&account: {"account", "alice"}, &address: {"address", "192.0.2.1"}} {
		d := m.limiter.digest(parts...)
		raw, ok, _ := m.model.Get(context.Background(), d.Key())
		if !ok {
			continue
		}
		c, err := decodeCount(raw, d)
		if err != nil {
			return -1, -1
		}
		*where = len(c.attempts)
	}
	return account, address
}

func (m *room) number(of []string, how string) (n int) {
	for _, each := range of {
		if each == how {
			n++
		}
	}
	return n
}

func (m *room) facts() string { return fmt.Sprint(m.checks, m.answers, m.wasReset) }

// ASVS 5.0, 2.4.1: in every order of store calls, with a number of calls that fail
// before or after they took place and servers that crash, no more attempts are made
// than allowed, and each failed attempt counts exactly once.
func TestEveryInterleavingCountsWhatIsTried(t *testing.T) {
	for _, scenario := range []struct {
		name         string
		hows         []string
		faults, long int // as many with AUTH_LONG=1
		withReset    bool
	}{
		{"two wrong", []string{"wrong", "wrong"}, 1, 2, false},
		{"three wrong", []string{"wrong", "wrong", "wrong"}, 0, 1, false},
		{"wrong and right", []string{"wrong", "right"}, 1, 2, false},
		{"wrong and unable", []string{"wrong", "unable"}, 1, 2, false},
		{"two unable", []string{"unable", "unable"}, 0, 1, false},
		{"wrong and reset", []string{"wrong"}, 2, 3, true},
		{"two wrong and reset", []string{"wrong", "wrong"}, 0, 1, true},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			if os.Getenv("AUTH_LONG") != "" {
				scenario.faults = scenario.long
			}
			if testing.Short() {
				scenario.faults = 0
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				m := newRoom(t, model)
				s := interleave.Scenario{Faults: scenario.faults, Facts: m.facts}
				for _, how := range scenario.hows {
					s.Actors = append(s.Actors, m.try(how))
				}
				if scenario.withReset {
					s.Actors = append(s.Actors, m.reset)
				}
				s.Check = func(done bool) error { return m.judge(done, scenario.faults, scenario.withReset) }
				return s
			})
			t.Logf("%d states, with up to %d faults", states, scenario.faults)
		})
	}
}

func (m *room) judge(done bool, faults int, withReset bool) error {
	account, address := m.standing()
	wrong, right := m.number(m.checks, "wrong"), m.number(m.checks, "right")
	resets := right > 0 || withReset
	switch {
	case account < 0:
		return errors.New("a record cannot be decoded")
	case !resets && wrong > allowed:
		return fmt.Errorf("%d wrong attempts were made", wrong)
	case !resets && account < wrong:
		return fmt.Errorf("%d wrong attempts were made, %d stand against the account", wrong, account)
	case address < wrong:
		return fmt.Errorf("%d wrong attempts were made, %d stand against the address", wrong, address)
	case account > len(m.answers) || address > len(m.answers):
		return fmt.Errorf("of %d attempts %d stand against the account and %d against the address", len(m.answers), account, address)
	}
	if !done || faults > 0 {
		return nil
	}
	// Without a fault only wrong attempts count, and all attempts have an outcome.
	if address != wrong || !resets && account != wrong || slices.Contains(m.answers, "no answer") || slices.Contains(m.answers, "") {
		return fmt.Errorf("%q: %d stand against the account, %d against the address", m.answers, account, address)
	}
	return nil
}
