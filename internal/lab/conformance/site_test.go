package conformance

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The hosts, which are all on one TLS listener.
const (
	app     = "app.shop.test"  // the shop
	sibling = "evil.shop.test" // same site, other origin
	foreign = "evil.example"   // another site
)

// cookieName is what production settings call the session cookie.
const cookieName = "__Host-Http-session"

// site is a TLS proxy in front of the shop, with its bad neighbours. It sees to
// it that nothing but the cookie carries a token.
type site struct {
	t    *testing.T
	shop *shop
	port string
	old  bool // takes Sec-Fetch-Site away, as if the browser were an old one

	mu     sync.Mutex
	pages  map[string]http.HandlerFunc // of the neighbours, by host
	visits []visit
}

// visit is a request that has reached the shop, and how it was answered.
type visit struct {
	method, path string
	withCookie   bool
	status       int
}

func openSite(t *testing.T, flags ...string) *site {
	t.Helper()
	s := &site{t: t, shop: openShop(t, flags...), pages: make(map[string]http.HandlerFunc)}
	target, err := url.Parse(s.shop.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // what the browser asked for
			if s.old {
				r.Out.Header.Del("Sec-Fetch-Site")
			}
		},
		ModifyResponse: s.note,
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, _ := strings.Cut(r.Host, ":")
		s.mu.Lock()
		page := s.pages[host]
		s.mu.Unlock()
		switch {
		case host == app:
			proxy.ServeHTTP(w, r)
		case page != nil:
			page(w, r)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	_, s.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return s
}

// note keeps what has happened, and looks for tokens where none may be.
func (s *site) note(res *http.Response) error {
	r := res.Request
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	header := res.Header.Clone()
	header.Del("Set-Cookie")
	seen := fmt.Sprint(r.URL, r.Referer(), header, string(body))
	for _, c := range append(r.Cookies(), res.Cookies()...) {
		if c.Value != "" && strings.Contains(seen, c.Value) {
			s.t.Errorf("%s %s: a token is in the address, the referrer, the header or the body", r.Method, r.URL.Path)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.visits = append(s.visits, visit{
		method: r.Method, path: r.URL.Path,
		withCookie: strings.Contains(r.Header.Get("Cookie"), cookieName+"="),
		status:     res.StatusCode,
	})
	return nil
}

// since returns the requests that have reached the shop after mark, as soon as
// there are some: pages make them by themselves.
func (s *site) since(mark int) []visit {
	for start := time.Now(); time.Since(start) < hang; {
		s.mu.Lock()
		visits := slices.Clone(s.visits[mark:])
		s.mu.Unlock()
		if len(visits) > 0 {
			return visits
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

func (s *site) mark() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.visits)
}

func (s *site) url(host, path string) string { return "https://" + host + ":" + s.port + path }

// serve lets a neighbour answer with a page of HTML, and headers.
func (s *site) serve(host, html string, header ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages[host] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for pair := range slices.Chunk(header, 2) {
			w.Header().Add(pair[0], pair[1])
		}
		fmt.Fprint(w, html)
	}
}

// login logs alice in at the form of the page that the tab shows.
func (b tab) login(remember bool) {
	b.t.Helper()
	b.fill("#user", "alice")
	b.fill("#password", "correct horse")
	if remember {
		eval[bool](b, `document.querySelector("input[name=remember]").checked = true`)
	}
	if status := b.click(`form[action="/login"] button`); status != http.StatusOK {
		b.t.Fatalf("login: status %d", status)
	}
}

// customer returns a tab in which alice is logged in.
func (s *site) customer(t *testing.T) tab {
	t.Helper()
	b := newTab(t)
	b.visit(s.url(app, "/"))
	b.login(false)
	return b
}

// token returns the value of the session cookie, or "".
func (s *site) token(b tab) string {
	b.t.Helper()
	for _, c := range b.cookies(s.url(app, "/")) {
		if c.Name == cookieName {
			return c.Value
		}
	}
	return ""
}
