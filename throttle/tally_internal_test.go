package throttle

import (
	"context"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// unanswering is a store whose swaps take effect, and whose next ones answer with
// an error.
type unanswering struct {
	store.Store
	errors int // so many
}

var errNoAnswer = errors.New("no answer")

func (u *unanswering) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	swapped, err := u.Store.CompareAndSwap(ctx, key, old, new, ttl)
	if u.errors > 0 {
		u.errors--
		return false, errNoAnswer
	}
	return swapped, err
}

func TestAnAttemptIsCountedOnceThoughItsSwapSaidNothing(t *testing.T) {
	s := &unanswering{Store: &store.Memory{}}
	l, err := New(Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 3; n++ { // the first and later ones
		s.errors = 1
		c := &tally{limiter: l, limit: l.waits, digest: l.digest("account", "alice")}
		if err := errors.Join(c.read(t.Context()), c.take(t.Context(), attemptName{byte(n)})); err != nil {
			t.Fatal(err)
		}
		if err := c.read(t.Context()); err != nil || len(c.count.attempts) != n {
			t.Errorf("%d attempts are counted as %d, %v", n, len(c.count.attempts), err)
		}
	}
}

// A success stands, and a count that the store did not take back is reported.
func TestACountThatStaysAfterASuccessIsReported(t *testing.T) {
	s := &unanswering{Store: &store.Memory{}}
	var faults []error
	l, err := New(Config{Store: s, Events: func(_ context.Context, e auth.Event) {
		if e.Kind == auth.EventFault {
			faults = append(faults, e.Err)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	err = l.Try(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), "alice", func() error {
		l.config.Store = noSwaps{s}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if len(faults) != 2 { // of the account, and of the address
		t.Fatalf("faults: %v", faults)
	}
	for _, fault := range faults {
		if !errors.Is(fault, errNoAnswer) {
			t.Error(fault)
		}
	}
}

type noSwaps struct{ store.Store }

func (noSwaps) CompareAndSwap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errNoAnswer
}

func TestADeviceIsReadWithNoAccountUpToAllOfThem(t *testing.T) {
	d := newDevice()
	for n := 0; n <= maxDeviceAccounts; n++ {
		got, ok := decodeDevice(d.encode())
		if !ok || got.id != d.id || len(got.accounts) != n {
			t.Errorf("%d accounts: %+v, %v", n, got, ok)
		}
		d.accounts = append(d.accounts, [16]byte{byte(n)})
	}
	if got, ok := decodeDevice(d.encode()); ok {
		t.Errorf("%d accounts: %+v", len(d.accounts), got)
	}
}
