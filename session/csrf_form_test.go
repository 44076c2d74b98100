package session_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/session"
)

// part is a part of a multipart form. It is a file if it has a name.
type part struct{ field, file, text string }

// multipart returns a POST of a form with files as the browser sends it.
func (b *browser) multipart(parts ...part) *http.Request {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for _, p := range parts {
		var w io.Writer
		if p.file == "" {
			w, _ = form.CreateFormField(p.field)
		} else {
			w, _ = form.CreateFormFile(p.field, p.file)
		}
		io.WriteString(w, p.text)
	}
	form.Close()
	r := b.form(nil)
	r.Body = io.NopCloser(&body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

// ASVS 5.0, 3.5.1.
func TestCSRFTokenInAMultipartForm(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	for rule, c := range map[string]struct {
		want  string
		parts []part
	}{
		"the token alone":        {valid, []part{{"csrf_token", "", good}}},
		"after a file":           {valid, []part{{"photo", "a.jpg", "x"}, {"csrf_token", "", good}}},
		"no token":               {forbidden, []part{{"photo", "a.jpg", "x"}}},
		"twice":                  {forbidden, []part{{"csrf_token", "", good}, {"csrf_token", "", good}}},
		"as a file":              {forbidden, []part{{"csrf_token", "a.txt", good}}},
		"beside a file":          {valid, []part{{"csrf_token", "a.txt", "x"}, {"csrf_token", "", good}}},
		"of another session":     {forbidden, []part{{"csrf_token", "", loggedIn(t, m, "bob").csrf(t, m)}}},
		"with a line break":      {forbidden, []part{{"csrf_token", "", good + "\r\n"}}},
		"in a field of its name": {forbidden, []part{{"x\"; name=\"csrf_token", "", good}}},
	} {
		r := b.multipart(c.parts...)
		if err := m.CheckCSRF(r); outcome(err) != c.want {
			t.Errorf("%s: %v, want %s", rule, err, c.want)
		}
	}
}

// A field that is sent twice is refused, with any form.
func TestTheFormIsNotAskedBesideTheField(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	for _, fields := range [][]string{{}, {""}, {"x"}, {good, good}, {"x", good}} {
		r := b.form(url.Values{"csrf_token": {good}})
		r.Header["X-Csrf-Token"] = fields
		if err := m.CheckCSRF(r); outcome(err) != forbidden {
			t.Errorf("%d fields: %v", len(fields), err)
		}
	}
}

// The handler finds the form as it would without CheckCSRF, and a body that
// CheckCSRF has no need of as it came.
func TestCheckCSRFLeavesTheBodyToTheHandler(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	r := b.form(url.Values{"csrf_token": {good}, "item": {"tea"}})
	r.URL.RawQuery = "size=2"
	check(t, m.CheckCSRF(r))
	if r.PostFormValue("item") != "tea" || r.FormValue("size") != "2" {
		t.Error("the form is not the handler's any more")
	}
	r = b.multipart(part{"csrf_token", "", good}, part{"photo", "a.jpg", "pixels"})
	check(t, m.CheckCSRF(r))
	file, _, err := r.FormFile("photo")
	check(t, err)
	if text, err := io.ReadAll(file); string(text) != "pixels" {
		t.Errorf("the file is %q, %v", text, err)
	}
	r = b.form(url.Values{"csrf_token": {good}})
	check(t, r.ParseForm())
	check(t, m.CheckCSRF(r)) // the handler was first

	for _, contentType := range []string{"application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		r := b.form(nil)
		r.Body = io.NopCloser(strings.NewReader("untouched"))
		r.Header.Set("Content-Type", contentType)
		r.Header.Set("X-CSRF-Token", good)
		check(t, m.CheckCSRF(r))
		if text, err := io.ReadAll(r.Body); string(text) != "untouched" {
			t.Errorf("%s: %q, %v", contentType, text, err)
		}
	}
}

// ASVS 5.0, 3.5.1 and 3.5.2: what a form of another site can send as a type is
// no form with a token.
func TestCSRFTokenInAnotherTypeOfBodyIsNotSeen(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	for _, contentType := range []string{"", "text/plain", "application/json", "application/octet-stream", "multipart/mixed; boundary=x"} {
		for _, body := range []string{"", "csrf_token=" + good, `{"csrf_token":"` + good + `"}`} {
			r := b.form(nil)
			r.Body = io.NopCloser(strings.NewReader(body))
			r.Header.Set("Content-Type", contentType)
			if err := m.CheckCSRF(r); outcome(err) != forbidden {
				t.Errorf("%q: %v", contentType, err)
			}
		}
	}
	for _, method := range []string{"DELETE", "QUERY"} { // net/http reads no form then
		r := b.form(url.Values{"csrf_token": {good}})
		r.Method = method
		if err := m.CheckCSRF(r); outcome(err) != forbidden {
			t.Errorf("%s: %v", method, err)
		}
	}
}

// A form that cannot be read is refused, with any token. Its error differs from that
// of an invalid token, and does not contain what was sent.
func TestCSRFFormThatCannotBeReadIsRefused(t *testing.T) {
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	j.take()
	broken := errors.New("connection reset")
	const form, files = "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"
	for rule, c := range map[string]struct {
		contentType string
		body        io.Reader
		query       string
		cause       error
	}{
		"a form that breaks off":           {form, io.MultiReader(strings.NewReader("csrf_token="+good), iotest.ErrReader(broken)), "", broken},
		"a multipart form that breaks off": {files, io.MultiReader(strings.NewReader("--x\r\n"), iotest.ErrReader(broken)), "", broken},
		"half of a multipart form":         {files, strings.NewReader("--x\r\nContent-Disposition: form-data; name=\"csrf_token\"\r\n\r\n" + good), "", io.ErrUnexpectedEOF},
		"a multipart form of rubbish":      {files, strings.NewReader("secret"), "", nil},
		"a bad line in a multipart form":   {files, strings.NewReader("--x\r\nsecret\r\n\r\n"), "", nil},
		"no boundary":                      {"multipart/form-data", strings.NewReader(""), "", http.ErrMissingBoundary},
		"a bad escape":                     {form, strings.NewReader("csrf_token=" + good + "&a=%zsecret"), "", nil},
		"a bad escape in the query":        {form, strings.NewReader("csrf_token=" + good), "a=%zsecret", nil},
		"a type that is none":              {"secret/;;", strings.NewReader("csrf_token=" + good), "", nil},
	} {
		r := b.form(nil)
		r.Header.Set("Content-Type", c.contentType)
		r.Body, r.URL.RawQuery = io.NopCloser(c.body), c.query
		err := m.CheckCSRF(r)
		if outcome(err) != forbidden || c.cause != nil && !errors.Is(err, c.cause) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", rule, err)
		}
		if len(j.events) != 1 || j.events[0].Kind != auth.EventRejected || j.events[0].Reason != "unreadable form" || j.events[0].Err != nil {
			t.Errorf("%s: events %+v", rule, j.events)
		}
		j.take()
	}
	for rule, r := range map[string]*http.Request{
		"a form":           b.form(url.Values{"csrf_token": {good}, "text": {strings.Repeat("x", 2000)}}),
		"a multipart form": b.multipart(part{"csrf_token", "", good}, part{"photo", "a.jpg", strings.Repeat("x", 2000)}),
	} {
		r.Body = http.MaxBytesReader(httptest.NewRecorder(), r.Body, 1000)
		var tooLarge *http.MaxBytesError
		if err := m.CheckCSRF(r); outcome(err) != forbidden || !errors.As(err, &tooLarge) {
			t.Errorf("%s that is too large: %v", rule, err)
		}
	}
	r := b.multipart(part{"csrf_token", "", good})
	_, err := r.MultipartReader()
	check(t, err)
	if err := m.CheckCSRF(r); outcome(err) != forbidden {
		t.Errorf("a stream: %v", err)
	}
	r.Header.Set("X-CSRF-Token", good)
	check(t, m.CheckCSRF(r))
}

// A server removes the files of the request that it made, and a guard passes on
// a copy. A request that may not send files leaves none on the disk.
func TestFilesOfARefusedFormAreRemoved(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	large := part{"photo", "a.jpg", strings.Repeat("x", 2<<20)}
	files := func() int {
		list, err := os.ReadDir(dir)
		check(t, err)
		return len(list)
	}
	r := b.multipart(large)
	if err := m.CheckCSRF(r); outcome(err) != forbidden || files() != 0 {
		t.Errorf("%v, %d files", err, files())
	}
	r = b.multipart(large, part{"csrf_token", "", b.csrf(t, m)})
	check(t, m.CheckCSRF(r))
	if files() != 1 {
		t.Errorf("%d files of a good form", files())
	}
	check(t, r.MultipartForm.RemoveAll())
}

// A full disk is not reported as a malformed form.
func TestFilesThatCannotBeKeptAreAFault(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	var j journal
	m := newManager(t, session.Config{Events: j.record})
	b := loggedIn(t, m, "alice")
	r := b.multipart(part{"csrf_token", "", b.csrf(t, m)}, part{"photo", "a.jpg", strings.Repeat("x", 2<<20)})
	j.take()
	if err := m.CheckCSRF(r); outcome(err) != unavailable || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if kinds := j.take(); len(kinds) != 1 || kinds[0] != auth.EventFault {
		t.Errorf("events %q", kinds)
	}
}

// The server does not read the body of a request without a session.
func TestWithoutASessionNoFormIsRead(t *testing.T) {
	m := newManager(t, session.Config{})
	r := (&browser{}).form(nil)
	r.Body = io.NopCloser(iotest.ErrReader(errors.New("read")))
	if err := m.CheckCSRF(r); outcome(err) != forbidden {
		t.Error(err)
	}
}

// Behind a guard CheckCSRF and the handler have a copy of the server's request.
func TestNoFileOfAFormIsLeftBehindAGuard(t *testing.T) {
	m := newManager(t, session.Config{})
	b := loggedIn(t, m, "alice")
	good := b.csrf(t, m)
	guard := &middleware.Guard{Authenticator: m}
	for rule, wrap := range map[string]func(http.Handler) http.Handler{
		"no guard": func(h http.Handler) http.Handler { return h }, "Require": guard.Require, "Optional": guard.Optional,
	} {
		for _, c := range []struct {
			token  string
			panics bool
			status int
		}{{good, false, 204}, {"none", false, 403}, {good, true, 0}} {
			if c.panics && rule == "no guard" {
				continue // net/http leaves the files of its own then
			}
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			t.Setenv("TMP", dir)
			kept := 0
			server := httptest.NewServer(wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if err := m.CheckCSRF(r); err != nil {
					w.WriteHeader(403)
					return
				}
				list, _ := os.ReadDir(dir)
				if kept = len(list); c.panics {
					panic(http.ErrAbortHandler)
				}
				w.WriteHeader(204)
			})))
			r := b.multipart(part{"photo", "a.jpg", strings.Repeat("x", 2<<20)}, part{"csrf_token", "", c.token})
			r.RequestURI = ""
			r.URL, _ = url.Parse(server.URL)
			status := 0
			if res, err := server.Client().Do(r); err == nil {
				res.Body.Close()
				status = res.StatusCode
			}
			server.Close()
			list, err := os.ReadDir(dir)
			check(t, err)
			if status != c.status || (kept == 1) != (c.token == good) || len(list) != 0 {
				t.Errorf("%s, %+v: status %d, %d files kept, %d left", rule, c, status, kept, len(list))
			}
		}
	}
}
