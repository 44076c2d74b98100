package middleware_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
)

// wraps are all ways in which a guard passes on a request.
func wraps() map[string]func(http.Handler) http.Handler {
	guard := &middleware.Guard{Authenticator: valid}
	anonymous := &middleware.Guard{Authenticator: none}
	several := &middleware.Guard{Authenticator: middleware.AnyOf(none, valid)}
	return map[string]func(http.Handler) http.Handler{
		"Require":                guard.Require,
		"Optional":               guard.Optional,
		"RequireThat":            guard.RequireThat(func(auth.Identity) error { return nil }),
		"AnyOf":                  several.Require,
		"the same guard twice":   func(h http.Handler) http.Handler { return guard.Require(guard.Require(h)) },
		"one guard in another":   func(h http.Handler) http.Handler { return guard.Require(several.Require(h)) },
		"anonymous in a guard":   func(h http.Handler) http.Handler { return guard.Require(anonymous.Optional(h)) },
		"Isolate, with headers":  func(h http.Handler) http.Handler { return middleware.SecurityHeaders(middleware.Isolate(h)) },
		"a guard behind Isolate": func(h http.Handler) http.Handler { return middleware.Isolate(guard.Require(h)) },
	}
}

// seen is what a handler and the middleware outside of it record about a request.
type seen struct {
	mu    sync.Mutex
	lines []string
}

func (s *seen) note(format string, values ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, fmt.Sprintf(format, values...))
}

// upload is the body of a form with a file that is too large for memory.
func upload() (contentType string, body *bytes.Buffer) {
	body = new(bytes.Buffer)
	form := multipart.NewWriter(body)
	form.WriteField("name", "alice")
	file, _ := form.CreateFormFile("photo", "a.jpg")
	file.Write(bytes.Repeat([]byte("x"), 64<<10))
	form.Close()
	return form.FormDataContentType(), body
}

// parsed parses the form with little memory for files, and records its content.
func parsed(s *seen, r *http.Request) {
	err := r.ParseMultipartForm(1 << 10)
	file, header, open := r.FormFile("photo")
	if open != nil {
		s.note("no file: %v, %v", err, open)
		return
	}
	defer file.Close()
	n, _ := io.Copy(io.Discard, file)
	s.note("%v, %q, a file of %d bytes called %q, %d on the disk", err, r.PostFormValue("name"), n, header.Filename, filesIn(os.TempDir()))
}

