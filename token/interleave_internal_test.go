package token

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/lab/interleave"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/rotation"
	"github.com/authlatch/auth/store"
)

// These tests run logins, refreshes and logouts over one store in every order
// in which their calls can happen, with faults and crashes at every place.

const exploredWindow = time.Minute

var exploredKeys = sync.OnceValue(func() *KeySet {
	keys, err := NewKeySet(HS256)
	if err != nil {
		panic(err)
	}
	return keys
})

// The attempts of two actors.
const (
	actorA = "AAAAAAAAAAAAAAAAAAAAAA"
	actorB = "BBBBBBBBBBBBBBBBBBBBBB"
)

// known is a family that a scenario knows of, and what it has seen of it.
type known struct {
	seed     [16]byte
	salt     [16]byte
	digest   logins.Digest
	answered uint64 // the highest generation that was returned
	replaced bool   // a login that replaces it was answered
}

// theatre is what a scenario knows: everything that an outsider could notice.
type theatre struct {
	model    *interleave.Model
	families []*known // that are disclosed
	mustEnd  []*known // by a logout everywhere that has returned nil
	reuses   map[string]int
	broken   error

	// refreshing makes the Refreshing of an issuer over a store; nil: there is none.
	refreshing func(s store.Store) func(context.Context, auth.Identity) (auth.Identity, error)
	stated     map[string]string // the scopes of each generation that was returned
}

func newTheatre(model *interleave.Model) *theatre {
	w := &theatre{model: model, reuses: make(map[string]int)}
	model.Swapped = func(old, new []byte) {
		if _, ended := logins.ParseTombstone(old); ended {
			w.broken = errors.New("a tombstone was written over")
		}
		before, err := rotation.Parse(old)
		after, err2 := rotation.Parse(new)
		if err == nil && err2 == nil && after.Generation != before.Generation && after.Generation != before.Generation+1 {
			w.broken = fmt.Errorf("from generation %d to %d", before.Generation, after.Generation)
		}
	}
	return w
}

func (w *theatre) issuer(s store.Store) *Issuer {
	var refreshing func(context.Context, auth.Identity) (auth.Identity, error)
	if w.refreshing != nil {
		refreshing = w.refreshing(s)
	}
	i, err := NewIssuer(IssuerConfig{
		Refreshing: refreshing,
		Keys:       exploredKeys(), Store: s, Issuer: "https://issuer.test", Audience: "https://api.test", ClientID: "app",
		GracePeriod: exploredWindow,
		Events: func(_ context.Context, e auth.Event) {
			if e.Kind == auth.EventReuse {
				w.reuses[e.LoginID]++
			}
		},
	})
	if err != nil {
		panic(err)
	}
	return i
}

// learn notes a family of which a token is known.
func (w *theatre) learn(text string) *known {
	t, ok := rotation.ParseToken(text)
	if !ok {
		panic("no refresh token")
	}
	for _, k := range w.families {
		if k.seed == t.Seed {
			k.answered = max(k.answered, t.Generation)
			return k
		}
	}
	k := &known{seed: t.Seed, digest: rotation.Digest("", rotation.FamilyID(t.Seed)), answered: t.Generation}
	w.families = append(w.families, k)
	return k
}

// existing makes a login before the actors start, refreshed so often, and for
// the last time so long ago, by actorA.
func (w *theatre) existing(generation uint64, ago time.Duration) *known {
	tokens, err := w.issuer(w.model).Issue(context.Background(), auth.Identity{Subject: "alice"})
	if err != nil {
		panic(err)
	}
	k := w.learn(tokens.RefreshToken)
	raw, _, _ := w.model.Get(context.Background(), k.digest.Key())
	f, _ := rotation.Parse(raw)
	k.salt = f.Salt
	f.Created -= int64(2 * time.Hour / time.Millisecond)
	f.AuthTime = f.Created
	f.Generation, f.Rotated, f.Attempt = generation, time.Now().Add(-ago).UnixMilli(), rotation.AttemptHash(actorA)
	w.model.Delete(context.Background(), k.digest.Key())
	w.model.CompareAndSwap(context.Background(), k.digest.Key(), nil, f.Encode(), time.Hour)
	if k.answered = generation; w.record(k) == nil {
		panic("the family is none")
	}
	return k
}

// token is what a client of a generation has.
func (k *known) token(generation uint64) string {
	secret, _ := exploredKeys().currentSecret()
	bound := rotation.BoundSecret(secret.Bytes, "https://issuer.test", "https://api.test", "app")
	return rotation.NewToken(bound, k.seed, k.salt, generation).String()
}

func (w *theatre) refresh(k *known, generation uint64, attempt string) func(store.Store) {
	return func(s store.Store) {
		tokens, err := w.issuer(s).Refresh(context.Background(), k.token(generation), attempt)
		if err != nil {
			w.refused(k, err)
			return
		}
		w.learn(tokens.RefreshToken)
		w.state(tokens)
		if tokens.RefreshToken != k.token(tokens.Generation) {
			w.broken = errors.New("a generation has two tokens")
		}
	}
}

func (w *theatre) login(s store.Store) {
	if tokens, err := w.issuer(s).Issue(context.Background(), auth.Identity{Subject: "alice"}); err == nil {
		w.learn(tokens.RefreshToken)
	}
}

