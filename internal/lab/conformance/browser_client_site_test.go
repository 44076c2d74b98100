package conformance

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
	"github.com/authlatch/auth/token/browser"
)

const (
	api           = "api.shop.test" // same site as app, other origin
	refreshCookie = "__Host-Http-refresh"

	// Times are as short as an issuer takes them.
	accessLifetime = 3 * time.Second
	refreshWindow  = time.Second
)

// tokenSite is a page with an API, both from one TLS server under several names,
// over a real issuer.
type tokenSite struct {
	t    *testing.T
	port string

	mu       sync.Mutex
	issuer   *token.Issuer
	verifier *token.Verifier     // without leeway
	cors     func(h http.Header) // of the API, or nil
	meet     *meeting            // of refreshes, or nil
	cut      bool                // answers to refreshes are lost
	events   []auth.Event
	requests []tokenRequest
	pages    map[string]string // of the neighbours, by host
}

// tokenRequest is a request that has reached the server, and its answer.
type tokenRequest struct {
	method, host, path, authorization string
	status                            int
}

func openTokenSite(t *testing.T, trusted ...string) *tokenSite {
	t.Helper()
	s := &tokenSite{t: t, pages: make(map[string]string)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.EnableHTTP2 = true // streams go up by HTTP/2 alone
	server.StartTLS()
	t.Cleanup(server.Close)
	_, s.port, _ = net.SplitHostPort(server.Listener.Addr().String())

	keys, err := token.NewKeySet(token.Ed25519)
	if err != nil {
		t.Fatal(err)
	}
	origins := http.NewCrossOriginProtection()
	for _, host := range trusted {
		if err := origins.AddTrustedOrigin(s.url(host, "")); err != nil {
			t.Fatal(err)
		}
	}
	issuer, err := token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &store.Memory{},
		Issuer: "https://app.shop.test", Audience: "https://app.shop.test", ClientID: "page",
		AccessLifetime: accessLifetime, GracePeriod: refreshWindow,
		CrossOrigin: origins, Events: s.record,
	})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := token.NewVerifier(token.VerifierConfig{
		Keys: keys, Issuer: "https://app.shop.test", Audience: "https://app.shop.test",
		Leeway: time.Millisecond, Events: s.record,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.change(func() { s.issuer, s.verifier = issuer, verifier })
	return s
}

func (s *tokenSite) change(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

func (s *tokenSite) url(host, path string) string { return "https://" + host + ":" + s.port + path }

func (s *tokenSite) record(_ context.Context, e auth.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// count counts events.
func (s *tokenSite) count(kind auth.EventKind) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == kind {
			count++
		}
	}
	return count
}

// seen returns the statuses of the requests with a method to a path.
func (s *tokenSite) seen(method, path string) (statuses []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.requests {
		if r.method == method && r.path == path {
			statuses = append(statuses, r.status)
		}
	}
	return statuses
}

func (s *tokenSite) serve(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	s.mu.Lock()
	cors := s.cors
	s.mu.Unlock()
	answer := &noted{ResponseWriter: w, status: http.StatusOK}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.requests = append(s.requests, tokenRequest{r.Method, host, r.URL.Path, r.Header.Get("Authorization"), answer.status})
	}()
	switch host {
	case app:
		s.routes(true).ServeHTTP(answer, r)
	case api:
		if cors != nil {
			cors(w.Header())
			if r.Method == http.MethodOptions {
				w.WriteHeader(http.StatusNoContent)
				return
			}
		}
		s.routes(false).ServeHTTP(answer, r)
	default:
		s.neighbour(answer, r, host)
	}
}

func (s *tokenSite) neighbour(w http.ResponseWriter, r *http.Request, host string) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*") // it wants all that it can get
	h.Set("Access-Control-Allow-Headers", "Authorization, *")
	h.Set("Content-Type", "text/html; charset=utf-8")
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(w, s.pages[host])
}