// copyCases are properties that a copy of a request could lose or share.
var copyCases = []struct {
	name    string
	handler func(s *seen, w http.ResponseWriter, r *http.Request)
	before  func(s *seen, r *http.Request) *http.Request // in middleware outside
	after   func(s *seen, r *http.Request)               // likewise
	send    func(url string) *http.Request
}{
	{name: "an upload", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) { parsed(s, r) }, send: uploads},
	{name: "an upload, then a panic", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		parsed(s, r)
		panic(http.ErrAbortHandler)
	}, send: uploads},
	{name: "an upload that is not parsed", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		s.note("%v, %v, %v", n > 64<<10, err, r.MultipartForm == nil)
	}, send: uploads},
	{name: "an upload that is not read", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {}, send: uploads},
	{name: "an upload parsed outside", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) { parsed(s, r) },
		before: func(s *seen, r *http.Request) *http.Request { parsed(s, r); return r },
		after:  func(s *seen, r *http.Request) { parsed(s, r) }, send: uploads},
	{name: "an upload as a stream", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		parts, err := r.MultipartReader()
		if err != nil {
			s.note("%v", err)
			return
		}
		for part, err := parts.NextPart(); err == nil; part, err = parts.NextPart() {
			s.note("%s %q", part.FormName(), part.FileName())
		}
		s.note("parsed after it: %v", r.ParseMultipartForm(1))
	}, send: uploads},
	{name: "an upload parsed by a goroutine", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		done := make(chan struct{})
		go func() { defer close(done); parsed(s, r) }()
		<-done
	}, send: uploads},
	{name: "an upload parsed in a request that the handler has copied", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		again := r.WithContext(context.WithoutCancel(r.Context()))
		defer func() { again.MultipartForm.RemoveAll() }() // its own
		parsed(s, again)
	}, send: uploads},
	{name: "the parts of a request", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		_, server := r.Context().Value(http.ServerContextKey).(*http.Server)
		_, address := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		cookie, _ := r.Cookie("a")
		user, password, ok := r.BasicAuth()
		s.note("%s %s %s %v %d %q", r.Method, r.RequestURI, r.Proto, r.TLS != nil, r.ContentLength, r.TransferEncoding)
		s.note("%v %v %v %s %s %v %s %s", server, address, cookie, user, password, ok, r.UserAgent(), r.Referer())
		s.note("%v %v", r.RemoteAddr != "", strings.HasPrefix(r.Host, "127.0.0.1:"))
	}, send: func(url string) *http.Request {
		r := request("PUT", url+"/a%2Fb/..;x?c=d&c=e", strings.NewReader("body"))
		r.Header.Set("Cookie", "a=b; c=d")
		r.Header.Set("Referer", "https://app.example/")
		r.SetBasicAuth("alice", "secret")
		return r
	}},
	{name: "a form, parsed inside", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		s.note("%v %v %v", r.ParseForm(), r.Form, r.PostForm)
	}, send: forms},
	{name: "a form, parsed outside", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		s.note("%v %v", r.Form, r.PostForm)
		r.Form.Set("set", "inside")
	}, before: func(s *seen, r *http.Request) *http.Request { r.ParseForm(); return r },
		after: func(s *seen, r *http.Request) { s.note("%v %v", r.Form, r.PostForm) }, send: forms},
	{name: "a body that is bounded inside", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 10)
		err := r.ParseForm()
		var large *http.MaxBytesError
		s.note("%v %v", err, errors.As(err, &large))
		http.Error(w, "", http.StatusRequestEntityTooLarge)
	}, send: uploads2(1 << 20)},
	{name: "a body that is replaced outside", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		s.note("%q %v %v", text, err, r.Body.Close())
	}, before: func(s *seen, r *http.Request) *http.Request {
		r.Body = io.NopCloser(io.MultiReader(strings.NewReader("first "), r.Body))
		return r
	}, send: forms},
	{name: "path values of a mux outside", handler: func(s *seen, _ http.ResponseWriter, r *http.Request) {
		s.note("%q %q %q", r.Pattern, r.PathValue("first"), r.PathValue("rest"))
		r.SetPathValue("first", "changed")
		r.SetPathValue("more", "added")
		s.note("%q %q", r.PathValue("first"), r.PathValue("more"))
	}, send: forms},
	{name: "path values of a mux inside", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		inner := http.NewServeMux()
		inner.HandleFunc("POST /a/{second}", func(_ http.ResponseWriter, r *http.Request) {
			s.note("%q %q %q", r.Pattern, r.PathValue("first"), r.PathValue("second"))
		})
		inner.ServeHTTP(w, r)
	}, after: func(s *seen, r *http.Request) { s.note("outside: %q", r.Pattern) }, send: forms},
	{name: "trailers that were announced", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		_, before := r.Trailer["Digest"]
		io.Copy(io.Discard, r.Body)
		s.note("%v %v %v", before, r.Trailer, r.TransferEncoding)
	}, after: func(s *seen, r *http.Request) { s.note("outside: %v", r.Trailer) }, send: func(url string) *http.Request {
		r := request("POST", url, io.MultiReader(strings.NewReader("body")))
		r.Trailer = http.Header{"Digest": {"abc"}}
		return r
	}},
	{name: "the response", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		s.note("%v %v", c.SetReadDeadline(time.Now().Add(time.Hour)), c.SetWriteDeadline(time.Now().Add(time.Hour)))
		full := c.EnableFullDuplex()
		w.Header().Set("Trailer", "After")
		w.WriteHeader(http.StatusAccepted)
		io.WriteString(w, "one")
		s.note("%v %v", full, c.Flush())
		w.Header().Set("After", "two")
	}, send: forms},
	{name: "the context ends with the request", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		s.note("%v", r.Context().Err())
		go func() { <-r.Context().Done() }()
	}, send: forms},
	{name: "a goroutine that reads on", handler: func(s *seen, w http.ResponseWriter, r *http.Request) {
		go r.FormValue("a") // net/http allows it
	}, send: func(url string) *http.Request { return request("GET", url+"?a=b", nil) }},
}

