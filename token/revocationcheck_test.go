package token_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// spy is a Store that counts reads, and fails on request.
type spy struct {
	store.Store
	reads int
	fail  error
}

func (s *spy) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.reads++
	if s.fail != nil {
		return nil, false, s.fail
	}
	return s.Store.Get(ctx, key)
}

// near is a spy with a near cache.
type near struct {
	spy
	cached int
}

func (n *near) GetCached(ctx context.Context, key string) ([]byte, bool, error) {
	n.cached++
	return n.Store.Get(ctx, key)
}

const namespace, famID = "staff", "AAAAAAAAAAAAAAAAAAAAAA"

// put replaces the record of the family, nil deletes it.
func put(t *testing.T, s store.Store, record []byte) {
	t.Helper()
	key := token.FamilyKey(namespace, famID)
	must(t, s.Delete(t.Context(), key))
	if record == nil {
		return
	}
	if ok, err := s.CompareAndSwap(t.Context(), key, nil, record, time.Hour); err != nil || !ok {
		t.Fatal(ok, err)
	}
}

func liveVerifier(m *minter, s store.Store, every time.Duration) *token.Verifier {
	return m.verifier(func(c *token.VerifierConfig) {
		c.RevocationCheck = &token.RevocationCheck{Store: s, Namespace: namespace, Every: every}
	})
}

func TestRevocationCheckAnswersByTheFamily(t *testing.T) {
	newer := token.FamilyRecord(time.Now().Add(time.Hour))
	newer[0] = 0x2f // the last format of families
	for _, c := range []struct {
		name   string
		record []byte
		want   string
	}{
		{"it goes on", token.FamilyRecord(time.Now().Add(time.Hour)), "ok"},
		{"it has expired", token.FamilyRecord(time.Now()), "bad"},
		{"it was logged out", logins.NewTombstone(logins.Family, logins.LoggedOut), "bad"},
		{"it was revoked", logins.NewTombstone(logins.Family, logins.Revoked), "bad"},
		{"there is none", nil, "bad"},
		{"it is corrupt", []byte("garbage"), "unknown"},
		{"it is of a newer version", newer, "unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, s := newMinter(t), &spy{Store: &store.Memory{}}
			put(t, s, c.record)
			text := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)}))
			v := liveVerifier(m, s, 0)
			for range 3 { // known or not
				if _, err := v.Verify(t.Context(), text); outcome(err) != c.want {
					t.Errorf("%v, want %s", err, c.want)
				}
			}
			if s.reads != 3 {
				t.Errorf("%d reads, want one each time", s.reads)
			}
			if got := v.CacheStats().Entries; (got == 1) != (c.want == "ok") {
				t.Errorf("%d entries", got)
			}
		})
	}
}

// ASVS 5.0, 7.4.1 and 8.3.2.
// Revocation stands outside of the cache.
func TestLogoutIsSeenAtOnce(t *testing.T) {
	m, s := newMinter(t), &store.Memory{}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
	text := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)}))
	v, blind := liveVerifier(m, s, 0), m.verifier()
	hits(t, v, text)
	hits(t, v, text)
	put(t, s, logins.NewTombstone(logins.Family, logins.LoggedOut))
	refuses(t, v, text)
	hits(t, blind, text)
}

func TestTokenWithoutALoginIsNotLive(t *testing.T) {
	m, s := newMinter(t), &spy{Store: &store.Memory{}}
	refuses(t, liveVerifier(m, s, 0), m.mint(claims()))
	if s.reads != 0 {
		t.Errorf("%d reads", s.reads)
	}
}

func TestRevocationCheckIsOfOneNamespace(t *testing.T) {
	m, s := newMinter(t), &store.Memory{}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
	other := m.verifier(func(c *token.VerifierConfig) { c.RevocationCheck = &token.RevocationCheck{Store: s} })
	refuses(t, other, m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})))
}

// The login of a token must be of its subject, and be the one that it names.
func TestRevocationCheckIsOfTheTokensOwnLogin(t *testing.T) {
	m, s := newMinter(t), &spy{Store: &store.Memory{}}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour))) // of alice
	mine := map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)}
	v := liveVerifier(m, s, 0)
	hits(t, v, m.mint(with(mine)))
	mine["sub"] = "bob"
	refuses(t, v, m.mint(with(mine)))
	for _, sid := range []any{"login-1", token.FamilyLoginID(namespace, famID) + "x", nil} {
		s.reads = 0
		if refuses(t, v, m.mint(with(map[string]any{"fam": famID, "sid": sid}))); s.reads != 0 {
			t.Errorf("sid %v: %d reads", sid, s.reads)
		}
	}
}

