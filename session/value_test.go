package session_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

const (
	cart  = session.Key[[]string]("cart")
	word  = session.Key[string]("word")
	empty = session.Key[map[string]int]("")
)

func (b *browser) update(t *testing.T, m *session.Manager, change func(*session.Session) error) error {
	t.Helper()
	s, err := m.Get(b.request("GET"))
	check(t, err)
	return m.Update(t.Context(), s, change)
}

func TestValuesAreKept(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	s, err := m.Get(b.request("GET"))
	check(t, err)
	if items, err := cart.Get(s); items != nil || err != nil {
		t.Errorf("absent: %v, %v; want zero", items, err)
	}
	check(t, b.update(t, m, func(s *session.Session) error {
		err := errors.Join(cart.Set(s, []string{"book", "\x00\"é"}), word.Set(s, ""), empty.Set(s, map[string]int{"a": 1}))
		if items, again := cart.Get(s); again != nil || len(items) != 2 {
			t.Errorf("not there at once: %v, %v", items, again)
		}
		return errors.Join(err, word.Set(s, "first"), word.Set(s, "last"))
	}))
	if items, err := cart.Get(s); items != nil || err != nil {
		t.Error("the session in hand has changed")
	}
	s, err = m.Get(b.request("GET"))
	check(t, err)
	items, err := cart.Get(s)
	if err != nil || len(items) != 2 || items[1] != "\x00\"é" {
		t.Error(items, err)
	}
	if w, err := word.Get(s); w != "last" || err != nil {
		t.Error(w, err)
	}
	if e, err := empty.Get(s); e["a"] != 1 || err != nil {
		t.Error(e, err)
	}
	check(t, b.update(t, m, func(s *session.Session) error { return errors.Join(word.Delete(s), count.Delete(s)) }))
	s, err = m.Get(b.request("GET"))
	check(t, err)
	if w, err := word.Get(s); w != "" || err != nil {
		t.Error("deleted and there:", w, err)
	}
	if items, err := cart.Get(s); len(items) != 2 || err != nil {
		t.Error("deleting one takes another:", items, err)
	}
}

func TestTheOnlyValueCanBeDeleted(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	check(t, b.update(t, m, func(s *session.Session) error { return word.Set(s, "only") }))
	check(t, b.update(t, m, word.Delete))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	if w, err := word.Get(s); w != "" || err != nil {
		t.Error("deleted and there:", w, err)
	}
}

// A wrong type is an error, not a zero value or a panic.
func TestValueOfAnotherTypeIsAnError(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	check(t, b.update(t, m, func(s *session.Session) error { return word.Set(s, "seven") }))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	if n, err := session.Key[int]("word").Get(s); n != 0 || err == nil {
		t.Error(n, err)
	}
	if n, err := session.Key[[]int]("word").Get(s); n != nil || err == nil {
		t.Error(n, err)
	}
	unfit := session.Key[func()]("f")
	if err := b.update(t, m, func(s *session.Session) error { return unfit.Set(s, func() {}) }); err == nil {
		t.Error("a function is accepted as a value")
	}
}

func TestValuesChangeInUpdateOnly(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	s, err := m.Get(b.request("GET"))
	check(t, err)
	var kept *session.Session
	check(t, m.Update(t.Context(), s, func(fresh *session.Session) error {
		kept = fresh
		if err := addOne(s); err == nil {
			t.Error("set in another session than the one that Update gave")
		}
		return addOne(fresh)
	}))
	for rule, err := range map[string]error{
		"Set":             count.Set(s, 7),
		"Delete":          count.Delete(s),
		"Set after":       count.Set(kept, 7),
		"Delete after it": count.Delete(kept),
	} {
		if err == nil {
			t.Errorf("%s outside of Update returns no error", rule)
		}
	}
	if n := b.count(t, m); n != 1 {
		t.Errorf("count %d", n)
	}
}

func TestUpdateThatFailsOrChangesNothingWritesNothing(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	b := loggedIn(t, m, "alice")
	s.took()
	refused := errors.New("refused")
	err := b.update(t, m, func(s *session.Session) error { return errors.Join(addOne(s), refused) })
	if !errors.Is(err, refused) {
		t.Error(err)
	}
	check(t, b.update(t, m, func(s *session.Session) error { _, err := count.Get(s); return err }))
	check(t, b.update(t, m, count.Delete)) // there is none
	if _, writes := s.took(); writes != 0 {
		t.Errorf("%d writes", writes)
	}
	if n := b.count(t, m); n != 0 {
		t.Errorf("count %d", n)
	}
}

// The other request has deleted the value, so there is nothing to write.
func TestAfterUpdateASessionHasTheValuesOfTheStore(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: s})
	b := loggedIn(t, m, "alice")
	check(t, b.update(t, m, addOne))
	late, err := m.Get(b.request("GET"))
	check(t, err)
	check(t, b.update(t, m, count.Delete))
	s.took()
	check(t, m.Update(t.Context(), late, count.Delete))
	n, err := count.Get(late)
	if _, writes := s.took(); n != 0 || err != nil || writes != 1 { // the swap that fails
		t.Errorf("count %d, %v, %d writes", n, err, writes)
	}
}

func TestValuesAreBoundedAndLeaveRoomForALogin(t *testing.T) {
	m := newManager(t, session.Config{})
	b := &browser{}
	if _, err := b.ensure(m); err != nil {
		t.Fatal(err)
	}
	fill := func(n int) error {
		return b.update(t, m, func(s *session.Session) error { return word.Set(s, strings.Repeat("a", n)) })
	}
	most := 0
	for step := 64 * 1024; step > 0; step /= 2 {
		if fill(most+step) == nil {
			most += step
		}
	}
	if most < 30_000 {
		t.Errorf("%d bytes can be kept", most)
	}
	if err := fill(most + 1); outcome(err) != unavailable {
		t.Error(err)
	}
	check(t, b.loginWith(m, auth.Identity{
		Subject: strings.Repeat("a", 255), Scopes: auth.Words(strings.Repeat("a", 10_000)),
		Claims: auth.Claims(`{"a":"` + strings.Repeat("a", 10_000) + `"}`),
	}))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	if w, err := word.Get(s); len(w) != most || err != nil {
		t.Errorf("%d of %d bytes, %v", len(w), most, err)
	}
}

func TestValuesGoOverFromAVisitorOrTheSameSubjectOnly(t *testing.T) {
	for _, c := range []struct {
		rule   string
		before func(*session.Manager, *browser) error
		want   int
	}{
		{"a visitor", func(m *session.Manager, b *browser) error { _, err := b.ensure(m); return err }, 1},
		{"the same subject", func(m *session.Manager, b *browser) error { return b.login(m, "alice") }, 1},
		{"the same subject, pending", func(m *session.Manager, b *browser) error { return b.pending(m, "alice") }, 1},
		{"another subject", func(m *session.Manager, b *browser) error { return b.login(m, "bob") }, 0},
		{"another subject, pending", func(m *session.Manager, b *browser) error { return b.pending(m, "bob") }, 0},
	} {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, c.before(m, b))
		check(t, b.add(m))
		check(t, b.login(m, "alice"))
		if n := b.count(t, m); n != c.want {
			t.Errorf("%s: count %d, want %d", c.rule, n, c.want)
		}
	}
}
