package session_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// ASVS 5.0, 7.5.2.
func TestListShowsWhereASubjectIsLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{Device: func(r *http.Request) (string, string) {
			return r.Header.Get("X-Agent"), r.RemoteAddr
		}})
		start := time.Now()
		b := &browser{}
		check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
			r.Header.Set("X-Agent", "Fire\x00fox\r\n"+strings.Repeat("é", 300))
			r.RemoteAddr = strings.Repeat("1", 100)
			return m.Login(w, r, auth.Identity{Subject: "alice", AuthTime: start.Add(-time.Hour), Expires: start.Add(10 * day)})
		}))
		time.Sleep(day)
		b.wants(t, m, valid)
		other := &browser{}
		check(t, other.pending(m, "alice"))
		loggedIn(t, m, "bob")
		id, err := b.authenticate(m)
		check(t, err)
		list, err := m.Logins(t.Context(), "alice")
		check(t, err)
		if len(list) != 2 {
			t.Fatalf("%d logins", len(list))
		}
		l := list[0]
		if l.ID != id.LoginID || !l.AuthTime.Equal(start.Add(-time.Hour)) || !l.LastUsed.Equal(start.Add(day)) ||
			!l.Expires.Equal(start.Add(10*day)) || l.Pending {
			t.Errorf("%+v", l)
		}
		if !strings.HasPrefix(l.UserAgent, "Firefoxé") || len(l.UserAgent) > 256 || len(l.Address) != 64 {
			t.Errorf("%q, %q", l.UserAgent, l.Address)
		}
		if !list[1].Pending {
			t.Errorf("%+v", list[1])
		}
		time.Sleep(time.Hour) // the other has ended by itself
		if list, err = m.Logins(t.Context(), "alice"); len(list) != 1 || err != nil {
			t.Errorf("%d logins, %v", len(list), err)
		}
		if list, err = m.Logins(t.Context(), "unknown"); len(list) != 0 || err != nil {
			t.Error(list, err)
		}
	})
}

// ASVS 5.0, 7.5.2.
// What the list shows is not a credential, and works for its owner only.
func TestLoginIDWorksForItsOwnerOnly(t *testing.T) {
	m := newManager(t, session.Config{})
	phone, laptop, bob := loggedIn(t, m, "alice"), loggedIn(t, m, "alice"), loggedIn(t, m, "bob")
	id, err := phone.authenticate(m)
	check(t, err)
	for _, c := range [][2]string{
		{"bob", id.LoginID}, {"", id.LoginID}, {"Alice", id.LoginID}, {"alice", ""},
		{"alice", id.LoginID + "A"}, {"alice", strings.ToUpper(id.LoginID)}, {"alice", phone.token},
	} {
		check(t, m.LogoutOne(t.Context(), c[0], c[1]))
	}
	for _, b := range []*browser{phone, laptop, bob} {
		b.wants(t, m, valid)
	}
	check(t, m.LogoutOne(t.Context(), "alice", id.LoginID))
	phone.wants(t, m, noCredential)
	laptop.wants(t, m, valid)
	check(t, m.LogoutOne(t.Context(), "alice", id.LoginID)) // again
	list, err := m.Logins(t.Context(), "alice")
	if err != nil || len(list) != 1 || list[0].ID == id.LoginID {
		t.Error(list, err)
	}
}

// ASVS 5.0, 7.4.3.
func TestLogoutAllKeepsTheLoginsInKeep(t *testing.T) {
	m := newManager(t, session.Config{})
	var all []*browser
	for range 5 {
		all = append(all, loggedIn(t, m, "alice"))
	}
	bob := loggedIn(t, m, "bob")
	mine, err := all[2].authenticate(m)
	check(t, err)
	check(t, m.LogoutAll(t.Context(), "alice", mine.LoginID, "unknown"))
	for i, b := range all {
		if want := map[bool]string{true: valid, false: noCredential}[i == 2]; b.outcome(m) != want {
			t.Errorf("device %d: want %s", i, want)
		}
	}
	check(t, m.LogoutAll(t.Context(), "alice"))
	all[2].wants(t, m, noCredential)
	bob.wants(t, m, valid)
	check(t, m.LogoutAll(t.Context(), "alice"))
	check(t, m.LogoutAll(t.Context(), "unknown"))
	check(t, all[2].login(m, "alice"))
	all[2].wants(t, m, valid)
}

// A record that a failover has lost is shown no longer.
func TestListLeavesOutWhatIsGone(t *testing.T) {
	s := &mapStore{}
	m := newManager(t, session.Config{Store: s})
	loggedIn(t, m, "alice")
	first := s.dump()
	loggedIn(t, m, "alice")
	for key, value := range s.dump() {
		if _, ok := first[key]; !ok {
			check(t, s.Delete(t.Context(), key))
		} else if len(value) == len(first[key]) {
			continue // the first record
		}
	}
	if list, err := m.Logins(t.Context(), "alice"); len(list) != 1 || err != nil {
		t.Error(list, err)
	}
}

