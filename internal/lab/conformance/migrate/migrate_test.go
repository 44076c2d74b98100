package migrate

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/jwtauth/v5"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	fibersession "github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gorilla/sessions"

	"github.com/authlatch/auth/store"
)

const shared = "0123456789abcdef0123456789abcdef"

// sites returns the application of each library, before and after the move, with old logins
// that last an hour, or a second where the clock is real.
var sites = map[string]func(*testing.T, *takeOver) *site{
	"scs": func(t *testing.T, over *takeOver) *site {
		old := scs.New()
		old.Lifetime = time.Hour
		t.Cleanup(func() {
			synctest.Wait() // its goroutine has started, and can be stopped
			old.Store.(*memstore.MemStore).StopCleanup()
		})
		after := move(old, newSessions(t, over.store), over.store, over.until)
		return &site{before: withSCS(old), after: after, credential: "session"}
	},
	"gorilla": func(t *testing.T, over *takeOver) *site {
		old := sessions.NewCookieStore([]byte(shared))
		old.MaxAge(3600)
		m := newSessions(t, over.store)
		over.logins, over.cookie, over.read = m, "session", readGorilla(old)
		return &site{before: withGorilla(old), after: over.wrap(withSessions(m)), credential: "session"}
	},
	"fiber": func(t *testing.T, over *takeOver) *site {
		old := fibersession.New(fibersession.Config{Expiration: time.Second})
		m := newSessions(t, over.store)
		over.logins, over.cookie, over.read = m, "session_id", readFiber(old)
		return &site{
			before: adaptor.FiberApp(withFiber(old)), credential: "session_id",
			after: adaptor.FiberApp(withFiberAndSessions(over.wrap(withSessions(m)))),
		}
	},
	"jwtauth": func(t *testing.T, over *takeOver) *site {
		old, issuer := jwtauth.New("HS256", []byte(shared), nil), newIssuer(t, over.store)
		over.logins, over.cookie, over.read = issuer, "jwt", readJWTAuth(old)
		r := withChi(issuer)
		r.Method("POST", "/takeover", over)
		return &site{before: withJWTAuth(old), after: r, credential: "jwt", exchange: true}
	},
	"gin-jwt": func(t *testing.T, over *takeOver) *site {
		old, err := newGinJWT([]byte(shared))
		if err != nil {
			t.Fatal(err)
		}
		issuer := newIssuer(t, over.store)
		over.logins, over.cookie, over.read = issuer, "jwt", readGinJWT(old)
		r := withGin(issuer)
		r.POST("/takeover", gin.WrapH(over))
		return &site{before: withGinJWT(old), after: r, credential: "jwt", exchange: true}
	},
	"golang-jwt": func(t *testing.T, over *takeOver) *site {
		after := moveTokens([]byte(shared), newIssuer(t, over.store), over.store, over.until)
		return &site{before: withGolangJWT([]byte(shared)), after: after, exchange: true}
	},
}

// each runs a test for each library, with a user who has logged in before the move.
func each(t *testing.T, f func(*testing.T, *site, *visitor)) {
	gin.SetMode(gin.ReleaseMode)
	for name, open := range sites {
		run := func(t *testing.T) {
			memory := &brittle{}
			s := open(t, &takeOver{store: memory, until: time.Now().Add(90 * 24 * time.Hour)})
			s.store = memory
			alice := &visitor{cookies: map[string]string{}}
			code, body := alice.send(s.before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
			if s.credential == "" {
				alice.bearer = body
			}
			if me, user := alice.send(s.before, "GET", "/me", nil); code != 200 || me != 200 || user != "alice" {
				t.Fatalf("before the move: %d, %d %s", code, me, user)
			}
			f(t, s, alice)
		}
		t.Run(name, func(t *testing.T) {
			if name == "fiber" { // it has goroutines of its own, which outlive a bubble
				run(t)
			} else {
				synctest.Test(t, run)
			}
		})
	}
}

func TestTheMoveKeepsUsersLoggedInExactlyOnce(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		thief := alice.copied()
		if code, user := s.me(alice); code != 200 || user != "alice" {
			t.Fatalf("at the move: %d %s", code, user)
		}
		if value, ok := alice.cookies[s.credential]; ok {
			t.Errorf("the old cookie stays: %q", value)
		}
		if code, user := alice.send(s.after, "GET", "/me", nil); code != 200 || user != "alice" {
			t.Errorf("after the move: %d %s", code, user)
		}
		if code, body := s.me(thief.copied()); code != 401 {
			t.Errorf("a copy of the old credential, at the move: %d %s", code, body)
		}
		if s.credential != "session_id" { // its clock is real
			time.Sleep(time.Minute)
		}
		if code, body := s.me(thief); code != 401 {
			t.Errorf("a copy of the old credential, after the move: %d %s", code, body)
		}
	})
}