// ASVS 5.0, 16.5.2.
func TestStoreThatIsDownIsNeitherYesNorNo(t *testing.T) {
	m, s := newMinter(t), &spy{Store: &store.Memory{}}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
	text, v := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})), liveVerifier(m, s, 0)
	hits(t, v, text)
	s.fail = errors.New("down")
	got, err := v.Verify(t.Context(), text)
	if got != nil || outcome(err) != "unknown" || !errors.Is(err, s.fail) {
		t.Errorf("%v, error %v", got, err)
	}
	// A token that is bad in itself needs no store to be refused.
	refuses(t, v, m.mint(with(map[string]any{"fam": famID, "aud": "x"})))
}

func TestRevocationCheckLooksEverySoOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, s := newMinter(t), &spy{Store: &store.Memory{}}
		put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
		text, v := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})), liveVerifier(m, s, 10*time.Second)
		for range 5 {
			hits(t, v, text)
		}
		if s.reads != 1 {
			t.Errorf("%d reads within the time", s.reads)
		}
		time.Sleep(10*time.Second - 1)
		put(t, s, logins.NewTombstone(logins.Family, logins.Revoked))
		hits(t, v, text)
		time.Sleep(time.Nanosecond)
		refuses(t, v, text)
		refuses(t, v, text) // an ended login is looked up each time
		if s.reads != 3 {
			t.Errorf("%d reads", s.reads)
		}
	})
}

// A clock that was set back does not make a look that lies ahead count.
func TestALookFromTheFutureDoesNotCount(t *testing.T) {
	m, s := newMinter(t), &spy{Store: &store.Memory{}}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
	v := liveVerifier(m, s, 10*time.Second)
	text := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)}))
	known, err := v.Verify(t.Context(), text)
	must(t, err)
	for _, ahead := range []time.Duration{time.Minute, time.Hour} {
		token.SeeLive(known, time.Now().Add(ahead))
		hits(t, v, text)
	}
	if s.reads != 3 {
		t.Errorf("%d reads", s.reads)
	}
	put(t, s, logins.NewTombstone(logins.Family, logins.LoggedOut))
	token.SeeLive(known, time.Now().Add(time.Hour))
	refuses(t, v, text)
}

func TestRevocationCheckUsesANearCache(t *testing.T) {
	m, s := newMinter(t), &near{spy: spy{Store: &store.Memory{}}}
	put(t, s, token.FamilyRecord(time.Now().Add(time.Hour)))
	hits(t, liveVerifier(m, s, 0), m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)})))
	if s.reads != 0 || s.cached != 1 {
		t.Errorf("%d reads, %d near", s.reads, s.cached)
	}
}

func TestEndedLoginIsAnEvent(t *testing.T) {
	m, s := newMinter(t), &spy{Store: &store.Memory{}}
	var received []auth.Event
	v := m.verifier(func(c *token.VerifierConfig) {
		c.RevocationCheck = &token.RevocationCheck{Store: s, Namespace: namespace}
		c.Events = func(_ context.Context, e auth.Event) { received = append(received, e) }
	})
	text := m.mint(with(map[string]any{"fam": famID, "sid": token.FamilyLoginID(namespace, famID)}))
	refuses(t, v, text)
	s.fail = errors.New("down")
	v.Verify(t.Context(), text)
	s.fail = context.Canceled // the client has gone: nothing is wrong here
	v.Verify(t.Context(), text)
	if len(received) != 2 || received[0].Kind != auth.EventRejected || received[0].LoginID != token.FamilyLoginID(namespace, famID) || received[1].Kind != auth.EventFault {
		t.Errorf("%+v", received)
	}
}

// A login whose refresh secret is retired cannot be refreshed: it has ended
// for the revocation check and for the list of devices as well.
func TestLoginOfARetiredSecretHasEndedEverywhere(t *testing.T) {
	s, keys := &store.Memory{}, cheapKeys(t)
	i := newIssuer(t, over(s, keys), func(c *token.IssuerConfig) { c.RevocationCheck = true })
	elsewhere := newIssuer(t, over(s, cheapKeys(t))) // does not know the secret
	first := issued(t, i)
	must(t, keys.Rotate())
	tokens, err := i.Refresh(t.Context(), first.RefreshToken, newAttempt()) // signed by the new key
	must(t, err)
	if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	_, err = i.Verify(t.Context(), tokens.AccessToken)
	must(t, err)
	_, err = keys.DropFormer(0)
	must(t, err)
	if _, err := i.Verify(t.Context(), tokens.AccessToken); outcome(err) != "bad" {
		t.Errorf("the revocation check returns %v", err)
	}
	if list, err := i.Logins(t.Context(), "alice"); err != nil || len(list) != 0 {
		t.Errorf("the list has %v, %v", list, err)
	}
	if list, err := elsewhere.Logins(t.Context(), "alice"); err != nil || len(list) != 1 {
		t.Errorf("a host that does not know the secret lists %v, %v", list, err)
	}
}
