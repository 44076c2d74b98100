package bothmodes

import (
	"context"
	"errors"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/token"
)

// One list of devices: what holds for sessions and tokens of one namespace,
// whichever mode shows and ends them.

// devices is what both modes have for a list of devices.
type devices interface {
	Logins(ctx context.Context, subject string) ([]auth.Login, error)
	LogoutOne(ctx context.Context, subject, loginID string) error
}

// bothModes is an application that uses both modes over one store.
type bothModes struct {
	store    reads
	sessions *session.Manager
	tokens   *token.Issuer
	received []auth.Event
}

// reads is a store that counts its reads and can change what they return.
type reads struct {
	store.Memory
	gets   atomic.Int64
	change func([]byte) []byte
}

func (s *reads) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.gets.Add(1)
	raw, ok, err := s.Memory.Get(ctx, key)
	if s.change != nil && ok {
		raw = s.change(slices.Clone(raw))
	}
	return raw, ok, err
}

func openBothModes(t *testing.T, maxLogins int) *bothModes {
	t.Helper()
	b := &bothModes{}
	receive := func(_ context.Context, e auth.Event) { b.received = append(b.received, e) }
	keys, err := token.NewKeySet(token.HS256)
	if err != nil {
		t.Fatal(err)
	}
	b.sessions, err = session.New(session.Config{Store: &b.store, Limits: auth.Limits{MaxLogins: maxLogins}, Events: receive})
	if err != nil {
		t.Fatal(err)
	}
	b.tokens, err = token.NewIssuer(token.IssuerConfig{
		Keys: keys, Store: &b.store, Issuer: "https://app.example", Audience: "api", ClientID: "web", Limits: auth.Limits{MaxLogins: maxLogins}, Events: receive,
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bothModes) viewers() map[string]devices {
	return map[string]devices{"session": b.sessions, "token": b.tokens}
}

// login logs alice in by a session, and returns its cookie.
func (b *bothModes) login(t *testing.T, pending bool) (cookie string) {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequest("POST", "https://app.example/", nil)
	r.Header.Set("User-Agent", "Firefox")
	do := b.sessions.Login
	if pending {
		do = b.sessions.LoginPending
	}
	if err := do(w, r, auth.Identity{Subject: "alice"}); err != nil {
		t.Fatal(err)
	}
	cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
	return cookie
}

func (b *bothModes) issue(t *testing.T) token.Tokens {
	t.Helper()
	tokens, err := b.tokens.Issue(t.Context(), auth.Identity{Subject: "alice"})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func (b *bothModes) authenticates(cookie string) bool {
	r := httptest.NewRequest("GET", "https://app.example/", nil)
	r.Header.Set("Cookie", cookie)
	_, err := b.sessions.Authenticate(r)
	return err == nil
}

func (b *bothModes) refreshes(tokens token.Tokens) bool {
	_, err := b.tokens.Refresh(context.Background(), tokens.RefreshToken, strings.Repeat("a", 22))
	return err == nil
}

// kinds returns the kinds of the logins that are shown, "pending" for a pending one.
func kinds(t *testing.T, d devices) (kinds []string) {
	t.Helper()
	list, err := d.Logins(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if kinds = append(kinds, string(l.Kind)); l.Pending {
			kinds[len(kinds)-1] = "pending"
		}
	}
	return kinds
}

// ASVS 5.0, 7.5.2.
func TestBothListsOfDevicesShowBothKinds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBothModes(t, 0)
		start := time.Now()
		b.login(t, false)
		tokens := b.issue(t)
		b.login(t, true)
		time.Sleep(time.Minute)
		if !b.refreshes(tokens) {
			t.Fatal("the token does not refresh")
		}
		var lists [][]auth.Login
		for mode, viewer := range b.viewers() {
			b.store.gets.Store(0)
			list, err := viewer.Logins(t.Context(), "alice")
			if n := b.store.gets.Load(); err != nil || n != 4 {
				t.Errorf("%s: %d reads, %v", mode, n, err)
			}
			lists = append(lists, list)
		}
		if !reflect.DeepEqual(lists[0], lists[1]) {
			t.Errorf("the lists differ: %+v", lists)
		}
		if len(lists[0]) != 3 {
			t.Fatalf("%+v", lists[0])
		}
		for i, want := range []auth.Login{
			{Kind: auth.LoginSession, LastUsed: start, Expires: start.Add(24 * time.Hour), UserAgent: "Firefox"},
			{Kind: auth.LoginToken, ID: tokens.LoginID, LastUsed: start.Add(time.Minute), Expires: start.Add(24 * time.Hour)},
			{Kind: auth.LoginSession, LastUsed: start, Expires: start.Add(10 * time.Minute), UserAgent: "Firefox", Pending: true},
		} {
			got := lists[0][i]
			want.Subject = "alice"
			if want.ID == "" {
				want.ID = got.ID
			}
			want.AuthTime, got.LastUsed, got.Expires = got.AuthTime, got.LastUsed.UTC(), got.Expires.UTC()
			want.LastUsed, want.Expires = want.LastUsed.UTC(), want.Expires.UTC()
			if got != want || len(got.ID) != 22 || !got.AuthTime.Equal(start) {
				t.Errorf("%+v, want %+v", got, want)
			}
		}
	})
}