func request(method, url string, body io.Reader) *http.Request {
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		panic(err)
	}
	return r
}

func uploads(url string) *http.Request { return uploads2(0)(url) }

func uploads2(size int) func(url string) *http.Request {
	return func(url string) *http.Request {
		contentType, body := upload()
		if size > 0 {
			contentType, body = "application/x-www-form-urlencoded", bytes.NewBufferString("a="+strings.Repeat("x", size))
		}
		r := request("POST", url+"/a/b", body)
		r.Header.Set("Content-Type", contentType)
		return r
	}
}

func forms(url string) *http.Request {
	r := request("POST", url+"/a/b?a=query", strings.NewReader("a=form&b=c"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// A guarded handler and the middleware outside of its guard see the same as without
// the guard, and no temporary file of an upload is left.
func TestAGuardLosesNothingOfARequest(t *testing.T) {
	log.SetOutput(io.Discard)
	defer log.SetOutput(os.Stderr)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		for _, c := range copyCases {
			serves := func(wrap func(http.Handler) http.Handler) (lines []string, left int) {
				dir := t.TempDir()
				t.Setenv("TMPDIR", dir)
				t.Setenv("TMP", dir)
				s := &seen{}
				guarded := wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.handler(s, w, r) }))
				mux := http.NewServeMux()
				mux.HandleFunc("/{first}/{rest...}", func(w http.ResponseWriter, r *http.Request) { guarded.ServeHTTP(w, r) })
				mux.Handle("/", guarded)
				server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.before != nil {
						r = c.before(s, r)
					}
					if c.after != nil {
						defer c.after(s, r)
					}
					mux.ServeHTTP(w, r)
				}))
				server.EnableHTTP2 = protocol == "HTTP/2.0"
				server.StartTLS()
				res, err := server.Client().Do(c.send(server.URL))
				if err == nil {
					text, broken := io.ReadAll(res.Body)
					res.Body.Close()
					s.note("%s %d %q %v %v", res.Proto, res.StatusCode, text, broken, res.Trailer)
				} else {
					s.note("no response")
				}
				server.Close() // waits for the handlers
				return s.lines, filesIn(dir)
			}
			want, _ := serves(func(h http.Handler) http.Handler { return h })
			if len(want) == 0 || !strings.HasPrefix(want[len(want)-1], protocol) && want[len(want)-1] != "no response" {
				t.Fatalf("%s, %s: bare: %q", protocol, c.name, want)
			}
			for name, wrap := range wraps() {
				got, left := serves(wrap)
				if !slices.Equal(got, want) {
					t.Errorf("%s, %s, %s:\n got %q\nbare %q", protocol, c.name, name, got, want)
				}
				if left != 0 && !(name == "Isolate, with headers" && strings.Contains(c.name, "panic")) { // it copies nothing
					t.Errorf("%s, %s, %s: %d temporary files are left", protocol, c.name, name, left)
				}
			}
		}
	}
}

func filesIn(dir string) int {
	list, err := os.ReadDir(dir)
	if err != nil {
		panic(err)
	}
	return len(list)
}

// Unannounced trailers, which net/http's client does not send.
func TestAGuardLosesNoUnannouncedTrailers(t *testing.T) {
	for name, wrap := range wraps() {
		var got http.Header
		server := httptest.NewServer(wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			got = r.Trailer
		})))
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, "POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nDigest: abc\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		conn.Close()
		server.Close()
		if got.Get("Digest") != "abc" {
			t.Errorf("%s: trailers %v", name, got)
		}
	}
}