func TestAForgedCredentialIsNotTakenOver(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		old := alice.bearer
		if s.credential != "" {
			old = alice.cookies[s.credential]
		}
		middle := len(old) / 2
		for _, forged := range []string{"", "x", old + "x", old[:middle] + flip(old[middle]) + old[middle+1:], "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSIsImlhdCI6MSwiZXhwIjo0MTAyNDQ0ODAwfQ."} {
			if s.credential == "" {
				alice.bearer = forged
			} else {
				alice.cookies[s.credential] = forged
			}
			if code, body := s.me(alice.copied()); code != 401 {
				t.Errorf("%q: %d %s", forged, code, body)
			}
		}
	})
}

func flip(b byte) string {
	if b == 'A' {
		return "B"
	}
	return "A"
}

// Of several texts of one credential, one is taken over.
func TestAnotherEncodingIsTheSameCredential(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		for n := range 4 { // the last byte of a credential has more or less bits to spare
			if n > 0 {
				if _, text := alice.send(s.before, "POST", "/login", url.Values{"user": {"alice" + strings.Repeat("e", 3*n)}, "password": {"correct horse"}}); s.credential == "" {
					alice.bearer = text
				}
			}
			old := alice.bearer
			if s.credential != "" {
				old = alice.cookies[s.credential]
			}
			s.me(alice)
			text := strings.TrimRight(old, "=")
			for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" {
				thief := &visitor{cookies: map[string]string{}}
				other := text[:len(text)-1] + string(last) + old[len(text):]
				if s.credential == "" {
					thief.bearer = other
				} else {
					thief.cookies[s.credential] = other
				}
				if code, body := s.me(thief); code != 401 {
					t.Errorf("%q after %q: %d %s", other, old, code, body)
				}
			}
			alice.cookies, alice.bearer = map[string]string{}, ""
		}
	})
}

func TestAnExpiredCredentialIsNotTakenOver(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		if strings.HasPrefix(s.credential, "session_") { // real time
			time.Sleep(2500 * time.Millisecond)
		} else {
			time.Sleep(25 * time.Hour)
		}
		if code, body := s.me(alice); code != 401 {
			t.Errorf("%d %s", code, body)
		}
	})
}

func TestNothingIsTakenOverAfterTheEndDate(t *testing.T) {
	over := &takeOver{until: time.Now()}
	if taken, err := over.take(nil, nil); taken || err != nil {
		t.Error(taken, err)
	}
}

// A store that is down costs no login.
func TestATakeOverThatFailsCanBeRepeated(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		s.store.down = errors.New("connection refused")
		if code, body := s.me(alice); code != 503 {
			t.Errorf("the store is down: %d %s", code, body)
		}
		s.store.down = nil
		if s.credential == "session_id" {
			return // its clock is real, and its session lasts a second
		}
		time.Sleep(30 * time.Second)
		if code, user := s.me(alice); code != 200 || user != "alice" {
			t.Errorf("the store is back: %d %s", code, user)
		}
	})
}

// The cookie of a session that has ended does not stand beside the new one.
func TestAnEndedSessionDoesNotHinderTheMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sites["gorilla"](t, &takeOver{store: &brittle{}, until: time.Now().Add(time.Hour)})
		alice := &visitor{cookies: map[string]string{"__Host-Http-session": strings.Repeat("A", 43)}}
		alice.send(s.before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
		if code, user := s.me(alice); code != 200 || user != "alice" {
			t.Errorf("%d %s", code, user)
		}
	})
}

// Another site cannot use a credential up.
func TestAnotherSiteTakesNothingOver(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		cross := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Header.Set("Sec-Fetch-Site", "cross-site")
			s.after.ServeHTTP(w, r)
		})
		if code, body := alice.copied().send(cross, "POST", "/takeover", nil); code < 400 {
			t.Errorf("of another site: %d %s", code, body)
		}
		if code, user := s.me(alice); code != 200 || user != "alice" {
			t.Errorf("then: %d %s", code, user)
		}
	})
}