func (s *tokenSite) routes(withPages bool) http.Handler {
	guard := &middleware.Guard{Authenticator: s.verifier}
	echo := guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		if err := s.issuer.Login(w, r, auth.Identity{Subject: cmp.Or(r.URL.Query().Get("as"), "alice")}); err != nil {
			middleware.Deny(w, r, err)
		}
	})
	mux.HandleFunc("POST /login-cut", func(w http.ResponseWriter, r *http.Request) {
		whole := httptest.NewRecorder()
		if err := s.issuer.Login(whole, r, auth.Identity{Subject: "bob"}); err != nil {
			s.t.Error(err)
		}
		maps.Copy(w.Header(), whole.Header())
		w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
		http.NewResponseController(w).Flush()
		time.Sleep(200 * time.Millisecond) // so that the page has the header
		panic(http.ErrAbortHandler)
	})
	mux.Handle("/whoami", guard.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := auth.FromContext(r.Context())
		io.WriteString(w, id.Subject)
	})))
	mux.HandleFunc("/refresh", s.refresh)
	mux.Handle("/logout", s.issuer.LogoutHandler())
	mux.Handle("/me", echo)
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(300 * time.Millisecond)
		echo.ServeHTTP(w, r)
	})
	mux.HandleFunc("/cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.Handle("/away", http.RedirectHandler(s.url(foreign, "/caught"), http.StatusTemporaryRedirect))
	if withPages {
		mux.HandleFunc("GET /{$}", page("page.html"))
		mux.HandleFunc("GET /page.js", page("page.js"))
		mux.HandleFunc("GET /axios-page.js", page("axios-page.js"))
		mux.Handle("GET /authlatch.js", browser.Handler())
		mux.Handle("GET /axios.js", browser.Handler())
		mux.HandleFunc("GET /vendor/axios.js", s.vendor)
	}
	return mux
}

// page serves a file under a policy that has no exceptions for the client.
func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src https:; require-trusted-types-for 'script'")
		http.ServeFile(w, r, "testdata/browser/"+name)
	}
}

func (s *tokenSite) vendor(w http.ResponseWriter, r *http.Request) {
	content, err := os.ReadFile(nodePackages(s.t) + "/node_modules/axios/dist/esm/axios.js")
	if err != nil {
		s.t.Error(err)
	}
	w.Header().Set("Content-Type", "text/javascript")
	w.Write(content)
}

// refresh answers as the issuer does, unless the answer is lost on the way.
func (s *tokenSite) refresh(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	meet, cut := s.meet, s.cut
	s.mu.Unlock()
	if meet != nil {
		meet.wait()
	}
	if cut {
		s.issuer.RefreshHandler().ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	}
	s.issuer.RefreshHandler().ServeHTTP(w, r)
}

// meeting lets requests go on when two are there, or after a while.
type meeting struct {
	mu   sync.Mutex
	here int
	both chan struct{}
}

func (m *meeting) wait() {
	m.mu.Lock()
	if m.here++; m.here == 1 {
		m.both = make(chan struct{})
	} else if m.here == 2 {
		close(m.both)
	}
	both := m.both
	m.mu.Unlock()
	select {
	case <-both:
	case <-time.After(2 * time.Second):
	}
}

type noted struct {
	http.ResponseWriter
	status int
}

func (w *noted) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *noted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// load visits the page and waits for its script.
func (s *tokenSite) load(b tab, query string) tab {
	b.t.Helper()
	b.visit(s.url(app, "/"+query))
	b.waitForPage()
	return b
}

func (b tab) waitForPage() {
	b.t.Helper()
	eval[bool](b, `new Promise((resolve) => (function look() { globalThis.client ? resolve(true) : setTimeout(look, 10) })())`)
}

// customer loads the page and logs in.
func (s *tokenSite) customer(query string) tab {
	s.t.Helper()
	b := s.load(newTab(s.t), query)
	if status := eval[any](b, `login()`); status != 200.0 {
		s.t.Fatalf("login: %v", status)
	}
	return b
}

// another opens one more tab of the same browser.
func (b tab) another() tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.t.Fatal(err)
	}
	return tab{b.t, ctx}
}

// calls asks for paths, all at once, and returns what becomes of them.
func (b tab) calls(paths ...string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("Promise.all(%s.map((path) => call(path))).then(String)", list(paths)))
}

func list(words []string) string { return `["` + strings.Join(words, `","`) + `"]` }

// refreshToken returns what a thief would like to have.
func (s *tokenSite) refreshToken(b tab) string {
	b.t.Helper()
	for _, c := range b.cookies(s.url(app, "/")) {
		if c.Name == refreshCookie {
			return c.Value
		}
	}
	return ""
}

func (b tab) lost() string {
	b.t.Helper()
	return eval[string](b, `lost.join(", ")`)
}

// eventually asks a page until it says what is expected: tabs talk to each other
// whenever the browser likes.
func (b tab) eventually(script, want string) {
	b.t.Helper()
	got := ""
	for start := time.Now(); time.Since(start) < hang; {
		if got = eval[string](b, `Promise.resolve(`+script+`).then(String)`); got == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.t.Errorf("%s is %q, not %q", script, got, want)
}

// expire waits until all access tokens have expired, and the grace period has passed.
func expire() { time.Sleep(accessLifetime + 100*time.Millisecond) }

// statusesOf sorts, since parallel requests arrive in any order.
func statusesOf(statuses []int) string {
	slices.Sort(statuses)
	return strings.Trim(fmt.Sprint(statuses), "[]")
}
