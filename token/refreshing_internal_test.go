package token

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/store"
)

// rights is the record of an application that its Refreshing reads.
const rights = "rights"

// readRights states the scopes that the application has stored, and refuses a login
// without any.
func readRights(s store.Store) func(context.Context, auth.Identity) (auth.Identity, error) {
	return func(ctx context.Context, id auth.Identity) (auth.Identity, error) {
		scopes, _, err := s.Get(ctx, rights)
		if bytes.Equal(scopes, []byte("none")) {
			err = auth.ErrUnauthenticated
		}
		id.Scopes = auth.Words(scopes)
		return id, err
	}
}

// changeRights is the application's own write.
func (w *theatre) changeRights(scopes string) func(store.Store) {
	return func(s store.Store) {
		old, _, err := s.Get(context.Background(), rights)
		if err == nil {
			s.CompareAndSwap(context.Background(), rights, old, []byte(scopes), time.Hour)
		}
	}
}

// state notes what the tokens of a generation state. All responses with one generation
// must state the same.
func (w *theatre) state(tokens Tokens) {
	if w.refreshing == nil {
		return
	}
	i := w.issuer(w.model)
	verified, err := i.Verify(context.Background(), tokens.AccessToken)
	if err != nil {
		panic(err)
	}
	key := fmt.Sprint(tokens.LoginID, tokens.Generation)
	scopes := string(verified.Identity().Scopes)
	if before, ok := w.stated[key]; ok && before != scopes {
		w.broken = fmt.Errorf("generation %d states %q and %q", tokens.Generation, before, scopes)
	}
	stated := map[string]string{key: scopes}
	for key, scopes := range w.stated {
		stated[key] = scopes
	}
	w.stated = stated
}

// refused notes a login that must have ended because a refresh was refused.
func (w *theatre) refused(k *known, err error) {
	if w.refreshing != nil && errors.Is(err, auth.ErrUnauthenticated) {
		w.mustEnd = append(slices.Clone(w.mustEnd), k)
	}
}

// ASVS 5.0, 2.3.3 and 15.4.2.
// In every order of the reads of rights, of their change, and of the writes of the family:
// the tokens of a generation all state the same, and a login that a client was refused as
// ended has ended.
func TestEveryInterleavingOfRefreshesAndAChangeOfRights(t *testing.T) {
	for _, rule := range []string{"fewer", "none"} {
		t.Run(rule, func(t *testing.T) {
			faults := 1
			if raceDetector {
				faults = 0
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				w := newTheatre(model)
				k := w.existing(3, time.Hour)
				model.CompareAndSwap(context.Background(), rights, nil, []byte("all"), time.Hour)
				w.refreshing = readRights
				return interleave.Scenario{
					Actors: []func(store.Store){w.refresh(k, 3, actorA), w.refresh(k, 3, actorB), w.changeRights(rule)},
					Faults: faults,
					Facts:  func() string { return w.facts() + fmt.Sprint(w.stated) },
					Check:  func(bool) error { return w.check() },
				}
			})
			t.Logf("%d states, with up to %d faults", states, faults)
		})
	}
}