// The move extends no login, and is not a proof of a password.
func TestTheMoveExtendsNoLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := &brittle{}
		over := &takeOver{store: memory, until: time.Now().Add(time.Hour * 24 * 90)}
		s := sites["scs"](t, over)
		alice := &visitor{cookies: map[string]string{}}
		alice.send(s.before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
		time.Sleep(59 * time.Minute)
		if code, _ := s.me(alice); code != 200 {
			t.Fatal(code)
		}
		logins, err := newSessions(t, memory).Logins(t.Context(), "alice")
		if err != nil || len(logins) != 1 || time.Since(logins[0].AuthTime) < 1000*time.Hour {
			t.Errorf("%+v, %v", logins, err)
		}
		time.Sleep(time.Minute)
		if code, _ := s.me(alice); code != 401 {
			t.Error(code)
		}
	})
}

func TestValuesOfSCSMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sites["scs"](t, &takeOver{store: &brittle{}, until: time.Now().Add(time.Hour)})
		alice := &visitor{cookies: map[string]string{}}
		alice.send(s.before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
		alice.send(s.before, "POST", "/cart", url.Values{"item": {"tea"}})
		for range 2 {
			if code, body := s.me(alice); code != 200 || body != "alice tea" {
				t.Errorf("%d %q", code, body)
			}
		}
		if code, _ := alice.send(s.after, "POST", "/logout", nil); code != 200 {
			t.Error(code)
		}
		if code, body := s.me(alice); code != 401 {
			t.Errorf("after logout: %d %s", code, body)
		}
	})
}

// A cart that cannot be moved does not prevent the login, and leaves none behind.
func TestAValueThatCannotMoveDoesNotHinderTheMove(t *testing.T) {
	for rule, item := range map[string]string{"too large": strings.Repeat("x", 40<<10), "too large as JSON": strings.Repeat("<", 10<<10), "not UTF-8": "\xff"} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := sites["scs"](t, &takeOver{store: &brittle{}, until: time.Now().Add(time.Hour)})
				alice := &visitor{cookies: map[string]string{}}
				alice.send(s.before, "POST", "/login", url.Values{"user": {"alice"}, "password": {"correct horse"}})
				alice.send(s.before, "POST", "/cart", url.Values{"item": {item}})
				if code, body := s.me(alice); code != 200 || body != "alice" {
					t.Errorf("%d %q", code, body)
				}
			})
		})
	}
}

// A login that the old program did not remember ends with the browser.
func TestTheMoveRemembersOnlyWhoWasRemembered(t *testing.T) {
	for _, remembered := range []bool{true, false} {
		t.Run(fmt.Sprint(remembered), func(t *testing.T) {
			old := scs.New()
			old.Store = memstore.NewWithCleanupInterval(0)
			old.Lifetime, old.Cookie.Persist = 30*24*time.Hour, false
			s := &store.Memory{}
			after := move(old, newSessions(t, s), s, time.Now().Add(time.Hour))
			before := old.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				old.Put(r.Context(), "user", "alice")
				old.RememberMe(r.Context(), remembered)
			}))
			alice := &visitor{cookies: map[string]string{}}
			alice.send(before, "POST", "/login", nil)
			r := httptest.NewRequest("GET", "https://app.example/me", nil)
			r.AddCookie(&http.Cookie{Name: old.Cookie.Name, Value: alice.cookies[old.Cookie.Name]})
			w := httptest.NewRecorder()
			after.ServeHTTP(w, r)
			for _, c := range w.Result().Cookies() {
				if c.MaxAge >= 0 && (c.MaxAge > 0) != remembered {
					t.Errorf("%s: Max-Age %d", c.Name, c.MaxAge)
				}
			}
			if w.Code != 200 {
				t.Error(w.Code)
			}
		})
	}
}

// Requests at the same moment with one credential make one login.
func TestParallelRequestsTakeALoginOverOnce(t *testing.T) {
	each(t, func(t *testing.T, s *site, alice *visitor) {
		codes := make(chan int)
		for range 10 {
			b := alice.copied()
			go func() {
				code, _ := s.me(b)
				codes <- code
			}()
		}
		served := 0
		for range 10 {
			if <-codes == 200 {
				served++
			}
		}
		logins, err := newSessions(t, s.store).Logins(t.Context(), "alice")
		if served != 1 || len(logins) != 1 || err != nil {
			t.Errorf("%d requests served, %d logins, %v", served, len(logins), err)
		}
	})
}
