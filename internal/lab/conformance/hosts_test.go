package conformance

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// hosts is one TLS server that is another site under each of several names. It
// notes what it is asked for.
type hosts struct {
	t    *testing.T
	port string

	mu    sync.Mutex
	sites map[string]http.Handler
	asked []asked
}

// asked is a request as it came, and how it was answered.
type asked struct {
	host, method, path string
	header             http.Header
	status             int
}

func openHosts(t *testing.T) *hosts {
	t.Helper()
	s := &hosts{t: t, sites: make(map[string]http.Handler)}
	server := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // of browsers that come without TLS
	server.StartTLS()
	t.Cleanup(server.Close)
	_, s.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return s
}

// openPlainHosts is openHosts without TLS, for hosts that browsers trust all the same.
func openPlainHosts(t *testing.T) *hosts {
	t.Helper()
	s := &hosts{t: t, sites: make(map[string]http.Handler)}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	_, s.port, _ = net.SplitHostPort(server.Listener.Addr().String())
	return s
}

func (s *hosts) serve(w http.ResponseWriter, r *http.Request) {
	host, _, _ := strings.Cut(r.Host, ":")
	s.mu.Lock()
	site := s.sites[host]
	s.mu.Unlock()
	if site == nil {
		site = http.NotFoundHandler()
	}
	noted := &notedStatus{w, http.StatusOK}
	site.ServeHTTP(noted, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, asked{host, r.Method, r.URL.Path, r.Header.Clone(), noted.status})
}

type notedStatus struct {
	http.ResponseWriter
	status int
}

func (w *notedStatus) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// set gives a host its handler.
func (s *hosts) set(host string, h http.Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sites[host] = h
}

// page gives a host one page of HTML, for any request.
func (s *hosts) page(host, html string) {
	s.set(host, answer("text/html; charset=utf-8", "<!DOCTYPE html>"+html))
}

// answer is a handler with one body.
func answer(contentType, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.Write([]byte(body))
	})
}

func (s *hosts) url(host, path string) string { return "https://" + host + ":" + s.port + path }

// forget begins a new record.
func (s *hosts) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
}

// requests returns those for a path of a host that there are so far.
func (s *hosts) requests(host, path string) []asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.asked), func(a asked) bool { return a.host != host || a.path != path })
}

// request waits for the first request for a path of a host.
func (s *hosts) request(host, path string) asked {
	s.t.Helper()
	for start := time.Now(); time.Since(start) < hang; {
		if list := s.requests(host, path); len(list) > 0 {
			return list[0]
		}
		time.Sleep(25 * time.Millisecond)
	}
	s.t.Fatalf("no request of %s for %s", host, path)
	return asked{}
}

// waitUntil waits for a script of the page to be true, and reports whether it
// came to be.
func (b tab) waitUntil(script string) bool {
	b.t.Helper()
	for start := time.Now(); time.Since(start) < hang; {
		if eval[bool](b, "!!("+script+")") {
			return true
		}
		time.Sleep(25 * time.Millisecond)
	}
	return false
}

// replaceApp puts the origin of the app into a page of others.
func replaceApp(html string, s *hosts) string {
	return strings.ReplaceAll(html, "APP", s.url(app, ""))
}
