package postgresstore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

var (
	get  = nameOf(getSQL)
	swap = nameOf(swapSQL)
)

func mustGet(t *testing.T, s *Store) {
	t.Helper()
	if value, ok, err := s.Get(t.Context(), "k"); string(value) != "v" || !ok || err != nil {
		t.Errorf("get: %q, %v, %v", value, ok, err)
	}
}

func mustSwap(t *testing.T, s *Store) {
	t.Helper()
	if swapped, err := s.CompareAndSwap(t.Context(), "k", []byte("v"), []byte("w"), time.Hour); !swapped || err != nil {
		t.Errorf("swap: %v, %v", swapped, err)
	}
}

func (f *fake) want(t *testing.T, rule string, want ...string) {
	t.Helper()
	if got := f.since(); !slices.Equal(got, want) {
		t.Errorf("%s: the server received %q, want %q", rule, got, want)
	}
}

func TestAStatementIsPreparedOnceWhereTheConnectionKeepsNames(t *testing.T) {
	for rule, f := range map[string]*fake{
		"a server": {},
		"a pooler that prepares under names of its own": {pooled: true, renames: true},
	} {
		t.Run(rule, func(t *testing.T) {
			s := f.store(t, "")
			mustGet(t, s)
			f.want(t, "first", "parse authlatch_probe", "bind authlatch_probe", "probe", "close authlatch_probe", "parse "+get, "bind "+get, "run")
			mustGet(t, s)
			f.want(t, "second", "bind "+get, "run")
			mustSwap(t, s)
			f.want(t, "another statement", "parse "+swap, "bind "+swap, "run")
		})
	}
}

func TestNothingIsPreparedBehindAPoolerThatKeepsNoNames(t *testing.T) {
	f := &fake{pooled: true}
	s := f.store(t, "")
	mustGet(t, s)
	f.want(t, "first", "parse authlatch_probe", "bind authlatch_probe", "probe", "close authlatch_probe", "parse ", "bind ", "run")
	mustSwap(t, s)
	f.want(t, "second", "parse ", "bind ", "run")
}

// Only the longer statement tells that the server is no standby.
func TestAbsenceIsLookedUpAgainWithoutAName(t *testing.T) {
	for rule, test := range map[string]struct {
		settings string
		want     []string
	}{
		"by name":        {"", []string{"bind " + get, "run"}},
		"without a name": {"&default_query_exec_mode=exec", []string{"parse ", "bind ", "run", "parse ", "bind ", "run"}},
	} {
		f := &fake{empty: true}
		s := f.store(t, test.settings)
		for range 2 {
			f.since()
			if value, ok, err := s.Get(t.Context(), "k"); value != nil || ok || err != nil {
				t.Errorf("%s: %q, %v, %v", rule, value, ok, err)
			}
		}
		f.want(t, rule, test.want...)
	}
}

func TestAQueryExecModeOfThePoolTurnsNamesOff(t *testing.T) {
	for _, mode := range []string{"exec", "cache_describe", "describe_exec", "simple_protocol"} {
		f := new(fake)
		mustGet(t, f.store(t, "&default_query_exec_mode="+mode))
		f.want(t, mode, "parse ", "bind ", "run")
	}
}

// An old plan ends with the statement.
func TestAStatementIsRenewed(t *testing.T) {
	f := new(fake)
	s := f.store(t, "")
	for range renewal {
		mustGet(t, s)
	}
	f.since()
	mustGet(t, s)
	f.want(t, "renewal", "close "+get, "parse "+get, "bind "+get, "run")
	mustGet(t, s)
	f.want(t, "after it", "bind "+get, "run")
}

// The pool checks a connection that has rested for a second. A response left over
// from before would end that check, and each call would get the one before its own.
func TestAFailedRenewalLeavesNoResponseBehind(t *testing.T) {
	f := new(fake)
	f.fault = once("close "+swap, &pgproto3.ErrorResponse{Code: "57014"})
	s := f.store(t, "")
	create := func() {
		t.Helper()
		if swapped, err := s.CompareAndSwap(t.Context(), "k", nil, []byte("v"), time.Hour); !swapped || err != nil {
			t.Errorf("create: %v, %v", swapped, err)
		}
	}
	create()
	mustGet(t, s)
	for range renewal + 1 {
		mustSwap(t, s)
	}
	time.Sleep(1100 * time.Millisecond)
	create()
	mustGet(t, s)
}

