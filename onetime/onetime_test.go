package onetime_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/store"
)

func over(t testing.TB, s store.Store) *onetime.Tokens {
	t.Helper()
	tokens, err := onetime.New(onetime.Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	return tokens
}

func issue(t testing.TB, tokens *onetime.Tokens, purpose, payload string, bound ...string) string {
	t.Helper()
	token, err := tokens.Issue(context.Background(), purpose, payload, time.Hour, bound...)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestNewNeedsAStore(t *testing.T) {
	if tokens, err := onetime.New(onetime.Config{}); err == nil || tokens != nil {
		t.Error(tokens, err)
	}
}

func TestIssueRefusesWhatHasNoMeaning(t *testing.T) {
	for _, test := range []struct {
		name, purpose string
		payload       int
		ttl           time.Duration
		ok            bool
	}{
		{"a day", "p", 0, 24 * time.Hour, true},
		{"more than a day", "p", 0, 24*time.Hour + 1, false},
		{"no time", "p", 0, 0, false},
		{"negative time", "p", 0, -time.Second, false},
		{"no purpose", "", 0, time.Hour, false},
		{"4096 bytes", "p", 4096, time.Hour, true},
		{"4097 bytes", "p", 4097, time.Hour, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			tokens := over(t, &mapStore{}) // which takes any ttl
			payload := strings.Repeat("x", test.payload)
			token, err := tokens.Issue(t.Context(), test.purpose, payload, test.ttl)
			if (err == nil) != test.ok || (token == "") != (err != nil) {
				t.Fatalf("%q, %v", token, err)
			}
			if err != nil {
				return
			}
			if got, err := tokens.Redeem(t.Context(), test.purpose, token); err != nil || got != payload {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// ASVS 5.0, 6.4.1, 6.5.1; CVE-2020-15222.
func TestSixtyFourParallelRedemptionsHaveOneWinner(t *testing.T) {
	tokens := over(t, &store.Memory{})
	for range 20 {
		token := issue(t, tokens, "reset", "alice")
		var won, used atomic.Int64
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 64 {
			all.Go(func() {
				<-start
				payload, err := tokens.Redeem(t.Context(), "reset", token)
				switch {
				case err == nil && payload == "alice":
					won.Add(1)
				case errors.Is(err, onetime.ErrUsed) && payload == "":
					used.Add(1)
				default:
					t.Errorf("%q, %v", payload, err)
				}
			})
		}
		close(start)
		all.Wait()
		if won.Load() != 1 || used.Load() != 63 {
			t.Fatalf("%d won, %d found the token used", won.Load(), used.Load())
		}
	}
}

// ASVS 5.0, 6.6.2: if any value differs, the token is refused and not used up.
func TestTokenIsForOnePurpose(t *testing.T) {
	s := &store.Memory{}
	tokens := over(t, s)
	other, err := onetime.New(onetime.Config{Store: s, Namespace: "other"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		tokens  *onetime.Tokens
		purpose string
		bound   []string
	}{
		{"another purpose", tokens, "verify", []string{"a", "b"}},
		{"another namespace", other, "reset", []string{"a", "b"}},
		{"nothing bound", tokens, "reset", nil},
		{"less bound", tokens, "reset", []string{"a"}},
		{"more bound", tokens, "reset", []string{"a", "b", ""}},
		{"another order", tokens, "reset", []string{"b", "a"}},
		{"another value", tokens, "reset", []string{"a", "c"}},
		{"other borders", tokens, "reset", []string{"ab"}},
		{"borders with the purpose", tokens, "reseta", []string{"b"}},
		{"a length that is written into a value", tokens, "reset", []string{"a\x01b"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := issue(t, tokens, "reset", "alice", "a", "b")
			if got, err := test.tokens.Redeem(t.Context(), test.purpose, token, test.bound...); !errors.Is(err, onetime.ErrUnknown) || got != "" {
				t.Errorf("%q, %v", got, err)
			}
			if got, err := tokens.Redeem(t.Context(), "reset", token, "a", "b"); err != nil || got != "alice" {
				t.Errorf("afterwards: %q, %v", got, err)
			}
		})
	}
}

// ASVS 5.0, 6.4.1 and 6.5.5, and 4.4.3 for a ticket of a minute.
func TestTokenLivesForItsTime(t *testing.T) {
	for _, ttl := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour} {
		for name, s := range map[string]store.Store{
			"a store that keeps its promise": &store.Memory{},
			"a store that forgets nothing":   &mapStore{},
		} {
			synctest.Test(t, func(t *testing.T) {
				tokens := over(t, s)
				token := func() string {
					token, err := tokens.Issue(t.Context(), "ticket", "alice", ttl)
					if err != nil {
						t.Fatal(err)
					}
					return token
				}
				early, late := token(), token()
				time.Sleep(ttl - time.Millisecond)
				if _, err := tokens.Redeem(t.Context(), "ticket", early); err != nil {
					t.Errorf("%v, %s, before the end: %v", ttl, name, err)
				}
				if _, err := tokens.Redeem(t.Context(), "ticket", early); !errors.Is(err, onetime.ErrUsed) {
					t.Errorf("%v, %s, again: %v", ttl, name, err)
				}
				time.Sleep(time.Millisecond)
				if got, err := tokens.Redeem(t.Context(), "ticket", late); !errors.Is(err, onetime.ErrUnknown) || got != "" {
					t.Errorf("%v, %s, at the end: %q, %v", ttl, name, got, err)
				}
			})
		}
	}
}

// A used token is remembered until it would have expired, and no longer.
func TestUsedIsRememberedForTheTimeOfTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &mapStore{}
		tokens := over(t, s)
		token := issue(t, tokens, "reset", "alice")
		time.Sleep(20 * time.Minute)
		if _, err := tokens.Redeem(t.Context(), "reset", token); err != nil {
			t.Fatal(err)
		}
		if len(s.ttls) != 2 || s.ttls[0] != time.Hour || s.ttls[1] > 40*time.Minute || s.ttls[1] < 40*time.Minute-time.Second {
			t.Error(s.ttls)
		}
	})
}

// ASVS 5.0, 6.5.2, 6.5.3, 6.5.4; CVE-2026-53603. Data of the store
// cannot be redeemed.
func TestStoreHoldsNoToken(t *testing.T) {
	s := &mapStore{}
	tokens := over(t, s)
	seen := make(map[string]bool)
	for range 100 {
		token := issue(t, tokens, "reset", "alice", "cookie value")
		if len(token) != 43 || seen[token] {
			t.Fatalf("%q", token)
		}
		seen[token] = true
	}
	for key, value := range s.values {
		if seen[key] || len(key) > store.MaxKey || bytes.Contains(value, []byte("cookie value")) {
			t.Errorf("%q", key)
		}
		if _, err := tokens.Redeem(t.Context(), "reset", key, "cookie value"); !errors.Is(err, onetime.ErrUnknown) {
			t.Errorf("a key is a token: %v", err)
		}
		for token := range seen {
			if bytes.Contains(value, []byte(token)) {
				t.Errorf("a record holds its token")
			}
		}
	}
}

// ASVS 5.0, 2.2.1: a malformed token causes no I/O.
func TestShapeIsCheckedFirst(t *testing.T) {
	s := &mapStore{}
	tokens := over(t, s)
	token := issue(t, tokens, "reset", "alice")
	s.calls = 0
	for name, bad := range map[string]string{
		"nothing": "", "shorter": token[:42], "longer": token + "A", "10 MB": strings.Repeat("A", 10<<20),
		"padding": token + "=", "a line break in front": "\n" + token[1:], "a line break after": token + "\n",
		"another alphabet": token[:42] + "+", "a NUL": token[:42] + "\x00", "spare bits": token[:42] + "B",
		"not ASCII": token[:41] + "é",
	} {
		if got, err := tokens.Redeem(t.Context(), "reset", bad); !errors.Is(err, onetime.ErrUnknown) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := tokens.Redeem(t.Context(), "", token); err == nil || errors.Is(err, onetime.ErrUnknown) || errors.Is(err, onetime.ErrUsed) {
		t.Errorf("no purpose: %v", err)
	}
	if s.calls != 0 {
		t.Errorf("%d calls of the store", s.calls)
	}
	if _, err := tokens.Redeem(t.Context(), "reset", token); err != nil {
		t.Error(err)
	}
}

// Of all presented values, only the token itself is accepted.
func FuzzRedeem(f *testing.F) {
	tokens := over(f, &store.Memory{})
	token := issue(f, tokens, "reset", "alice")
	f.Add("reset", token[:42]+"A", "")
	f.Add("", strings.Repeat("A", 43), "x")
	f.Fuzz(func(t *testing.T, purpose, presented, bound string) {
		if got, err := tokens.Redeem(t.Context(), purpose, presented, bound); err == nil || got != "" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// mapStore keeps everything for ever and counts calls.
type mapStore struct {
	values map[string][]byte
	ttls   []time.Duration
	calls  int
}

func (s *mapStore) Get(ctx context.Context, key string) ([]byte, bool, error) {
	s.calls++
	value, ok := s.values[key]
	return value, ok, ctx.Err()
}

func (s *mapStore) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	s.calls++
	value, ok := s.values[key]
	if ctx.Err() != nil || ok != (old != nil) || !bytes.Equal(value, old) {
		return false, ctx.Err()
	}
	if s.values == nil {
		s.values = make(map[string][]byte)
	}
	s.values[key] = bytes.Clone(new)
	s.ttls = append(s.ttls, ttl)
	return true, nil
}

func (s *mapStore) Delete(context.Context, string) error { panic("nothing is deleted") }
