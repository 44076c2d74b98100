package onetime_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// The WebSockets of a chat are on a host that receives no session cookie. An
// authenticated user gets a ticket, which opens one room within a minute while the
// session is valid.
func Example_ticket() {
	kept := &store.Memory{}
	sessions, errSessions := session.New(session.Config{Store: kept})
	tokens, errTokens := onetime.New(onetime.Config{Store: kept})
	if err := errors.Join(errSessions, errTokens); err != nil {
		panic(err)
	}
	guard := &middleware.Guard{Authenticator: sessions}
	chat := http.NewServeMux()
	chat.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		// Check a password here.
		if err := sessions.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	chat.Handle("POST /ticket/{room}", guard.Require(mint(tokens)))
	chat.Handle("GET /socket/{room}", open(tokens, sessions))

	fmt.Println("no login:", ask(chat, "POST /ticket/garden", "").Code)
	login := ask(chat, "POST /login", "").Result().Cookies()[0]
	ticket := ask(chat, "POST /ticket/garden", login.Value).Body.String()
	fmt.Println("another room:", ask(chat, "GET /socket/kitchen", ticket).Code)
	fmt.Println("this room:", ask(chat, "GET /socket/garden", ticket).Body)
	fmt.Println("once more:", ask(chat, "GET /socket/garden", ticket).Code)
	// Output:
	// no login: 401
	// another room: 401
	// this room: open for alice
	// once more: 401
}

// mint responds with a ticket. A guard protects it.
func mint(tokens *onetime.Tokens) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		ticket, err := tokens.Issue(r.Context(), "socket", id.LoginID+" "+id.Subject, time.Minute, r.PathValue("room"))
		if err != nil {
			middleware.Deny(w, r, err)
			return
		}
		fmt.Fprint(w, ticket)
	}
}

// open takes a ticket from the one header of a handshake that scripts can set, so that
// it is not part of a URL.
func open(tokens *onetime.Tokens, sessions *session.Manager) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ticket := r.Header.Get("Sec-WebSocket-Protocol")
		payload, err := tokens.Redeem(r.Context(), "socket", ticket, r.PathValue("room"))
		if errors.Is(err, onetime.ErrUsed) || errors.Is(err, onetime.ErrUnknown) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		loginID, subject, _ := strings.Cut(payload, " ")
		logins, errList := sessions.Logins(r.Context(), subject)
		switch {
		case err != nil || errList != nil:
			w.WriteHeader(http.StatusServiceUnavailable)
		case !slices.ContainsFunc(logins, func(l auth.Login) bool { return l.ID == loginID && !l.Pending }):
			w.WriteHeader(http.StatusUnauthorized) // logged out since
		default:
			fmt.Fprint(w, "open for ", subject) // upgrade the connection here
		}
	}
}

// ask sends a request with the credential of a session or a ticket.
func ask(h http.Handler, what, credential string) *httptest.ResponseRecorder {
	method, path, _ := strings.Cut(what, " ")
	r := httptest.NewRequest(method, "https://chat.example"+path, nil)
	if method == "GET" {
		r.Header.Set("Sec-WebSocket-Protocol", credential)
	} else if credential != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-Http-session", Value: credential})
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// chat is the service of the example, for two subjects.
type chat struct {
	http.Handler
	sessions *session.Manager
	tokens   *onetime.Tokens
}

func newChat(t *testing.T) chat {
	t.Helper()
	kept := &store.Memory{}
	sessions, err := session.New(session.Config{Store: kept})
	if err != nil {
		t.Fatal(err)
	}
	c := chat{sessions: sessions, tokens: over(t, kept)}
	guard := &middleware.Guard{Authenticator: sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login/{subject}", func(w http.ResponseWriter, r *http.Request) {
		log := sessions.Login
		if r.PathValue("subject") == "pending" {
			log = sessions.LoginPending
		}
		if err := log(w, r, auth.Identity{Subject: r.PathValue("subject")}); err != nil {
			t.Error(err)
		}
	})
	mux.Handle("POST /ticket/{room}", guard.Require(mint(c.tokens)))
	mux.Handle("GET /socket/{room}", open(c.tokens, sessions))
	c.Handler = mux
	return c
}

// login returns the cookie's value.
func (c chat) login(subject string) string {
	return ask(c, "POST /login/"+subject, "").Result().Cookies()[0].Value
}

func (c chat) ticket(t *testing.T, login string) string {
	t.Helper()
	w := ask(c, "POST /ticket/garden", login)
	if w.Code != 200 || w.Header().Get("Cache-Control") != "no-store" {
		t.Fatal(w.Code, w.Header())
	}
	return w.Body.String()
}

