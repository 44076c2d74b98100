package bothmodes

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authlatch/auth"
)

// flask-security#229, delight-im/PHP-Auth#326: a user who proves another factor, or the
// same one again, stays remembered.
func TestAStepUpKeepsARememberedLogin(t *testing.T) {
	for _, c := range []struct {
		rule       string
		requested  time.Duration // by the first login
		after      time.Duration // the second login
		id         func(first auth.Identity) auth.Identity
		ends       time.Duration // after the first login
		remembered bool
	}{
		{"on the tenth day", 30 * day, 10 * day, unrequested, 30 * day, true},
		{"on the tenth day, with the identity of the request", 30 * day, 10 * day, passedOn, 30 * day, true},
		{"on the last day", 30 * day, 29*day + 20*time.Hour, unrequested, 30*day + 20*time.Hour, true},
		{"on the last day, with the identity of the request", 30 * day, 29*day + 20*time.Hour, passedOn, 30*day + 20*time.Hour, true},
		{"with an earlier request", 30 * day, 10 * day, until(time.Hour), 10*day + time.Hour, false},
		{"with a later request", 5 * day, day, until(20 * day), 21 * day, true},
		{"of another subject", 30 * day, 10 * day, of("bob"), 10*day + time.Hour, false},
		{"of a login that is not remembered", 0, 30 * time.Minute, unrequested, 90 * time.Minute, false},
		{"with the identity of a login that is not remembered", 40 * time.Minute, 30 * time.Minute, passedOn, 40 * time.Minute, false},
	} {
		t.Run(c.rule, func(t *testing.T) {
			inModes(t, auth.Limits{}, func(t *testing.T, mode *limited) {
				start := time.Now()
				mode.login(t, c.requested)
				time.Sleep(c.after)
				first := mode.identity(t)
				w := httptest.NewRecorder()
				if err := mode.Login(w, mode.request(), c.id(first)); err != nil {
					t.Fatal(err)
				}
				if mode.obey(w.Header()); mode.cookie.MaxAge > 0 != c.remembered {
					t.Errorf("the cookie has Max-Age %d", mode.cookie.MaxAge)
				}
				if age := time.Duration(mode.cookie.MaxAge) * time.Second; c.remembered && age != c.ends-c.after {
					t.Errorf("the cookie lasts %v, want %v", age, c.ends-c.after)
				}
				if time.Sleep(c.ends - time.Since(start)); mode.lives() {
					t.Errorf("it is alive after %v", c.ends)
				}
			})
		})
	}
}

func unrequested(auth.Identity) auth.Identity    { return auth.Identity{Subject: "alice"} }
func passedOn(first auth.Identity) auth.Identity { first.Methods = "pwd otp"; return first }
func of(subject string) func(auth.Identity) auth.Identity {
	return func(auth.Identity) auth.Identity { return auth.Identity{Subject: subject} }
}
func until(d time.Duration) func(auth.Identity) auth.Identity {
	return func(auth.Identity) auth.Identity {
		return auth.Identity{Subject: "alice", Expires: time.Now().Add(d)}
	}
}

// A user who logs out first is not remembered any more.
func TestALogoutForgetsARememberedLogin(t *testing.T) {
	inModes(t, auth.Limits{}, func(t *testing.T, mode *limited) {
		mode.login(t, 30*day)
		if err := mode.logout(httptest.NewRecorder(), mode.request()); err != nil {
			t.Fatal(err)
		}
		if mode.login(t, 0); mode.cookie.MaxAge != 0 {
			t.Errorf("the cookie has Max-Age %d", mode.cookie.MaxAge)
		}
	})
}

// identity returns what a guard puts into the context of a request now.
func (l *limited) identity(t *testing.T) auth.Identity {
	t.Helper()
	r := l.request()
	if l.bearer != nil {
		h, access := l.bearer(r)
		l.obey(h)
		r = httptest.NewRequest(http.MethodGet, "https://app.example/", nil)
		r.Header.Set("Authorization", "Bearer "+access)
	}
	id, err := l.Authenticate(r)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
