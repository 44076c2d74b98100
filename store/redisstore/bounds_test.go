package redisstore

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

func TestBoundsAreCheckedBeforeTheServerIsAsked(t *testing.T) {
	s := &Store{} // any call of its client panics
	some, long := []byte("x"), make([]byte, maxValue+1)
	for rule, err := range map[string]error{
		"get of an empty key":                 second(s.Get(t.Context(), "")),
		"get of a long key":                   second(s.Get(t.Context(), strings.Repeat("k", maxKey+1))),
		"get of a key with a space":           second(s.Get(t.Context(), "a b")),
		"get of a key beyond ASCII":           second(s.Get(t.Context(), "é")),
		"delete of an empty key":              s.Delete(t.Context(), ""),
		"swap of a key with a newline":        last(s.CompareAndSwap(t.Context(), "a\n", nil, some, time.Second)),
		"swap of an old that is empty":        last(s.CompareAndSwap(t.Context(), "k", []byte{}, some, time.Second)),
		"swap to nothing":                     last(s.CompareAndSwap(t.Context(), "k", nil, nil, time.Second)),
		"swap to a value that is too long":    last(s.CompareAndSwap(t.Context(), "k", nil, long, time.Second)),
		"swap with no time to live":           last(s.CompareAndSwap(t.Context(), "k", nil, some, 0)),
		"swap with a negative time to live":   last(s.CompareAndSwap(t.Context(), "k", nil, some, -1)),
		"get of a near cache, an invalid key": second((&Near{cache: newCache(0), store: s}).GetCached(t.Context(), "a b")),
	} {
		if err == nil {
			t.Errorf("%s: no error", rule)
		}
	}
}

func second(_ []byte, _ bool, err error) error { return err }
func last(_ bool, err error) error             { return err }

func TestTimeToLiveIsRoundedUpToMilliseconds(t *testing.T) {
	for ttl, want := range map[time.Duration]int64{
		1:                                    1,
		time.Millisecond:                     1,
		time.Millisecond + 1:                 2,
		time.Hour:                            3_600_000,
		time.Duration(math.MaxInt64):         9_223_372_036_855,
		time.Second - time.Nanosecond:        1000,
		time.Second + time.Microsecond:       1001,
		2*time.Millisecond - time.Nanosecond: 2,
	} {
		if got := milliseconds(ttl); got != want {
			t.Errorf("%d ns are %d ms, want %d", ttl, got, want)
		}
	}
}

// The errors of url.Parse contain the URL.
func TestErrorsOfAURLShowNoPassword(t *testing.T) {
	for _, url := range []string{
		"redis://u:hunter2@host:port", "redis://u:hunter2@host/x", "http://u:hunter2@host",
		"redis://u:hunter2/@host:1", "hunter2", "redis://u:hunter2%zz@host",
	} {
		s, err := Open(t.Context(), url)
		if err == nil || s != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", url, s, err)
		}
		if n, err := OpenNear(t.Context(), url); err == nil || n != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, %v", url, n, err)
		}
	}
}

func TestAServerThatCannotKeepTheContractIsRefused(t *testing.T) {
	const good = "redis_version:7.0.15\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n"
	for _, test := range []struct {
		rule, info string
		ok         bool
	}{
		{"a master without eviction", good, true},
		{"the oldest version", "redis_version:6.0.0\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", true},
		{"a later version", "redis_version:10.1\r\nrole:master\r\nmaxmemory_policy:noeviction\r\n", true},
		{"a replica of a Cluster, which redirects writes", "redis_version:7.0\r\nrole:slave\r\ncluster_enabled:1\r\nmaxmemory_policy:noeviction\r\n", true},
		{"a replica", strings.Replace(good, "master", "slave", 1), false},
		{"a version that is too old", strings.Replace(good, "7.0.15", "5.0.14", 1), false},
		{"no version", strings.Replace(good, "redis_version", "version", 1), false},
		{"no policy", "redis_version:7.0.15\r\nrole:master\r\n", false},
		{"volatile-lru", strings.Replace(good, "noeviction", "volatile-lru", 1), false},
		{"allkeys-random", strings.Replace(good, "noeviction", "allkeys-random", 1), false},
		{"nothing", "", false},
	} {
		err := parseInfo(test.info).check()
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.rule, err)
		}
	}
}

func TestErrorsNameTheOperationAndKeepTheCause(t *testing.T) {
	cause := errors.New("cause")
	if err := wrap("swap", cause); !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "redisstore: swap: ") {
		t.Error(err)
	}
}
