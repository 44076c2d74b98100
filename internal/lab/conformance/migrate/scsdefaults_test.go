package migrate

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// with returns the response to a request of a visitor, who does not get its cookies.
func (b *visitor) with(site http.Handler, method, path, body string) *http.Response {
	r := httptest.NewRequest(method, "https://app.example"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w.Result()
}

// sessionsLikeSCS keeps logins as long as scs does, and their cookies.
func TestSessionsLikeSCSLastAsLong(t *testing.T) {
	const credentials = "user=alice&password=correct+horse"
	for _, moved := range []bool{true, false} {
		t.Run(fmt.Sprint("moved ", moved), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, s := scs.New(), &store.Memory{}
				synctest.Wait() // its goroutine has started, and can be stopped
				old.Store.(*memstore.MemStore).StopCleanup()
				sessions, err := sessionsLikeSCS(s)
				if err != nil {
					t.Fatal(err)
				}
				before, after := withSCS(old), move(old, sessions, s, time.Now().Add(90*24*time.Hour))
				alice := &visitor{cookies: map[string]string{}}
				response := alice.with(after, "POST", "/login", credentials)
				if moved {
					alice.cookies["session"] = alice.with(before, "POST", "/login", credentials).Cookies()[0].Value
					response = alice.with(after, "GET", "/me", "")
				}
				alice.cookies = map[string]string{}
				for _, c := range response.Cookies() {
					if c.MaxAge > 0 {
						alice.cookies[c.Name] = c.Value
					}
				}
				for _, c := range []struct{ wait, code int }{{0, 200}, {23, 200}, {1, 401}} {
					time.Sleep(time.Duration(c.wait) * time.Hour)
					if code := alice.with(after, "GET", "/me", "").StatusCode; code != c.code {
						t.Errorf("after %d h more: %d, want %d", c.wait, code, c.code)
					}
				}
			})
		})
	}
}

// Some versions of curl keep an old cookie that is expired before another is set. An old
// cookie of the same name is replaced: to expire it would delete the new one.
func TestTheOldCookieIsExpiredAfterTheNewOne(t *testing.T) {
	for name, policy := range map[string]cookie.Policy{
		"another name": {}, "the same name": cookie.New("session").SameSiteLax().InsecureAnywhere(),
	} {
		t.Run(name, func(t *testing.T) {
			old, s := scs.New(), &store.Memory{}
			sessions, err := session.New(session.Config{Store: s, Cookie: policy})
			if err != nil {
				t.Fatal(err)
			}
			before, after := withSCS(old), move(old, sessions, s, time.Now().Add(time.Hour))
			alice := &visitor{cookies: map[string]string{}}
			alice.send(before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
			got := alice.with(after, "GET", "/me", "").Cookies()
			if name == "the same name" {
				if len(got) != 1 || got[0].MaxAge < 0 {
					t.Errorf("%v", got)
				}
			} else if last := got[len(got)-1]; len(got) != 2 || last.Name != "session" || last.MaxAge >= 0 {
				t.Errorf("%v", got)
			}
			alice.cookies = map[string]string{got[0].Name: got[0].Value}
			if code, user := alice.send(after, "GET", "/me", nil); code != 200 || user != "alice" {
				t.Errorf("%d %s", code, user)
			}
		})
	}
}

func TestIDsAndSeveralValuesOfSCSMove(t *testing.T) {
	old, s := scs.New(), &store.Memory{}
	sessions := newSessions(t, s)
	before := old.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		old.Put(r.Context(), "userID", int64(math.MaxInt64))
		old.Put(r.Context(), "cart", "tea")
		old.Put(r.Context(), "visits", int64(math.MinInt64))
	}))
	over := &takeOver{logins: sessions, store: s, until: time.Now().Add(time.Hour), cookie: "session", read: readSCS(old, sessions)}
	after := over.wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, err := sessions.Authenticate(r)
		if err != nil {
			t.Error(err)
			return
		}
		item, err := cart.Get(id.Credential.(*session.Session))
		seen, err2 := visits.Get(id.Credential.(*session.Session))
		fmt.Fprint(w, id.Subject, item, seen, err, err2)
	}))
	alice := &visitor{cookies: map[string]string{}}
	alice.send(before, "POST", "/login", nil)
	if code, body := alice.send(after, "GET", "/me", nil); code != 200 || body != "9223372036854775807tea-9223372036854775808 <nil> <nil>" {
		t.Errorf("%d %q", code, body)
	}
}
