package sqlstore

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestBoundsOfKeys(t *testing.T) {
	for key, good := range map[string]bool{
		"k": true, strings.Repeat("k", 128): true, "!~": true,
		"": false, strings.Repeat("k", 129): false, "a b": false, "a\x00": false, "a\x7f": false, "é": false,
	} {
		if err := checkKey(key); (err == nil) != good {
			t.Errorf("%q: %v", key, err)
		}
	}
}

func TestBoundsOfSwaps(t *testing.T) {
	v, long := []byte("v"), make([]byte, 64*1024+1)
	for rule, test := range map[string]struct {
		old, new []byte
		ttl      time.Duration
		good     bool
	}{
		"creates":            {nil, v, 1, true},
		"swaps":              {v, v, 1, true},
		"longest":            {v, long[1:], 1, true},
		"old empty":          {[]byte{}, v, 1, false},
		"new nil":            {v, nil, 1, false},
		"new empty":          {nil, []byte{}, 1, false},
		"new too long":       {v, long, 1, false},
		"ttl zero":           {v, v, 0, false},
		"ttl negative":       {nil, v, -time.Hour, false},
		"ttl most negative":  {nil, v, math.MinInt64, false},
		"ttl as long as can": {nil, v, math.MaxInt64, true},
	} {
		if err := checkSwap("k", test.old, test.new, test.ttl); (err == nil) != test.good {
			t.Errorf("%s: %v", rule, err)
		}
	}
}

func TestLivesAreRoundedUp(t *testing.T) {
	for _, test := range []struct {
		ttl, unit time.Duration
		want      int64
	}{
		{1, time.Microsecond, 1},
		{999, time.Microsecond, 1},
		{1000, time.Microsecond, 1},
		{1001, time.Microsecond, 2},
		{1, time.Millisecond, 1},
		{time.Second, time.Millisecond, 1000},
		{math.MaxInt64, time.Millisecond, math.MaxInt64/1_000_000 + 1},
	} {
		if got := roundUp(test.ttl, test.unit); got != test.want {
			t.Errorf("%d ns in %v: %d, want %d", test.ttl, test.unit, got, test.want)
		}
	}
}

// Each driver has its own error type, whose message contains that of the
// database.
func TestBusyIsDistinguishedFromBroken(t *testing.T) {
	for text, want := range map[string]bool{
		"database is locked (5) (SQLITE_BUSY)":        true, // modernc.org/sqlite
		"database is locked":                          true, // mattn/go-sqlite3
		"sqlite3: database is locked":                 true, // ncruces/go-sqlite3
		"database table is locked: auth_store":        true,
		"database or disk is full (13)":               false,
		"attempt to write a readonly database (8)":    false,
		"disk I/O error (10)":                         false,
		"database disk image is malformed (11)":       false,
		"unable to open database file (14)":           false,
		"SQL logic error: no such table: x (1)":       false,
		"interrupted (9)":                             false,
		"sql: database is closed":                     false,
		"sqlite3: locking protocol":                   false,
		"bad parameter or other API misuse: xyz (21)": false,
	} {
		if got := sqliteBusy(errors.New(text)); got != want {
			t.Errorf("SQLite: %s: %v", text, got)
		}
	}
	for text, want := range map[string]bool{
		"Error 1213 (40001): Deadlock found when trying to get lock": true, // go-sql-driver
		"ERROR 1213 (40001): Deadlock found when trying to get lock": true, // go-mysql-org
		"Error 1205 (HY000): Lock wait timeout exceeded":             true,
		"Error 1020 (HY000): Record has changed since last read":     true,
		"Error 1290 (HY000): The server is running with --read-only": false,
		"Error 1146 (42S02): Table 'app.auth_store' doesn't exist":   false,
		"Error 1021 (HY000): Disk full":                              false,
		"Error 1040 (08004): Too many connections":                   false,
		"invalid connection":                                            false,
		"context deadline exceeded":                                     false,
		"dial tcp 127.0.0.1:1213: connect: connection refused":          false,
		"Error 1317 (70100): Query execution was interrupted":           false,
		"Error 1053 (08S01): Server shutdown in progress":               false,
		"Error 1836 (HY000): Running in read-only mode":                 false,
		"Error 3024 (HY000): maximum statement execution time exceeded": false,
	} {
		if got := mysqlBusy(errors.New(text)); got != want {
			t.Errorf("MySQL: %s: %v", text, got)
		}
	}
}

func TestOldServersAreRefused(t *testing.T) {
	for version, want := range map[string]bool{
		"10.11.19-MariaDB-0+deb12u1": false,
		"10.5.0-MariaDB":             false,
		"11.4.2-MariaDB-log":         false,
		"10.4.34-MariaDB":            true,
		"5.5.68-MariaDB":             true,
		"8.0.36":                     false,
		"8.4.0-cluster":              false,
		"9.1.0":                      false,
		"5.7.44-log":                 true,
		"no version":                 true,
	} {
		if got := mysqlOld(version); got != want {
			t.Errorf("%s: %v", version, got)
		}
	}
}

func TestAnErrorAfterTheContextHasEndedIsTheContexts(t *testing.T) {
	alive, broken := t.Context(), errors.New("interrupted (9)")
	canceled, cancel := context.WithCancelCause(alive)
	cancel(errors.New("a cause of the application"))
	late, cancelLate := context.WithDeadline(alive, time.Now())
	defer cancelLate()
	for _, test := range []struct {
		ctx       context.Context
		err, want error
	}{
		{alive, nil, nil},
		{alive, broken, broken},
		{canceled, nil, nil},
		{canceled, broken, context.Canceled},
		{canceled, broken, broken},
		{late, broken, context.DeadlineExceeded},
	} {
		if err := withContextError(test.ctx, test.err); !errors.Is(err, test.want) {
			t.Errorf("%v is reported as %v, want %v", test.err, err, test.want)
		}
	}
}

// A driver may return its own error after the context has ended.
func TestACallThatIsInterruptedReportsItsContext(t *testing.T) {
	s := &Store{dialect: &dialect{busy: func(error) bool { return false }}, turn: make(chan struct{}, 1)}
	ctx, cancel := context.WithCancelCause(t.Context())
	err := s.retry(ctx, func() error { cancel(errors.New("a cause")); return errors.New("interrupted (9)") })
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.turn <- struct{}{}
	if err := s.takeTurn(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
