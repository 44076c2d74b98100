package session_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

// A18: JSON replaces bytes that are not UTF-8. They are refused wherever they are.
func TestTextThatJSONWouldChangeIsRefused(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	const key = session.Key[any]("x")
	type named struct{ Name string }
	for _, value := range []any{"\xff", "a\xc3", []string{"ok", "\xed\xa0\x80"}, map[string]int{"\xff": 1}, named{"\\\xff"}} {
		if err := b.update(t, m, func(s *session.Session) error { return key.Set(s, value) }); err == nil {
			t.Errorf("%q is stored", value)
		}
	}
	for _, value := range []string{"\ufffd", `\ufffd`, `\\ufffd`, "\u2028<&>", "\\", "한국어"} {
		check(t, b.update(t, m, func(s *session.Session) error { return key.Set(s, value) }))
		s, err := m.Get(b.request("GET"))
		check(t, err)
		if got, err := key.Get(s); got != any(value) || err != nil {
			t.Errorf("%q is read as %q, %v", value, got, err)
		}
	}
}

// A18: what encoding/json leaves out or reads as another type, as documented at Key.
func TestValuesAreStoredAsByEncodingJSON(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	type item struct {
		Name   string
		hidden int
	}
	const (
		items   = session.Key[item]("item")
		numbers = session.Key[any]("number")
		exact   = session.Key[int64]("exact")
		raw     = session.Key[json.Number]("raw")
		absent  = session.Key[*int]("absent")
		present = session.Key[*int]("present")
	)
	const large = 1<<53 + 1
	check(t, b.update(t, m, func(s *session.Session) error {
		for _, err := range []error{
			items.Set(s, item{"a", 1}), numbers.Set(s, large), exact.Set(s, large), raw.Set(s, "9007199254740993"), present.Set(s, new(int)),
		} {
			check(t, err)
		}
		return nil
	}))
	s, err := m.Get(b.request("GET"))
	check(t, err)
	if got, err := items.Get(s); got != (item{Name: "a"}) || err != nil {
		t.Errorf("an unexported field: %+v, %v", got, err)
	}
	if got, err := numbers.Get(s); got != float64(1<<53) || err != nil {
		t.Errorf("a number in an any: %v, %v", got, err)
	}
	if got, err := exact.Get(s); got != large || err != nil {
		t.Errorf("an int64: %v, %v", got, err)
	}
	if got, err := raw.Get(s); got != "9007199254740993" || err != nil {
		t.Errorf("a json.Number: %v, %v", got, err)
	}
	if got, err := absent.Get(s); got != nil || err != nil {
		t.Errorf("a missing value: %v, %v", got, err)
	}
	if got, err := present.Get(s); got == nil || *got != 0 || err != nil {
		t.Errorf("a zero value: %v, %v", got, err)
	}
}

// A18: DELETE /session. Logout takes a POST only; a route of DELETE passes its request as one,
// and the check of its origin stays.
func TestARouteOfDeleteLogsOutAsAPost(t *testing.T) {
	m := newManager(t, session.Config{})
	route := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		post := r.WithContext(r.Context())
		post.Method = http.MethodPost
		if err := m.Logout(w, post); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	b := loggedIn(t, m, "alice")
	w, r := httptest.NewRecorder(), b.request("DELETE")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	route.ServeHTTP(w, r)
	b.wants(t, m, valid)
	if w.Code != http.StatusForbidden {
		t.Errorf("from another site: %d", w.Code)
	}
	if err := m.Logout(httptest.NewRecorder(), b.request("DELETE")); outcome(err) != forbidden {
		t.Errorf("as a DELETE: %v", err)
	}
	w = httptest.NewRecorder()
	route.ServeHTTP(w, b.request("DELETE"))
	b.wants(t, m, noCredential)
	if w.Code != http.StatusOK {
		t.Errorf("from its own page: %d", w.Code)
	}
}
