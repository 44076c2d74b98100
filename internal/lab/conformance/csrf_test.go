package conformance

import (
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// forms is a site with a form and a WebSocket, for users who are logged in. Its
// cookie is SameSite=None, so that nothing but the checks keeps others out.
type forms struct {
	*hosts
	sessions *session.Manager

	mu      sync.Mutex
	acted   int      // how often the form has got through
	opened  int      // and the WebSocket
	refused []string // the reasons of the events
}

// openForms opens the site to a browser that does not send some fields.
func openForms(t *testing.T, required bool, without ...string) *forms {
	t.Helper()
	f := &forms{hosts: openHosts(t)}
	var origins auth.CrossOrigin
	if required {
		origins = auth.RequireOrigin(nil)
	}
	var err error
	f.sessions, err = session.New(session.Config{
		Store: &store.Memory{}, Cookie: cookie.Session().SameSiteNone(), CrossOrigin: origins,
		Events: func(_ context.Context, e auth.Event) {
			if e.Kind == auth.EventRejected {
				f.mu.Lock()
				defer f.mu.Unlock()
				f.refused = append(f.refused, e.Reason)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	guard := &middleware.Guard{Authenticator: f.sessions}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login", f.login)
	mux.Handle("GET /form", guard.Require(http.HandlerFunc(f.form)))
	mux.Handle("POST /act", guard.Require(http.HandlerFunc(f.act)))
	mux.Handle("GET /socket", guard.Require(http.HandlerFunc(f.socket)))
	f.set(app, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, field := range without {
			r.Header.Del(field)
		}
		mux.ServeHTTP(w, r)
	}))
	return f
}

func (f *forms) login(w http.ResponseWriter, r *http.Request) {
	if err := f.sessions.Login(w, r, auth.Identity{Subject: "alice"}); err != nil {
		middleware.Deny(w, r, err)
	}
}

func (f *forms) form(w http.ResponseWriter, r *http.Request) {
	token, err := f.sessions.CSRFToken(w, r)
	if err != nil {
		middleware.Deny(w, r, err)
		return
	}
	fmt.Fprint(w, formTo("/act", token))
}

func formTo(action, token string) string {
	return `<!DOCTYPE html><form method="post" action="` + action + `"><input type="hidden" name="csrf_token" value="` + token + `"><button>Do it</button></form>`
}

func (f *forms) act(w http.ResponseWriter, r *http.Request) {
	if err := f.sessions.CheckCSRF(r); err != nil {
		middleware.Deny(w, r, err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acted++
}

// socket is a WebSocket that says who is there, and ends (RFC 6455, 4.2.2).
func (f *forms) socket(w http.ResponseWriter, r *http.Request) {
	id, _ := auth.FromContext(r.Context())
	f.mu.Lock()
	f.opened++
	f.mu.Unlock()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		f.t.Error(err)
		return
	}
	defer conn.Close()
	accept := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n\x81%c%s",
		base64.StdEncoding.EncodeToString(accept[:]), len(id.Subject), id.Subject)
}

// Unwrap lets a WebSocket take the connection.
func (w *notedStatus) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// take returns what has got through and what was refused, and forgets it.
func (f *forms) take() (acted, opened int, refused []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	acted, opened, refused = f.acted, f.opened, f.refused
	f.acted, f.opened, f.refused = 0, 0, nil
	return acted, opened, refused
}

// dial opens the WebSocket from the page that the tab shows.
func (f *forms) dial(b tab) string {
	return eval[string](b, `new Promise(done => {
		const socket = new WebSocket("`+"wss://"+app+":"+f.port+`/socket")
		socket.onmessage = e => done(e.data)
		socket.onerror = () => done("refused")
	})`)
}

// lenientChromium starts a browser in which the pages of other sites send
// cookies, by frames, scripts and WebSockets too, as all browsers once did.
func lenientChromium(t *testing.T) context.Context {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		missing(t, "chromium")
	}
	profile, err := os.MkdirTemp(lasting, "profile")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(profile, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	const preferences = `{"profile": {"cookie_controls_mode": 0}}`
	if err := os.WriteFile(filepath.Join(profile, "Default", "Preferences"), []byte(preferences), 0o600); err != nil {
		t.Fatal(err)
	}
	browser, stop, err := startChromium(chromedp.UserDataDir(profile))
	t.Cleanup(stop)
	if err != nil {
		t.Fatalf("chromium does not start: %v", err)
	}
	return browser
}

// customer returns a tab in which alice is logged in.
func (f *forms) customer(t *testing.T, browser context.Context) tab {
	t.Helper()
	b := newTabIn(t, browser)
	if status := b.visit(f.url(app, "/login")); status != http.StatusOK {
		t.Fatalf("login: status %d", status)
	}
	f.take()
	return b
}

// ASVS 5.0, 3.5.1, 3.7.5 and 4.4.2.
// What a browser says, or does not say, decides in this order: Sec-Fetch-Site,
// Origin, and then the configuration, behind which the form's token stands.
func TestFormsAndWebSocketsOfOthersAreRefused(t *testing.T) {
	browser := lenientChromium(t)
	const crossOrigin, csrf = "cross-origin request", "csrf token"
	fetch := []string{"Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-User"}
	for _, c := range []struct {
		rule     string
		without  []string
		required bool

		own, ownSocket       bool   // our page gets through
		others, othersSocket string // why others do not, or ""
	}{
		{"a browser of today", nil, false, true, true, crossOrigin, crossOrigin},
		{"a browser of today, an origin is required", nil, true, true, true, crossOrigin, crossOrigin},
		{"Origin alone", fetch, false, true, true, crossOrigin, crossOrigin},
		{"Origin alone, and it is required", fetch, true, true, true, crossOrigin, crossOrigin},
		{"neither", append(fetch, "Origin"), false, true, true, csrf, ""},
		{"neither, and one is required", append(fetch, "Origin"), true, false, false, crossOrigin, crossOrigin},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f := openForms(t, c.required, c.without...)
			b := f.customer(t, browser)
			b.visit(f.url(app, "/form"))
			if got := f.dial(b) == "alice"; got != c.ownSocket {
				t.Errorf("our WebSocket is open: %v", got)
			}
			if got := b.click("button") == http.StatusOK; got != c.own {
				t.Errorf("our form gets through: %v", got)
			}
			f.take()
			for _, host := range []string{sibling, foreign} {
				f.page(host, formTo(f.url(app, "/act"), f.stolen(t)))
				b.visit(f.url(host, "/"))
				f.forget()
				got := f.dial(b)
				_, opened, refused := f.take()
				if asked := f.request(app, "/socket"); asked.header.Get("Cookie") == "" {
					t.Errorf("%s opens a WebSocket, and the cookie does not go along", host)
				}
				if (got == "alice") != (c.othersSocket == "") || opened > 0 != (c.othersSocket == "") || c.othersSocket != "" && !slices.Equal(refused, []string{c.othersSocket}) {
					t.Errorf("%s opens a WebSocket: %s, refused for %q", host, got, refused)
				}
				status := b.click("button")
				acted, _, refused := f.take()
				if asked := f.request(app, "/act"); asked.header.Get("Cookie") == "" || asked.method != "POST" {
					t.Errorf("%s posts, and the cookie does not go along", host)
				}
				if status != http.StatusForbidden || acted > 0 || !slices.Equal(refused, []string{c.others}) {
					t.Errorf("%s posts: status %d, refused for %q", host, status, refused)
				}
			}
		})
	}
}

// stolen returns a token that another session has got from us.
func (f *forms) stolen(t *testing.T) string {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("GET", "https://"+app+"/", nil)
	if err := f.sessions.Login(w, r, auth.Identity{Subject: "mallory"}); err != nil {
		t.Fatal(err)
	}
	token, err := f.sessions.CSRFToken(w, r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// ASVS 5.0, 3.5.2: a page of another site gets no field of its own to us, not
// even with the right token. The browser asks first, and gets no permission.
func TestScriptsOfOthersCannotSendTheField(t *testing.T) {
	f := openForms(t, false, "Sec-Fetch-Site", "Origin") // nothing else refuses
	b := f.customer(t, lenientChromium(t))
	b.visit(f.url(app, "/form"))
	token := eval[string](b, `document.querySelector("input").value`)
	script := func(mode string) string {
		return `fetch("` + f.url(app, "/act") + `", {method: "POST", mode: "` + mode + `", credentials: "include",
			headers: {"X-CSRF-Token": "` + token + `"}}).then(r => String(r.status), () => "failed")`
	}
	if got := eval[string](b, script("cors")); got != "200" {
		t.Fatalf("our page: %s", got)
	}
	for _, host := range []string{sibling, foreign} {
		f.page(host, "a page")
		b.visit(f.url(host, "/"))
		f.forget()
		if got := eval[string](b, script("cors")); got != "failed" {
			t.Errorf("%s: %s", host, got)
		}
		for _, asked := range f.requests(app, "/act") {
			if asked.method != http.MethodOptions {
				t.Errorf("%s sends a %s", host, asked.method)
			}
		}
		f.forget()
		eval[string](b, script("no-cors")) // which leaves the field out
		if asked := f.request(app, "/act"); asked.header.Get("X-CSRF-Token") != "" || asked.status != http.StatusForbidden {
			t.Errorf("%s, without asking: status %d", host, asked.status)
		}
	}
	if acted, _, _ := f.take(); acted != 1 {
		t.Errorf("%d requests got through", acted)
	}
}