// damage replaces the lists of a store by bytes that no version wrote.
func (s *mapStore) damage() {
	for key, value := range s.dump() {
		if value[0] == 0x02 {
			s.put(key, []byte("nonsense"), time.Now().Add(day))
		}
	}
}

// A list that makes no sense ends no session at once, and no subject's for good.
func TestCorruptListIsReplacedAtTheNextLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mapStore{}
		var j journal
		m := newManager(t, session.Config{Store: s, Events: j.record})
		before := loggedIn(t, m, "alice")
		s.damage()
		j.take()
		if list, err := m.Logins(t.Context(), "alice"); len(list) != 0 || err != nil {
			t.Error(list, err)
		}
		if kinds := j.take(); len(kinds) != 1 || kinds[0] != auth.EventFault {
			t.Errorf("events %q", kinds)
		}
		before.wants(t, m, valid)
		after := loggedIn(t, m, "alice")
		after.wants(t, m, valid)
		time.Sleep(6 * time.Minute)
		before.wants(t, m, noCredential)
		after.wants(t, m, valid)
	})
}

// What a corrupt list has lost cannot be found, so nothing says that it has ended
// before it has.
func TestLogoutAllOverACorruptListIsAnErrorUntilItsSessionsHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mapStore{}
		m := newManager(t, session.Config{Store: s})
		thief := &browser{}
		check(t, thief.loginWith(m, auth.Identity{Subject: "alice", Expires: time.Now().Add(30 * day)}))
		stolen, err := thief.authenticate(m)
		check(t, err)
		s.damage()
		for range 6 {
			if err := m.LogoutAll(t.Context(), "alice"); outcome(err) != unavailable {
				t.Errorf("logout everywhere: %v", err)
			}
			owner := loggedIn(t, m, "alice")
			owner.wants(t, m, valid)
			own, err := owner.authenticate(m)
			check(t, err)
			if err := m.LogoutOne(t.Context(), "alice", stolen.LoginID); outcome(err) != unavailable {
				t.Errorf("logout of what is lost: %v", err)
			}
			check(t, m.LogoutOne(t.Context(), "alice", own.LoginID))
			owner.wants(t, m, noCredential)
			time.Sleep(5 * day)
		}
		time.Sleep(time.Minute)
		check(t, m.LogoutAll(t.Context(), "alice"))
		thief.has(t, m, noCredential)
	})
}

// A list of a newer version cannot be read here, and logs no subject out.
func TestNewerListIsUnavailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mapStore{}
		m := newManager(t, session.Config{Store: s})
		b := loggedIn(t, m, "alice")
		for key, value := range s.dump() {
			if value[0] == 0x02 {
				s.put(key, append([]byte{0x03}, value[1:]...), time.Now().Add(day))
			}
		}
		if _, err := m.Logins(t.Context(), "alice"); outcome(err) != unavailable {
			t.Error(err)
		}
		if err := m.LogoutAll(t.Context(), "alice"); outcome(err) != unavailable {
			t.Error(err)
		}
		if err := (&browser{}).login(m, "alice"); outcome(err) != unavailable {
			t.Error(err)
		}
		time.Sleep(6 * time.Minute)
		b.wants(t, m, valid)
	})
}

func TestEvictionIsReported(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Limits: auth.Limits{MaxLogins: 1}, Events: j.record})
	loggedIn(t, m, "alice")
	j.take()
	loggedIn(t, m, "alice")
	if kinds := j.take(); !slices.Equal(kinds, []auth.EventKind{auth.EventRevoked, auth.EventLogin}) {
		t.Errorf("events %v", kinds)
	}
}

// A browser's own logout needs no list.
func TestLogoutWorksWhereTheListCannotBeRead(t *testing.T) {
	broken := &unreadable{Store: &store.Memory{}}
	m := newManager(t, session.Config{Store: broken})
	b := loggedIn(t, m, "alice")
	copied := *b
	broken.format.Store(0x03)
	check(t, b.logout(m))
	broken.format.Store(0)
	copied.wants(t, m, noCredential)
}

// unreadable is a store whose lists are of another format, unless that is 0.
type unreadable struct {
	store.Store
	format atomic.Uint32
}

func (u *unreadable) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := u.Store.Get(ctx, key)
	if format := byte(u.format.Load()); ok && format != 0 && value[0] == 0x02 {
		value = append([]byte{format}, value[1:]...)
	}
	return value, ok, err
}

// Logout writes nothing, and Deny answers.
func TestLogoutByAnotherMethodIsAnsweredWith405(t *testing.T) {
	m := newManager(t, session.Config{})
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://app.example/logout", nil)
	err := m.Logout(w, r)
	if len(w.Header()) != 0 || w.Body.Len() != 0 || !errors.Is(err, auth.ErrForbidden) {
		t.Errorf("%v, %v %q", err, w.Header(), w.Body)
	}
	middleware.Deny(w, r, err)
	if w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Body.String() != `{"title":"Method Not Allowed","status":405}`+"\n" {
		t.Errorf("%d, %v %q", w.Code, w.Header(), w.Body)
	}
}
