package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// journal is a file that several goroutines write to.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

// take returns the log, one record per line.
func (j *journal) take(t *testing.T) (records []map[string]any) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	text := j.text.String()
	j.text.Reset()
	for line := range strings.Lines(text) {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		records = append(records, record)
	}
	return records
}

// ASVS 5.0, 16.2.2 and 16.2.4.
func TestEachKindOfEventIsARecordThatAMachineReads(t *testing.T) {
	elsewhere := time.FixedZone("", 5*60*60)
	when := time.Date(2026, 2, 3, 4, 5, 6, 7000, elsewhere).UTC()
	levels := map[auth.EventKind]string{
		auth.EventLogin: "INFO", auth.EventLogout: "INFO", auth.EventRevoked: "INFO", auth.EventExpired: "INFO",
		auth.EventRenewed: "INFO", auth.EventRecovered: "INFO",
		auth.EventRejected: "WARN", auth.EventFailed: "WARN", auth.EventThrottled: "WARN", auth.EventDenied: "WARN", auth.EventHealed: "WARN",
		auth.EventReuse: "ERROR", auth.EventFault: "ERROR",
		"of a later time": "WARN",
	}
	for kind, level := range levels {
		for rule, c := range map[string]struct {
			event auth.Event
			want  map[string]any
		}{
			"all fields": {
				auth.Event{Source: "token", Subject: "alice", LoginID: "phone", Reason: "a reason", Err: errors.New("store: down")},
				map[string]any{"source": "token", "subject": "alice", "login_id": "phone", "reason": "a reason", "error": "store: down"},
			},
			"no field that is empty": {auth.Event{}, map[string]any{}},
		} {
			t.Run(string(kind)+", "+rule, func(t *testing.T) {
				var j journal
				c.event.Kind, c.event.Time = kind, when
				logTo(slog.New(slog.NewJSONHandler(&j, nil)))(t.Context(), c.event)
				c.want["kind"], c.want["level"], c.want["msg"] = string(kind), level, "auth event"
				c.want["time"] = "2026-02-02T23:05:06.000007Z"
				if got := j.take(t); len(got) != 1 || !maps.Equal(got[0], c.want) {
					t.Errorf("%v, want %v", got, c.want)
				}
			})
		}
	}
}

// Any user name results in exactly one record, which contains no terminal commands.
//
// ASVS 5.0, 16.4.1.
func TestNamesCannotForgeLogRecords(t *testing.T) {
	for _, text := range []string{
		"alice\r\n{\"level\":\"INFO\",\"msg\":\"auth event\",\"kind\":\"login\",\"subject\":\"bob\"}",
		"alice\n", "alice\r", "\x00alice", "a\x08b", "alice\x7f",
		"alice\x1b[2K\x1b[1Abob", "alice\u009b2Kbob", "alice\x1b]0;title\x07",
		"alice\u2028bob", "alice\u2029bob", "alice\u0085bob", "alice\u202ebob", "alice\u200bbob",
		`alice","kind":"login`, `alice\`, `"alice\n"`, `alice kind=login level=INFO`, "alice\xff",
	} {
		event := auth.Event{
			Kind: auth.EventFailed, Time: time.Now().UTC(), Source: "throttle",
			Subject: text, Reason: text, LoginID: text, Err: errors.New(text),
		}
		var j, plain journal
		logTo(slog.New(slog.NewTextHandler(&plain, nil)))(t.Context(), event)
		logTo(slog.New(slog.NewJSONHandler(&j, nil)))(t.Context(), event)
		for _, written := range []string{plain.text.String(), j.text.String()} {
			line, rest, _ := strings.Cut(written, "\n")
			if rest != "" || strings.ContainsFunc(line, order) {
				t.Errorf("%q is written as %q", text, written)
			}
		}
		record := j.take(t)[0]
		if len(record) != 9 || record["kind"] != "failed" {
			t.Errorf("%q is read as %q", text, record)
		}
		for _, field := range []string{"subject", "reason", "login_id", "error"} {
			read := record[field].(string)
			if strings.ContainsFunc(read, order) {
				t.Errorf("%q is read as %q", text, read)
			}
			if strings.HasPrefix(read, `"`) {
				read, _ = strconv.Unquote(read)
			}
			if read != text {
				t.Errorf("%q is read as %q", text, read)
			}
		}
	}
}

// order returns characters that a terminal or a line reader interprets.
func order(r rune) bool {
	return r < ' ' || r == 0x7f || 0x80 <= r && r < 0xa0 || strings.ContainsRune("\u2028\u2029\u202e\u200b", r)
}

func TestAKindThatIsNotWantedIsNotLogged(t *testing.T) {
	var j journal
	events := logTo(slog.New(slog.NewJSONHandler(&j, &slog.HandlerOptions{Level: slog.LevelWarn})))
	events(t.Context(), auth.Event{Kind: auth.EventLogin})
	events(t.Context(), auth.Event{Kind: auth.EventReuse})
	if got := j.take(t); len(got) != 1 || got[0]["kind"] != "reuse" {
		t.Errorf("%v", got)
	}
}

// Sessions, tokens and the guard report to one hook, over real HTTP.
func TestTheServiceLogsWhatHappens(t *testing.T) {
	var j journal
	handler, err := newService(slog.New(slog.NewJSONHandler(&j, nil)), &store.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	client := server.Client()
	client.Jar, _ = cookiejar.New(nil)
	do := func(method, path string, form url.Values, header ...string) {
		t.Helper()
		r, err := http.NewRequest(method, server.URL+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if len(header) > 0 {
			r.Header.Set(header[0], header[1])
		}
		response, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	account := url.Values{"user": {"alice"}, "password": {"correct horse"}}
	do("POST", "/login", account)
	do("GET", "/me", nil)
	do("POST", "/login", url.Values{"user": {"alice"}, "password": {"battery staple"}})
	do("GET", "/reports", nil)
	do("POST", "/login", account, "Origin", "https://elsewhere.example")
	do("POST", "/logout", nil)
	do("GET", "/me", nil, "Authorization", "Bearer made.up.token")
	do("POST", "/token/login", account)
	do("POST", "/token/refresh", nil, "Refresh-Attempt", "0123456789abcdefghijkl")
	do("POST", "/token/logout", nil, "Refresh-Attempt", "0123456789abcdefghijkm")
	var logged []string
	for _, record := range j.take(t) {
		logged = append(logged, record["source"].(string)+": "+record["kind"].(string))
		moment, err := time.Parse(time.RFC3339Nano, record["time"].(string))
		if err != nil || moment.Location() != time.UTC {
			t.Errorf("%v is not in UTC: %v", record, err)
		}
		if id, _ := record["login_id"].(string); record["source"] != "throttle" && record["subject"] == "alice" && len(id) != 22 {
			t.Errorf("%v has no login", record)
		}
	}
	want := []string{
		"session: login", "throttle: failed", "guard: denied", "throttle: rejected", "session: logout",
		"token: rejected", "token: login", "token: renewed", "token: logout",
	}
	if !slices.Equal(logged, want) {
		t.Errorf("%q, want %q", logged, want)
	}
}