// loginOver logs in with the cookie of another login.
func (w *theatre) loginOver(k *known, generation uint64, subject string) func(store.Store) {
	return func(s store.Store) {
		r := httptest.NewRequest("POST", "https://app.example/login", nil)
		r.Header.Set("Cookie", "__Host-Http-refresh="+k.token(generation))
		recorder := httptest.NewRecorder()
		if w.issuer(s).Login(recorder, r, auth.Identity{Subject: subject}) == nil {
			k.replaced = true
			w.learn(recorder.Result().Cookies()[0].Value)
		}
	}
}

// logoutAll ends what was disclosed before it was called.
func (w *theatre) logoutAll(s store.Store) {
	before := slices.Clone(w.families)
	if w.issuer(s).LogoutAll(context.Background(), "alice") == nil {
		w.mustEnd = append(slices.Clone(w.mustEnd), before...)
	}
}

func (w *theatre) revoke(k *known, generation uint64) func(store.Store) {
	return func(s store.Store) {
		if w.issuer(s).Revoke(context.Background(), k.token(generation)) == nil {
			w.mustEnd = append(slices.Clone(w.mustEnd), k)
		}
	}
}

func (w *theatre) record(k *known) *rotation.Family {
	raw, _, _ := w.model.Get(context.Background(), k.digest.Key())
	f, err := rotation.Parse(raw)
	if err != nil {
		return nil
	}
	return f
}

func (w *theatre) check() error {
	if w.broken != nil {
		return w.broken
	}
	for n, k := range w.families {
		f := w.record(k)
		switch {
		case f == nil:
		case !w.listed(k):
			return fmt.Errorf("login %d lives and is not listed", n)
		case f.Generation < k.answered:
			return fmt.Errorf("generation %d of login %d was answered and is not in the store", k.answered, n)
		case slices.Contains(w.mustEnd, k):
			return fmt.Errorf("login %d has outlived a logout", n)
		case k.replaced:
			return fmt.Errorf("login %d lives beside the one that replaces it", n)
		}
		if w.reuses[k.digest.LoginID()] > 1 {
			return fmt.Errorf("a theft was reported twice")
		}
	}
	return nil
}

// listed reports whether the login stands in a list, also as one that ends.
func (w *theatre) listed(k *known) bool {
	for _, subject := range []string{"alice", "bob"} {
		key := sha256.Sum256([]byte("authlatch/logins\x00" + subject))
		raw, _, _ := w.model.Get(context.Background(), base64.RawURLEncoding.EncodeToString(key[:]))
		if bytes.Contains(raw, k.digest[:]) {
			return true
		}
	}
	return false
}

func (w *theatre) facts() string {
	text := ""
	for _, k := range w.families { // in the order in which they were disclosed
		text += fmt.Sprint(" ", k.answered, k.replaced, slices.Contains(w.mustEnd, k), w.reuses[k.digest.LoginID()])
	}
	return text
}

// ASVS 5.0, 2.3.3 and 15.4.2.
func TestEveryInterleavingOfLoginsAndRefreshes(t *testing.T) {
	const open, shut = time.Second, time.Hour
	type actors = []func(store.Store)
	for _, scenario := range []struct {
		name   string
		faults int // one more where AUTH_LONG=1 is set
		actors func(w *theatre) actors
	}{
		{"two refreshes", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 3, actorA), w.refresh(k, 3, actorB)}
		}},
		{"a refresh within the grace period against one of the token before", 2, func(w *theatre) actors {
			k := w.existing(3, open)
			return actors{w.refresh(k, 3, actorA), w.refresh(k, 2, actorB)}
		}},
		{"a recovery against a refresh", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 2, actorA), w.refresh(k, 3, actorB)}
		}},
		{"a refresh against logout everywhere", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 3, actorA), w.logoutAll}
		}},
		{"a refresh against logout", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 3, actorA), w.revoke(k, 1)}
		}},
		{"a reuse against a refresh", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 1, actorA), w.refresh(k, 3, actorB)}
		}},
		{"two reuses", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 1, actorA), w.refresh(k, 2, actorB)}
		}},
		{"a reuse against logout everywhere", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 1, actorA), w.logoutAll}
		}},
		{"a login against logout everywhere", 0, func(w *theatre) actors {
			w.existing(3, shut)
			return actors{w.login, w.logoutAll}
		}},
		{"a login over another against its refresh", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.loginOver(k, 3, "alice"), w.refresh(k, 3, actorA)}
		}},
		{"a login of another subject against its refresh", 1, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.loginOver(k, 2, "bob"), w.refresh(k, 3, actorA)}
		}},
		{"two logins over one", 0, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.loginOver(k, 3, "alice"), w.loginOver(k, 3, "alice")}
		}},
		{"a reuse, a refresh and logout everywhere", 0, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 1, actorA), w.refresh(k, 3, actorB), w.logoutAll}
		}},
		{"three refreshes", 0, func(w *theatre) actors {
			k := w.existing(3, shut)
			return actors{w.refresh(k, 3, actorA), w.refresh(k, 3, actorB), w.refresh(k, 2, actorB)}
		}},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			faults := scenario.faults
			switch {
			case raceDetector:
				faults = 0 // one goroutine runs at a time
			case os.Getenv("AUTH_LONG") != "":
				faults++
			}
			states := interleave.Explore(t, func(model *interleave.Model) interleave.Scenario {
				w := newTheatre(model)
				return interleave.Scenario{
					Actors: scenario.actors(w),
					Faults: faults,
					Facts:  w.facts,
					Check:  func(bool) error { return w.check() },
				}
			})
			t.Logf("%d states, with up to %d faults", states, faults)
		})
	}
}
