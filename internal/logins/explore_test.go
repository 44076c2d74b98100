package logins_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/lab/interleave"
	. "github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

const subject = "alice"

// observed is what a scenario knows of its logins: everything that is visible outside
// of the package.
type observed struct {
	model *interleave.Model
	bound int

	disclosed   []Digest // in this order
	resurrected bool
	mustEnd     map[string]map[Digest]bool // by the name of a logout that has returned nil
}

func newObserved(model *interleave.Model, bound int) *observed {
	w := &observed{model: model, bound: bound, mustEnd: make(map[string]map[Digest]bool)}
	model.Swapped = func(old, _ []byte) {
		if _, tombstone := ParseTombstone(old); tombstone {
			w.resurrected = true
		}
	}
	return w
}

func (w *observed) lists(s store.Store) *Lists {
	return &Lists{Store: s, Bound: w.bound, Fault: func(context.Context, string, error) {}}
}

func newDigest() (d Digest) {
	rand.Read(d[:])
	return d
}

// liveRecord returns a unique live record.
func liveRecord() []byte { return record.AppendWriteID([]byte{0x10}) }

func entry(d Digest) Entry {
	return Entry{Digest: d, Kind: Session, Expires: time.Now().Add(time.Hour)}
}

// existing makes a login before the actors start.
func (w *observed) existing() Digest {
	d := newDigest()
	w.login(d)(w.model)
	return d
}

// login is what a mode does: create, list, disclose.
func (w *observed) login(d Digest) func(store.Store) {
	return func(s store.Store) {
		ctx := context.Background()
		created, err := s.CompareAndSwap(ctx, d.Key(), nil, liveRecord(), time.Hour)
		if err == nil && created {
			err = w.lists(s).Add(ctx, subject, entry(d), nil)
		}
		if err != nil || !created {
			w.lists(s).EndRecord(ctx, Session, d, Revoked)
			return
		}
		w.disclosed = append(w.disclosed, d)
	}
}

// logout ends logins. Those that were disclosed before it was called, and that
// it picks, have ended once it has returned nil.
func (w *observed) logout(name string, pick func(Entry) bool) func(store.Store) {
	return func(s store.Store) {
		before := make(map[Digest]bool)
		for _, d := range w.disclosed {
			if pick(entry(d)) {
				before[d] = true
			}
		}
		if _, err := w.lists(s).End(context.Background(), subject, Revoked, pick); err == nil {
			w.mustEnd[name] = before
		}
	}
}

// leave is a logout with the login's own credential.
func (w *observed) leave(d Digest) func(store.Store) {
	return func(s store.Store) {
		if err := w.lists(s).EndOne(context.Background(), subject, Session, d, LoggedOut); err == nil {
			w.mustEnd["logout of one"] = map[Digest]bool{d: true}
		}
	}
}

// touch is a request that records the use of a login.
func (w *observed) touch(d Digest) func(store.Store) {
	return func(s store.Store) {
		ctx := context.Background()
		raw, ok, err := s.Get(ctx, d.Key())
		if _, ended := ParseTombstone(raw); err != nil || !ok || ended {
			return
		}
		listed, err := w.lists(s).Listed(ctx, subject, d)
		switch {
		case err != nil:
		case !listed:
			w.lists(s).EndRecord(ctx, Session, d, Revoked)
		default:
			s.CompareAndSwap(ctx, d.Key(), raw, liveRecord(), time.Hour)
		}
	}
}

// update is a client that keeps changing its record, as long as it is there.
func (w *observed) update(d Digest, times int) func(store.Store) {
	return func(s store.Store) {
		ctx := context.Background()
		for range times {
			raw, ok, err := s.Get(ctx, d.Key())
			if _, ended := ParseTombstone(raw); err != nil || !ok || ended {
				return
			}
			s.CompareAndSwap(ctx, d.Key(), raw, liveRecord(), time.Hour)
		}
	}
}

// onFull is an actor whose store takes no swap.
func onFull(actor func(store.Store)) func(store.Store) {
	return func(s store.Store) { actor(full{s}) }
}

type full struct{ store.Store }

var errFull = errors.New("the store is full")

func (full) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errFull
}

func (w *observed) lives(d Digest) bool {
	raw, ok, _ := w.model.Get(context.Background(), d.Key())
	_, tombstone := ParseTombstone(raw)
	return ok && !tombstone
}

// check checks the invariants of the protocol.
func (w *observed) check() error {
	if w.resurrected || w.model.Recreated {
		return errors.New("a login was resurrected")
	}
	entries := w.entries()
	for i, d := range w.disclosed {
		if w.lives(d) && !entries[d] {
			return fmt.Errorf("login %d lives and is not listed", i)
		}
	}
	for name, digests := range w.mustEnd {
		for d := range digests {
			if w.lives(d) {
				return fmt.Errorf("a login outlived %s", name)
			}
		}
	}
	return nil
}

