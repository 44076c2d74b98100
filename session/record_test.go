package session

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/sessionrecord"
	"github.com/authlatch/auth/store"
)

var update = flag.Bool("update", false, "write the golden file")

// golden is a record that uses every field of format 0x10. Its bytes are in testdata,
// and stay readable with any later format.
func golden() *Session {
	s := &Session{record: sessionrecord.Record{
		Flags:   flagRemembered,
		Created: time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC).UnixMilli(),
		Subject: "alice", Scopes: "read write", Methods: "pwd otp",
		UserAgent: "Firefox", Address: "192.0.2.1", Claims: `{"name":"Alice"}`,
		Values: string(record.AppendText(record.AppendText(nil, "count"), "7")),
	}}
	s.record.Used = s.record.Created + 60_000
	s.record.AuthTime = s.record.Created - 5_000
	s.record.Expires = s.record.Created + 30*24*3600*1000
	for i := range s.digest {
		s.digest[i] = byte(i)
	}
	return s
}

// goldenActor also uses what format 0x11 added.
func goldenActor() *Session {
	s := golden()
	s.record.Actor, s.record.ActorLogin = "support-7", string(s.digest[:])
	s.record.Requested = s.record.Created + 60*24*3600*1000
	return s
}

func TestRecordOfFormat10StaysReadable(t *testing.T) {
	staysReadable(t, "testdata/record-0x10.bin", golden())
}

func TestRecordOfFormat11StaysReadable(t *testing.T) {
	staysReadable(t, "testdata/record-0x11.bin", goldenActor())
}

