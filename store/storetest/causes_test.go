package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/authlatch/auth/store"
)

// failing are stores that fail for one cause each. TestFailingStore runs the kit over one
// of them, in a process of its own.
var failing = []struct {
	cause string
	make  func(b *broken)
	rules []group
	lines int // of the output at most
	told  string
}{
	{"Get is always an error", func(b *broken) {
		b.get = func(context.Context, string) ([]byte, bool, error) { return nil, false, errors.New("no such table") }
	}, groups, 8, "Get: no such table"},
	{"Delete does nothing", func(b *broken) {
		b.delete = func(context.Context, string) error { return nil }
	}, groups, 8, `the record is present: "second"`},
	{"records never expire", useTTL(func(time.Duration) time.Duration { return alive }), expiring, 9,
		"a record is still present after its time to live, and 20s more"},
	{"values have up to 1,000 bytes", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if len(new) > 1000 {
				return false, fmt.Errorf("%d bytes do not fit into the column", len(new))
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}, withoutWaits, 8, "CompareAndSwap: 4095 bytes do not fit into the column"},
	{"the server dies", diesAfter(15), withoutWaits, 8, "CompareAndSwap: dial 127.0.0.1:16: connection refused"},
	{"the server dies during logins", diesAfter(20), loginGroups, 8, "session: update: dial"},
	{"any key is accepted", rename(func(key string) string { return fmt.Sprintf("%.64x", key) }), withoutWaits, 12,
		"and 121 more failures of these causes"},
}

func diesAfter(swaps int64) func(*broken) {
	return func(b *broken) {
		var calls atomic.Int64
		b.swap = func(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
			if n := calls.Add(1); n > swaps {
				return false, fmt.Errorf("dial 127.0.0.1:%d: connection refused", n)
			}
			return b.Memory.CompareAndSwap(ctx, key, old, new, ttl)
		}
	}
}

// expiring are groups whose rules wait until records expire.
var expiring = slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return g.name != "absence" && g.name != "time to live" })

// withoutWaits are groups that wait for nothing.
var withoutWaits = slices.DeleteFunc(slices.Clone(groups), func(g group) bool { return g.name != "swaps" && g.name != "keys and values" })

const failingStore = "AUTH_FAILING_STORE"

func TestFailingStore(t *testing.T) {
	for _, test := range failing {
		if test.cause == os.Getenv(failingStore) {
			run(t, test.rules, func(*testing.T) store.Store {
				b := &broken{Memory: &store.Memory{}}
				test.make(b)
				return b
			})
		}
	}
}

func TestFailuresOfOneCauseAreToldOnce(t *testing.T) {
	for _, test := range failing {
		t.Run(test.cause, func(t *testing.T) {
			t.Parallel()
			command := exec.Command(os.Args[0], "-test.run=^TestFailingStore$")
			command.Env = append(os.Environ(), failingStore+"="+test.cause)
			out, err := command.CombinedOutput()
			// Quoted, since a tool that counts failures may read this log.
			t.Log("it prints\n> " + strings.ReplaceAll(string(out), "\n", "\n> "))
			if err == nil {
				t.Error("the store passes")
			}
			if lines := strings.Count(string(out), "\n"); lines > test.lines {
				t.Errorf("%d lines, want at most %d", lines, test.lines)
			}
			if n := strings.Count(string(out), test.told); n != 1 {
				t.Errorf("%q is told %d times", test.told, n)
			}
		})
	}
}