// once returns a fault of the first event of a kind.
func once(event string, refusal *pgproto3.ErrorResponse) func(string) *pgproto3.ErrorResponse {
	done := false
	return func(e string) *pgproto3.ErrorResponse {
		if done || e != event {
			return nil
		}
		done = true
		return refusal
	}
}

func TestAFailedNameIsNotAFailedCall(t *testing.T) {
	unnamed := []string{"parse ", "bind ", "run"}
	for rule, test := range map[string]struct {
		event   string // of the fault, at a statement
		refusal pgproto3.ErrorResponse
	}{
		"unknown":                            {"bind", pgproto3.ErrorResponse{Code: "26000"}},
		"in use":                             {"parse", pgproto3.ErrorResponse{Code: "42P05"}},
		"of other columns":                   {"bind", pgproto3.ErrorResponse{Code: "0A000"}},
		"unknown, and PgBouncer disconnects": {"bind", pgproto3.ErrorResponse{Code: "08P01", Severity: "FATAL", Message: "prepared statement did not exist"}},
		"in use, and PgBouncer disconnects":  {"parse", pgproto3.ErrorResponse{Code: "08P01", Severity: "FATAL", Message: "prepared statement name is already in use"}},
	} {
		t.Run(rule, func(t *testing.T) {
			for name, call := range map[string]func(*testing.T, *Store){get: mustGet, swap: mustSwap} {
				f := new(fake)
				test.refusal.SeverityUnlocalized = test.refusal.Severity
				f.fault = once(test.event+" "+name, &test.refusal)
				s := f.store(t, "")
				call(t, s)
				if events := f.since(); !slices.Equal(events[len(events)-3:], unnamed) || len(find(events, "run")) != 1 {
					t.Errorf("the server received %q", events)
				}
				call(t, s)
				if test.refusal.Severity == "" {
					f.want(t, "the same connection again", unnamed...)
				}
			}
		})
	}
}

func find(events []string, event string) (found []string) {
	for _, e := range events {
		if strings.HasPrefix(e, event) {
			found = append(found, e)
		}
	}
	return found
}

func TestAFailedProbeIsNotAFailedCall(t *testing.T) {
	for rule, refusal := range map[string]*pgproto3.ErrorResponse{
		"the name is in use": {Code: "42P05"},
		"disconnected":       {Code: "08P01", Severity: "FATAL", SeverityUnlocalized: "FATAL"},
	} {
		for _, event := range []string{"parse authlatch_probe", "probe", "close authlatch_probe"} {
			f := new(fake)
			f.fault = once(event, refusal)
			s := f.store(t, "")
			mustSwap(t, s)
			if events := f.since(); len(find(events, "run")) != 1 || len(find(events, "parse "+swap)) != 0 {
				t.Errorf("%s at %q: the server received %q", rule, event, events)
			}
		}
	}
}

// The statement may have been executed, so the outcome is unknown.
func TestALostConnectionIsNotAFailedName(t *testing.T) {
	for _, event := range []string{"run", "bind " + swap} {
		f := new(fake)
		f.fault = once(event, &pgproto3.ErrorResponse{Code: "08P01", Severity: "FATAL", SeverityUnlocalized: "FATAL", Message: "server conn crashed?"})
		s := f.store(t, "")
		if swapped, err := s.CompareAndSwap(t.Context(), "k", []byte("v"), []byte("w"), time.Hour); swapped || err == nil {
			t.Errorf("%s: %v, %v", event, swapped, err)
		}
		if !s.unanswered.Load() {
			t.Errorf("%s: the write counts as answered", event)
		}
		if events := f.since(); len(find(events, "bind ")) != 2 {
			t.Errorf("%s: the server received %q", event, events)
		}
	}
}

func TestDeadlinesHoldForWhatPrepares(t *testing.T) {
	for _, event := range []string{"probe", "parse " + get, "bind " + get} {
		f, silent := new(fake), make(chan struct{})
		f.fault = func(e string) *pgproto3.ErrorResponse {
			if e == event {
				<-silent
			}
			return nil
		}
		s := f.store(t, "")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		if _, _, err := s.Get(ctx, "k"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: %v", event, err)
		}
		cancel()
		close(silent)
	}
}