// ASVS 5.0, 7.4.2 and 10.4.9.
func TestLogoutOneEndsEitherKindFromEitherMode(t *testing.T) {
	for _, mode := range []string{"session", "token"} {
		for i, rule := range []string{"a session", "a login by token", "a pending session"} {
			b := openBothModes(t, 0)
			viewer := b.viewers()[mode]
			cookie, tokens := b.login(t, false), b.issue(t)
			b.login(t, true)
			list, err := viewer.Logins(t.Context(), "alice")
			if err != nil || len(list) != 3 {
				t.Fatal(list, err)
			}
			b.received = nil
			if err := viewer.LogoutOne(t.Context(), "bob", list[i].ID); err != nil || len(b.received) != 0 {
				t.Errorf("%s: of another subject: %v, %v", mode, err, b.received)
			}
			for range 2 { // the second is a no-op
				if err := viewer.LogoutOne(t.Context(), "alice", list[i].ID); err != nil {
					t.Errorf("%s: %s: %v", mode, rule, err)
				}
			}
			if len(b.received) != 1 || b.received[0].Kind != auth.EventRevoked || b.received[0].Source != mode || b.received[0].LoginID != list[i].ID {
				t.Errorf("%s: %s: events %+v", mode, rule, b.received)
			}
			if b.authenticates(cookie) == (i == 0) || b.refreshes(tokens) == (i == 1) {
				t.Errorf("%s: %s: another login has ended, or this one goes on", mode, rule)
			}
			for other, viewer := range b.viewers() {
				if left := kinds(t, viewer); !slices.Equal(left, slices.Delete([]string{"session", "token", "pending"}, i, i+1)) {
					t.Errorf("%s: %s: %s shows %v", mode, rule, other, left)
				}
			}
		}
	}
}

// A login that has ended by its own time is not shown. An issuer does not know the
// idle timeout of sessions, so it shows them until the store forgets them, a minute
// later.
func TestListsOfDevicesLeaveOutWhatHasExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBothModes(t, 0)
		b.login(t, false) // idle for 1 hour at most
		b.login(t, true)  // 10 minutes
		b.issue(t)        // idle for 1 hour at most, too
		for _, step := range []struct {
			sleep           time.Duration
			sessions, token []string
		}{
			{0, []string{"session", "pending", "token"}, []string{"session", "pending", "token"}},
			{10 * time.Minute, []string{"session", "token"}, []string{"session", "token"}},
			{50*time.Minute - time.Second, []string{"session", "token"}, []string{"session", "token"}},
			{time.Second, nil, []string{"session"}},
			{time.Minute, nil, nil},
		} {
			time.Sleep(step.sleep)
			if got := kinds(t, b.sessions); !slices.Equal(got, step.sessions) {
				t.Errorf("after %v more, sessions show %v", step.sleep, got)
			}
			if got := kinds(t, b.tokens); !slices.Equal(got, step.token) {
				t.Errorf("after %v more, tokens show %v", step.sleep, got)
			}
		}
	})
}

// A record of a newer version is a question that cannot be answered; a corrupt one is
// left out, and reported.
func TestListsOfDevicesOverRecordsThatCannotBeRead(t *testing.T) {
	const sessionFormat, familyFormat = 0x10, 0x21
	for _, mode := range []string{"session", "token"} {
		for _, format := range []byte{sessionFormat, familyFormat} {
			b := openBothModes(t, 0)
			b.login(t, false)
			b.issue(t)
			b.received = nil
			viewer := b.viewers()[mode]
			b.store.change = func(raw []byte) []byte {
				if raw[0] == format {
					raw[len(raw)-1] ^= 1
				}
				return raw
			}
			if left := kinds(t, viewer); len(left) != 1 || (left[0] == "token") != (format == sessionFormat) {
				t.Errorf("%s shows %v beside a corrupt record of format %#x", mode, left, format)
			}
			if len(b.received) != 1 || b.received[0].Kind != auth.EventFault || b.received[0].Source != mode || b.received[0].Err == nil || b.received[0].Subject != "alice" {
				t.Errorf("%s: events %+v", mode, b.received)
			}
			b.received = nil
			b.store.change = func(raw []byte) []byte {
				if raw[0] == format {
					raw[0] = format | 0x0f
				}
				return raw
			}
			if list, err := viewer.Logins(t.Context(), "alice"); err == nil || errors.Is(err, auth.ErrUnauthenticated) || list != nil {
				t.Errorf("%s shows %v, %v beside a record of a newer version", mode, list, err)
			}
			if len(b.received) != 1 || b.received[0].Kind != auth.EventFault {
				t.Errorf("%s: events %+v", mode, b.received)
			}
		}
	}
}

// Over the bound the least recently used login ends, of whichever kind.
func TestEvictionKnowsTheLastUseOfBothKinds(t *testing.T) {
	for _, mode := range []string{"session", "token"} {
		for _, keep := range []string{"session", "token"} {
			synctest.Test(t, func(t *testing.T) {
				b := openBothModes(t, 2)
				cookie, tokens := b.login(t, false), b.issue(t)
				time.Sleep(20 * time.Minute)
				if keep == "session" && !b.authenticates(cookie) || keep == "token" && !b.refreshes(tokens) {
					t.Fatal("the login has ended")
				}
				if time.Sleep(time.Minute); mode == "session" {
					b.login(t, false)
				} else {
					b.issue(t)
				}
				if left := kinds(t, b.sessions); !slices.Equal(left, []string{keep, mode}) {
					t.Errorf("a login by %s keeps %v, want %s", mode, left, keep)
				}
			})
		}
	}
}
