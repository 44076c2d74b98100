package session_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// repetition is what a scenario of repeated logins knows: everything that an outsider could
// notice.
type repetition struct {
	t       testing.TB
	model   *interleave.Model
	before  *browser // as it was before the first login
	first   *browser // what a login has returned
	second  *browser // what a later or concurrent one has returned
	items   int      // that were saved before the first login
	saved   bool     // Update has returned nil
	updated bool     // Update has returned
	failed  int      // logins with an error
}

func newRepetition(t testing.TB, model *interleave.Model, stepUp bool) *repetition {
	m := newManager(t, session.Config{Store: model})
	r := &repetition{t: t, model: model, before: visitor(t, m), items: 1}
	if stepUp {
		check(t, r.before.login(m, "alice"))
	}
	return r
}

// login logs in with the old cookie, and keeps the new one in got.
func (r *repetition) login(s store.Store, got **browser) {
	tab := *r.before
	if err := tab.login(newManager(r.t, session.Config{Store: s}), "alice"); err != nil {
		r.failed++
		return
	}
	*got = &tab
}

// update saves something in the old session.
func (r *repetition) update(s store.Store) {
	r.saved = r.before.add(newManager(r.t, session.Config{Store: s})) == nil
	r.updated = true
}

func (r *repetition) look() *session.Manager {
	return newManager(r.t, session.Config{Store: r.model})
}

// count returns what is in the cart of a live session.
func (r *repetition) count(b *browser) (n int, live bool) {
	s, err := r.look().Get(b.request("GET"))
	if err != nil {
		return 0, false
	}
	if n, err = count.Get(s); err != nil {
		r.t.Error(err)
	}
	return n, true
}

func (r *repetition) want() int {
	if r.saved {
		return r.items + 1
	}
	return r.items
}

func (r *repetition) facts() string {
	return fmt.Sprint(r.first != nil, r.second != nil, r.saved, r.updated, r.failed)
}

// carries checks that a login has the values, of which one may be saved by an update whose
// outcome is not known yet.
func (r *repetition) carries(b *browser) error {
	if n, live := r.count(b); live && n != r.want() && (r.updated && r.saved || n != r.items+1) {
		return fmt.Errorf("a login has %d values, want %d", n, r.want())
	}
	return nil
}

// ASVS 5.0, 7.2.4 and 15.4.2. hestiacp#5570, FreshRSS#7762: every order of the store calls of
// a login, its repetition by a browser that has lost the response, and an update of the old
// session, with a fault or a crash anywhere.
func TestEveryOrderOfARepeatedLogin(t *testing.T) {
	for _, stepUp := range []bool{false, true} {
		for faults := range 2 {
			if raceEnabled && faults > 0 {
				continue
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				r := newRepetition(t, model, stepUp)
				return interleave.Scenario{
					Actors: []func(store.Store){
						func(s store.Store) { r.login(s, &r.first); r.login(s, &r.second) },
						r.update,
					},
					Faults: faults,
					Facts:  r.facts,
					Check: func(done bool) error {
						if r.first != nil && r.before.session(r.look()) == valid {
							return errors.New("the old session outlives the login that replaces it")
						}
						if r.second == nil {
							return nil
						}
						if n, live := r.count(r.second); !live {
							return errors.New("the repeated login is not alive")
						} else if faults == 0 && n != r.want() && r.updated {
							return fmt.Errorf("the repeated login has %d values, want %d", n, r.want())
						}
						if r.first != nil && r.first.session(r.look()) == valid {
							return errors.New("two logins of one browser are alive")
						}
						if list, err := r.look().Logins(t.Context(), "alice"); faults == 0 && (len(list) != 1 || err != nil) {
							return fmt.Errorf("%d logins are listed, %v", len(list), err)
						}
						return r.carries(r.second)
					},
				}
			})
			t.Logf("step-up %t, %d faults: %d states", stepUp, faults, states)
		}
	}
}

// magento2#15434: every order of the store calls of two logins at once with one old cookie,
// and an update of the old session. Each login that is alive has the values, and one is.
func TestEveryOrderOfTwoLoginsWithOneOldCookie(t *testing.T) {
	for _, stepUp := range []bool{false, true} {
		states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
			r := newRepetition(t, model, stepUp)
			return interleave.Scenario{
				Actors: []func(store.Store){
					func(s store.Store) { r.login(s, &r.first) },
					func(s store.Store) { r.login(s, &r.second) },
					r.update,
				},
				Facts: r.facts,
				Check: func(done bool) error {
					if (r.first != nil || r.second != nil) && r.before.session(r.look()) == valid {
						return errors.New("the old session outlives the login that replaces it")
					}
					if !done {
						return nil
					}
					if r.first == nil || r.second == nil {
						return fmt.Errorf("%d logins have failed", r.failed)
					}
					_, one := r.count(r.first)
					_, two := r.count(r.second)
					if !one && !two {
						return errors.New("no login is alive")
					}
					return errors.Join(r.carries(r.first), r.carries(r.second))
				},
			}
		})
		t.Logf("step-up %t: %d states", stepUp, states)
	}
}