// entries returns the logins in the list, marked or not.
func (w *observed) entries() map[Digest]bool {
	all := make(map[Digest]bool)
	for _, e := range w.lists(w.model).All(subject) {
		all[e.Digest] = true
	}
	return all
}

// facts are what check knows beyond the store.
func (w *observed) facts() string {
	text := ""
	for i, d := range w.disclosed {
		text += fmt.Sprint(" ", i)
		for _, name := range []string{"logout everywhere", "logout of one"} {
			text += fmt.Sprint(w.mustEnd[name][d])
		}
	}
	return text
}

func everything(Entry) bool { return true }

func only(d Digest) func(Entry) bool {
	return func(e Entry) bool { return e.Digest == d }
}

// ASVS 5.0, 2.3.3, 2.3.4, 7.4.2 and 15.4.2.
func TestEveryInterleavingAndCrashPoint(t *testing.T) {
	scenarios := []struct {
		name   string
		bound  int
		faults int // where AUTH_LONG=1 is not set, three at once go without; 1 at most with -short
		actors func(w *observed) []func(store.Store)
	}{
		{"a login against logout everywhere", 100, 2, func(w *observed) []func(store.Store) {
			w.existing()
			return []func(store.Store){w.login(newDigest()), w.logout("logout everywhere", everything)}
		}},
		{"a login against logout everywhere, and a touch", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.login(newDigest()), w.logout("logout everywhere", everything), w.touch(a)}
		}},
		{"logout of one against logout everywhere and a touch", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			w.existing()
			return []func(store.Store){w.logout("logout of one", only(a)), w.logout("logout everywhere", everything), w.touch(a)}
		}},
		{"logout of one against a login and a touch", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.logout("logout of one", only(a)), w.login(newDigest()), w.touch(a)}
		}},
		{"logout by its own credential against logout everywhere", 100, 2, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.leave(a), w.logout("logout everywhere", everything)}
		}},
		{"logout by its own credential against a login and a touch", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.leave(a), w.login(newDigest()), w.touch(a)}
		}},
		{"eviction against a touch of the oldest", 1, 2, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.login(newDigest()), w.touch(a)}
		}},
		{"eviction against logout everywhere", 1, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.login(newDigest()), w.logout("logout everywhere", everything), w.touch(a)}
		}},
		{"two evictions at once", 1, 1, func(w *observed) []func(store.Store) {
			w.existing()
			return []func(store.Store){w.login(newDigest()), w.login(newDigest())}
		}},
		{"a busy login against logout everywhere", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.update(a, 4), w.logout("logout everywhere", everything)}
		}},
		{"a busy login against logout by its own credential", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.update(a, 4), w.leave(a)}
		}},
		{"a busy login against its eviction", 1, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.update(a, 4), w.login(newDigest())}
		}},
		{"a busy login against both logouts", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.update(a, 3), w.logout("logout everywhere", everything), w.leave(a)}
		}},
		{"a busy login and its touch against logout everywhere", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){w.update(a, 3), w.logout("logout everywhere", everything), w.touch(a)}
		}},
		{"logout everywhere on a full store against an update and a touch", 100, 1, func(w *observed) []func(store.Store) {
			a := w.existing()
			return []func(store.Store){onFull(w.logout("logout everywhere", everything)), w.update(a, 1), w.touch(a)}
		}},
		{"logout everywhere on a full store against a login", 100, 2, func(w *observed) []func(store.Store) {
			w.existing()
			return []func(store.Store){onFull(w.logout("logout everywhere", everything)), w.login(newDigest())}
		}},
		{"both logouts on a full store", 100, 2, func(w *observed) []func(store.Store) {
			a := w.existing()
			w.existing()
			return []func(store.Store){onFull(w.logout("logout everywhere", everything)), onFull(w.leave(a))}
		}},
		{"two logins against logout everywhere", 100, 0, func(w *observed) []func(store.Store) {
			return []func(store.Store){w.login(newDigest()), w.login(newDigest()), w.logout("logout everywhere", everything)}
		}},
	}
	for _, scenario := range scenarios {
		t.Run(scenario.name, func(t *testing.T) {
			faults := scenario.faults
			if actors := scenario.actors(newObserved(interleave.NewModel(), scenario.bound)); raceDetector || len(actors) > 2 && os.Getenv("AUTH_LONG") == "" {
				faults = 0
			}
			if testing.Short() {
				faults = min(faults, 1)
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				w := newObserved(model, scenario.bound)
				return interleave.Scenario{
					Actors: scenario.actors(w),
					Faults: faults,
					Facts:  w.facts,
					Check: func(done bool) error {
						if err := w.check(); err != nil {
							return err
						}
						if alive := w.alive(); done && faults == 0 && alive > scenario.bound {
							return fmt.Errorf("%d logins are alive, over the bound", alive)
						}
						return nil
					},
				}
			})
			t.Logf("%d states, with up to %d faults", states, faults)
		})
	}
}

func (w *observed) alive() (n int) {
	for _, d := range w.disclosed {
		if w.lives(d) {
			n++
		}
	}
	return n
}
