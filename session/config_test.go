package session_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

func TestConfigThatCannotWorkIsRefused(t *testing.T) {
	type config = session.Config
	for _, c := range []struct {
		rule string
		config
		names string // the field; empty: it works
	}{
		{"a store is required", config{}, "Store"},
		{"the zero config with a store works", config{Store: &store.Memory{}}, ""},
		{"a policy that cannot be set", config{Cookie: cookie.New("a b")}, "Cookie"},
		{"a policy that contradicts itself", config{Cookie: cookie.New("a").SameSiteNone().Insecure()}, "Cookie"},
	} {
		t.Run(c.rule, func(t *testing.T) {
			if c.Store == nil && c.names != "Store" {
				c.Store = &store.Memory{}
			}
			m, err := session.New(c.config)
			switch {
			case c.names == "" && (err != nil || m == nil):
				t.Error(m, err)
			case c.names != "" && (err == nil || m != nil || !strings.Contains(err.Error(), c.names)):
				t.Errorf("%v, %v; want an error about %s", m, err, c.names)
			}
		})
	}
}

func TestNewDoesNoIO(t *testing.T) {
	s := &counted{Store: &store.Memory{}}
	newManager(t, session.Config{Store: s})
	if n := s.calls(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// TestLimitsMeanTheSameInBothModes tests the defaults of the limits.
func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newManager(t, session.Config{})
		b := &browser{}
		check(t, b.post(func(w http.ResponseWriter, r *http.Request) error {
			r.Header.Set("User-Agent", "Firefox")
			return m.Login(w, r, alice)
		}))
		for range 99 {
			time.Sleep(time.Second)
			loggedIn(t, m, "alice")
		}
		list, err := m.Logins(t.Context(), "alice")
		check(t, err)
		if len(list) != 100 || list[0].UserAgent != "Firefox" || list[0].Address != "" {
			t.Fatalf("%d logins, the first is %+v", len(list), list[:min(1, len(list))])
		}
		loggedIn(t, m, "alice")
		list, err = m.Logins(t.Context(), "alice")
		check(t, err)
		if len(list) != 100 || list[0].UserAgent != "" {
			t.Errorf("%d logins, the first is %+v", len(list), list[:min(1, len(list))])
		}
		b.wants(t, m, noCredential)
	})
}