func staysReadable(t *testing.T, file string, want *Session) {
	t.Helper()
	if *update {
		raw := want.encode()
		copy(raw[1:], "writeID8")
		record.Seal(raw, want.digest[:])
		if err := os.WriteFile(file, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := &Session{digest: want.digest}
	if err := got.decode(raw); err != nil || got.record != want.record {
		t.Errorf("got %+v, %v; want %+v", got.record, err, want.record)
	}
	if n, err := Key[int]("count").Get(got); n != 7 || err != nil {
		t.Error(n, err)
	}
	// What is written today is the same but for its write ID and checksum.
	now := got.encode()
	if len(now) != len(raw) || now[0] != raw[0] || !bytes.Equal(now[record.Header:], raw[record.Header:]) {
		t.Errorf("written today:\n%x\n%x", now, raw)
	}
	if bytes.Equal(now, got.encode()) {
		t.Error("two writes have the same bytes")
	}
}

// planted is a manager in whose store one test can put what it likes.
type planted struct {
	*Manager
	events []auth.Event
	key    string
	digest logins.Digest
	r      *http.Request
}

func plant(t testing.TB, raw []byte) *planted {
	p, s := &planted{}, &store.Memory{}
	m, err := New(Config{Store: s, Events: func(_ context.Context, e auth.Event) { p.events = append(p.events, e) }})
	if err != nil {
		t.Fatal(err)
	}
	token := strings.Repeat("A", tokenLength)
	p.Manager, p.digest = m, m.digest(token)
	p.key = p.digest.Key()
	p.r = httptest.NewRequest("GET", "/", nil)
	p.r.Header.Set("Cookie", m.config.Cookie.Name()+"="+token)
	if raw != nil {
		p.put(t, raw)
	}
	return p
}

func (p *planted) put(t testing.TB, raw []byte) {
	old, _, err := p.store.Get(t.Context(), p.key)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := p.store.CompareAndSwap(t.Context(), p.key, old, raw, 1000*time.Hour); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// live is a record of a login that is valid now, for the digest.
func live(d logins.Digest) *Session {
	now := time.Now().UnixMilli()
	return &Session{digest: d, record: sessionrecord.Record{
		Created: now, Used: now, AuthTime: now, Expires: now + 3600*1000,
		Subject: "alice", Scopes: "read", UserAgent: "Firefox", Claims: `{"a":1}`,
		Values: string(record.AppendText(record.AppendText(nil, "count"), "7")),
	}}
}

// ASVS 5.0, 16.5.3.
// A damaged record cannot authenticate, turns no subject into another, and is reported.
func TestDamagedRecordCannotAuthenticate(t *testing.T) {
	p := plant(t, nil)
	good := live(p.digest).encode()
	for i := range good { // every truncation
		if i > 0 {
			p.damaged(t, good[:i])
		}
	}
	for i := range good { // every byte
		for _, flip := range []byte{0x01, 0x80, 0xff, 0x20} {
			bad := bytes.Clone(good)
			bad[i] ^= flip
			p.damaged(t, bad)
		}
	}
	p.damaged(t, append(bytes.Clone(good), 0))
	p.damaged(t, live(logins.Digest{1}).encode()) // another session's: a store that mixes up its responses
	unheard, nobodys := live(p.digest), live(p.digest)
	unheard.record.Flags, nobodys.record.Subject = 0x80, ""
	p.damaged(t, unheard.encode())
	p.damaged(t, nobodys.encode())
	p.put(t, good)
	if id, err := p.Authenticate(p.r); err != nil || id.Subject != "alice" {
		t.Error(id, err)
	}
}

func (p *planted) damaged(t *testing.T, raw []byte) {
	t.Helper()
	p.put(t, raw)
	p.events = nil
	id, err := p.Authenticate(p.r)
	newer := raw[0] > sessionrecord.Format && raw[0] <= sessionrecord.LastFormat
	if err == nil || errors.Is(err, auth.ErrUnauthenticated) == newer || errors.Is(err, auth.ErrNoCredential) || id.Subject != "" {
		t.Fatalf("%x: %q, %v", raw, id.Subject, err)
	}
	if len(p.events) != 1 || p.events[0].Kind != auth.EventFault || p.events[0].LoginID != p.digest.LoginID() {
		t.Fatalf("%x: events %+v", raw, p.events)
	}
	h := make(http.Header)
	if p.Challenge(h, p.r, err); h["Set-Cookie"] != nil {
		t.Fatal("the cookie is deleted")
	}
}

// A record of a newer version is not judged by an older one.
func TestNewerRecordIsUnavailable(t *testing.T) {
	p := plant(t, nil)
	for _, format := range []byte{sessionrecord.Format + 1, sessionrecord.LastFormat} {
		p.put(t, append([]byte{format}, "a later format"...))
		w := httptest.NewRecorder()
		_, get := p.Get(p.r)
		_, ensure := p.Ensure(w, p.r)
		r := p.r.Clone(t.Context())
		r.Method = "POST"
		for rule, err := range map[string]error{
			"Get": get, "Ensure": ensure,
			"Login":  p.Login(w, r, auth.Identity{Subject: "bob"}),
			"Logout": p.Logout(w, r),
		} {
			if err == nil || errors.Is(err, auth.ErrUnauthenticated) || errors.Is(err, auth.ErrForbidden) {
				t.Errorf("format %#x: %s: %v", format, rule, err)
			}
		}
		if w.Header()["Set-Cookie"] != nil {
			t.Error("the cookie is changed")
		}
	}
}

// A login over a damaged record works, and a logout ends it.
func TestDamagedRecordPreventsNoLogin(t *testing.T) {
	p := plant(t, []byte("nonsense"))
	r := p.r.Clone(t.Context())
	r.Method = "POST"
	w := httptest.NewRecorder()
	if err := p.Login(w, r, auth.Identity{Subject: "bob"}); err != nil || w.Header()["Set-Cookie"] == nil {
		t.Error(err)
	}
	w = httptest.NewRecorder()
	if s, err := p.Ensure(w, r); err != nil || !s.Anonymous() {
		t.Error(err)
	}
	w = httptest.NewRecorder()
	if err := p.Logout(w, r); err != nil || !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
		t.Error(err, w.Header())
	}
}

// ASVS 5.0, 1.5.2.
func FuzzRecord(f *testing.F) {
	d := logins.Digest{1, 2, 3}
	f.Add(live(d).encode())
	f.Add((&Session{digest: d, record: sessionrecord.Record{Flags: flagAnonymous}}).encode())
	f.Add(golden().encode())
	f.Add(goldenActor().encode())
	f.Add([]byte{sessionrecord.Format})
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, fix := range []bool{false, true} { // so that it gets beyond the checksum
			s := &Session{digest: d}
			if fix && len(raw) >= record.Header {
				raw = record.Seal(bytes.Clone(raw), s.digest[:])
			}
			if s.decode(raw) != nil {
				continue
			}
			if s.record.Subject == "" && !s.Anonymous() {
				t.Fatal("a login without a subject")
			}
			again := &Session{digest: d}
			if err := again.decode(s.encode()); err != nil || again.record != s.record {
				t.Fatalf("%+v comes back as %+v, %v", s.record, again.record, err)
			}
		}
	})
}

func FuzzValues(f *testing.F) {
	f.Add(string(record.AppendText(record.AppendText(nil, "count"), "7")), "count", "8")
	f.Add("\x05count\x01", "count", "8")
	f.Add("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "", "")
	f.Add("\x80\x80\x80\x80\x80\x80\x80\x04", "a", "b")
	f.Fuzz(func(t *testing.T, values, name, text string) {
		s := &Session{record: sessionrecord.Record{Values: values}, editing: true}
		if s.setValue(name, text) != nil {
			if s.record.Values != values || s.changed {
				t.Fatal("values change in spite of an error")
			}
			return
		}
		got, ok, err := findValue(s.record.Values, name)
		if err != nil || ok != (text != "") || got != text {
			t.Fatalf("set %q, got %q, %t, %v", text, got, ok, err)
		}
	})
}