// ASVS 5.0, 4.4.4: only an authenticated user who requests a ticket gets one.
func TestTicketIsMintedForAnAuthenticatedRequestOnly(t *testing.T) {
	c := newChat(t)
	cookie := ask(c, "POST /login/alice", "").Result().Cookies()[0]
	if !cookie.Secure {
		t.Error("the session may come over HTTP")
	}
	ended := c.login("bob")
	if err := c.sessions.LogoutAll(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		credential string
		want       int
	}{
		"no credential":                  {"", 401},
		"a cookie that is malformed":     {"x", 401},
		"a session that is unknown":      {strings.Repeat("A", 43), 401},
		"a login that has ended":         {ended, 401},
		"one that waits for a factor":    {c.login("pending"), 401},
		"a ticket instead of the cookie": {c.ticket(t, cookie.Value), 401},
		"a login":                        {cookie.Value, 200},
	} {
		if w := ask(c, "POST /ticket/garden", test.credential); w.Code != test.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	r := httptest.NewRequest("POST", "https://chat.example/ticket/garden", nil)
	r.AddCookie(cookie)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if c.ServeHTTP(w, r); w.Code != 403 {
		t.Errorf("for another site: %d", w.Code)
	}
}

// ASVS 5.0, 4.4.3, 6.5.1 and 6.6.2: a ticket is accepted once, for a minute, for its own
// room, while its login is valid.
func TestTicketOpensWhatItIsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newChat(t)
		alice := c.login("alice")
		time.Sleep(time.Second)
		again := c.login("alice")
		bob := c.login("bob")
		connect := func(ticket, path string) string {
			w := ask(c, "GET "+path, ticket)
			if w.Code == 200 {
				return w.Body.String()
			}
			return fmt.Sprint(w.Code)
		}
		is := func(what, got, want string) {
			t.Helper()
			if got != want {
				t.Errorf("%s: %s", what, got)
			}
		}
		ticket := c.ticket(t, alice)
		is("another room", connect(ticket, "/socket/kitchen"), "401")
		is("a session's cookie", connect(alice, "/socket/garden"), "401")
		reset := issue(t, c.tokens, "reset", "x alice", "garden")
		is("a token for another purpose", connect(reset, "/socket/garden"), "401")
		if got, err := c.tokens.Redeem(t.Context(), "reset", ticket, "garden"); !errors.Is(err, onetime.ErrUnknown) || got != "" {
			t.Errorf("a ticket for another purpose: %q, %v", got, err)
		}
		is("what it is for", connect(ticket, "/socket/garden"), "open for alice")
		is("once more", connect(ticket, "/socket/garden"), "401")
		is("bob's", connect(c.ticket(t, bob), "/socket/garden"), "open for bob")

		early, late := c.ticket(t, alice), c.ticket(t, alice)
		time.Sleep(time.Minute - time.Millisecond)
		is("before a minute", connect(early, "/socket/garden"), "open for alice")
		time.Sleep(time.Millisecond)
		is("after a minute", connect(late, "/socket/garden"), "401")

		// Its login ends before it is used. Another login of the same subject does
		// not replace it.
		ended, lives := c.ticket(t, alice), c.ticket(t, again)
		logins, err := c.sessions.Logins(t.Context(), "alice")
		if err != nil || len(logins) != 2 {
			t.Fatal(logins, err)
		}
		if err := c.sessions.LogoutOne(t.Context(), "alice", logins[0].ID); err != nil {
			t.Fatal(err)
		}
		is("its login has ended", connect(ended, "/socket/garden"), "401")
		is("the other login lives", connect(lives, "/socket/garden"), "open for alice")
	})
}

// ASVS 5.0, 4.4.3 and 6.5.1.
func TestSixtyFourParallelHandshakesOpenOneSocket(t *testing.T) {
	c := newChat(t)
	alice := c.login("alice")
	for range 10 {
		ticket := c.ticket(t, alice)
		var opened, refused atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 64 {
			all.Go(func() {
				<-start
				switch w := ask(c, "GET /socket/garden", ticket); w.Code {
				case 200:
					opened.Add(1)
				case 401:
					refused.Add(1)
				}
			})
		}
		close(start)
		all.Wait()
		if opened.Load() != 1 || refused.Load() != 63 {
			t.Fatalf("%d opened, %d refused", opened.Load(), refused.Load())
		}
	}
}
