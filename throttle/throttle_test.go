package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/onetime"
	"github.com/authlatch/auth/password"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// ASVS 5.0, 2.4.1, 6.3.1 and 6.6.3: five attempts at once, then none without a wait.
func TestAnAccountHasFiveAttemptsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{})
		for i := range 5 {
			d.expect("wrong", from(i), "alice", false)
		}
		got, wait := d.attempt(from(5), "alice", true)
		if got != "throttled" || wait != 30*time.Second {
			t.Fatalf("the sixth is %s for %v", got, wait)
		}
		d.expect("right", from(5), "bob", true)
		time.Sleep(30*time.Second - time.Millisecond)
		if got, wait = d.attempt(from(6), "alice", true); got != "throttled" || wait != time.Millisecond {
			t.Fatalf("too early: %s for %v", got, wait)
		}
		time.Sleep(time.Millisecond)
		d.expect("right", from(7), "alice", true)
		d.wrongs(from(8), "alice", 5) // all of them are back
		d.expect("throttled", from(9), "alice", true)
	})
}

func TestASuccessResetsTheFailureCount(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	for i := range 20 {
		d.wrongs(from(i), "alice", 4)
		d.expect("right", from(i), "alice", true)
	}
}

// An attempt that is in progress while an earlier one succeeds still counts.
func TestASuccessResetsOnlyWhatCameBefore(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	d.wrongs(from(0), "alice", 2)
	err := d.Try(httptest.NewRecorder(), from(0).request(), "alice", func() error {
		d.wrongs(from(1), "alice", 2)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.wrongs(from(2), "alice", 3)
	d.expect("throttled", from(2), "alice", true)
}

// NIST SP 800-63B-4, 3.2.2: after 100 consecutive failures an account is locked,
// until the application calls Reset.
func TestAnAccountIsLockedAfterAHundredFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{})
		failed := 0
		for i := range 200 {
			if d.try(from(i), "alice", false) == "wrong" {
				failed++
			}
			time.Sleep(time.Hour)
		}
		if failed != 100 {
			t.Errorf("%d failures", failed)
		}
		time.Sleep(5 * 365 * 24 * time.Hour)
		if got, wait := d.attempt(from(0), "alice", true); got != "throttled" || wait != 0 {
			t.Errorf("five years later: %s for %v", got, wait)
		}
		d.expect("right", from(0), "bob", true)
		if err := d.Reset(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		d.wrongs(from(1), "alice", 5)
		d.expect("throttled", from(1), "alice", true)
	})
}

// With NeverLock, as for messages that are sent, an attacker cannot lock an account: its
// owner waits for LongestWait at most.
func TestWhatIsEndlessWaitsInstead(t *testing.T) {
	for _, failures := range []int{1, 5, 100} {
		synctest.Test(t, func(t *testing.T) {
			d := newDoor(t, throttle.Config{Failures: failures, MaxFailures: throttle.NeverLock, FirstWait: time.Second})
			failed := 0
			for i := range 1000 {
				if d.try(from(i), "alice", false) == "wrong" {
					failed++
				}
				if got, wait := d.attempt(from(i), "alice", false); i > 200 && (got != "throttled" || wait != time.Hour) {
					t.Fatalf("after %d of %d it is %s for %v", i, failures, got, wait)
				}
				time.Sleep(time.Hour)
			}
			if failed != 1000 {
				t.Errorf("%d failures", failed)
			}
			d.expect("right", from(0), "alice", true)
		})
	}
}

func TestFewFailuresAreForgottenAndManyAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{})
		d.wrongs(from(0), "alice", 4)
		d.wrongs(from(0), "bob", 5)
		time.Sleep(31 * 24 * time.Hour)
		d.wrongs(from(0), "alice", 5)
		d.wrongs(from(0), "bob", 1)
		if got, wait := d.attempt(from(0), "bob", true); got != "throttled" || wait != time.Minute {
			t.Errorf("%s for %v", got, wait)
		}
	})
}

// ASVS 5.0, 6.3.1: an attacker who tries one password on many accounts has to wait.
func TestAnAddressHasAHundredAttemptsAndOneAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{})
		spray := func(n int) {
			t.Helper()
			for i := range n {
				d.expect("wrong", from(1), fmt.Sprint("user ", d.checks, i), false)
			}
			got, wait := d.attempt(from(1), "alice", true)
			if got != "throttled" || wait <= 0 || wait > time.Minute {
				t.Fatalf("after %d it is %s for %v", n, got, wait)
			}
		}
		spray(100)
		d.expect("right", from(2), "alice", true)
		time.Sleep(time.Minute)
		spray(1)
		time.Sleep(150 * time.Second)
		spray(2)
		time.Sleep(30 * time.Second)
		spray(1)
		time.Sleep(24 * time.Hour)
		spray(100)
	})
}

// An attacker's login to an own account does not reset the count of the address.
func TestASuccessGivesAnAddressOnlyItsOwnAttemptBack(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	for i := range 100 {
		d.expect("right", from(1), "mallory", true)
		d.expect("wrong", from(1), fmt.Sprint("user ", i), false)
	}
	d.expect("throttled", from(1), "mallory", true)
}

// An attempt that the account refuses does not count for the address, and one that the
// address refuses does not count for the account.
func TestARefusedAttemptCountsNowhere(t *testing.T) {
	d := newDoor(t, throttle.Config{AddressFailures: 10})
	d.wrongs(from(1), "alice", 5)
	for range 50 {
		d.expect("throttled", from(1), "alice", false)
	}
	d.wrongs(from(1), "bob", 4)
	d.wrongs(from(1), "carol", 1)
	for range 50 {
		d.expect("throttled", from(1), "bob", false)
	}
	d.wrongs(from(2), "bob", 1)
	d.expect("throttled", from(2), "bob", false)
}

func TestAddressesAreCountedAsClients(t *testing.T) {
	for _, test := range []struct {
		rule       string
		one, other string
		same       bool
	}{
		{"two IPv4 addresses are two", "192.0.2.1:1", "192.0.2.2:1", false},
		{"the port does not matter", "192.0.2.1:1", "192.0.2.1:2", true},
		{"IPv4-mapped is IPv4", "192.0.2.1:1", "[::ffff:192.0.2.1]:1", true},
		{"two mapped addresses are two", "[::ffff:192.0.2.2]:1", "[::ffff:192.0.2.1]:1", false},
		{"a /64 is one client", "[2001:db8:1:2::1]:1", "[2001:db8:1:2:ffff::1]:1", true},
		{"the next /64 is another", "[2001:db8:1:2::1]:1", "[2001:db8:1:3::1]:1", false},
		{"a zone does not matter", "[fe80::1%eth0]:1", "[fe80::1%eth1]:1", true},
		{"without a port it is the same", "192.0.2.1:1", "192.0.2.1", true},
		{"requests without an address share one count", "@", "", true},
		{"which is a count of its own", "@", "0.0.0.0:1", false},
	} {
		t.Run(test.rule, func(t *testing.T) {
			d := newDoor(t, throttle.Config{Failures: 1, AddressFailures: 1})
			d.wrongs(&guest{address: test.one}, "alice", 1)
			want := map[bool]string{true: "throttled", false: "wrong"}[test.same]
			d.expect(want, &guest{address: test.other}, "bob", false)
		})
	}
}

// ASVS 5.0, 4.1.3 and 15.3.4: only the headers of trusted proxies are used.
func TestAThrottleBelievesItsProxies(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for trusted, want := range map[bool]string{true: "wrong", false: "throttled"} {
		c := throttle.Config{Failures: 1, AddressFailures: 1}
		if trusted {
			c.TrustedProxies = proxies
		}
		d := newDoor(t, c)
		for i, client := range []string{"192.0.2.1", "192.0.2.2"} {
			r := (&guest{address: "10.0.0.1:1"}).request()
			r.Header.Set("X-Forwarded-For", client)
			err := d.Try(httptest.NewRecorder(), r, fmt.Sprint(i), func() error { return auth.ErrUnauthenticated })
			if got := map[bool]string{true: "wrong", false: "throttled"}[errors.Is(err, auth.ErrUnauthenticated)]; i == 1 && got != want {
				t.Errorf("trusted %t: the second client is %s", trusted, got)
			}
		}
	}
	proxies[0] = netip.MustParsePrefix("192.0.2.0/24") // is not the throttle's any more
}

// The error of check decides whether the attempt counts.
func TestWhatCheckReturns(t *testing.T) {
	hangUp := func(t *testing.T, r *http.Request) (*http.Request, func()) {
		ctx, cancel := context.WithCancel(r.Context())
		return r.WithContext(ctx), cancel
	}
	for _, test := range []struct {
		rule    string
		err     error
		hangsUp bool
		is      error // what the error wraps
		status  int
		counted bool
	}{
		{"wrong counts", auth.ErrUnauthenticated, false, auth.ErrUnauthenticated, 401, true},
		{"wrong counts after the client has hung up", auth.ErrUnauthenticated, true, auth.ErrUnauthenticated, 401, true},
		{"right does not", nil, false, nil, 0, false},
		{"right does not after the client has hung up", nil, true, nil, 0, false},
		{"a check that failed does not", errStore, false, errStore, 503, false},
		{"nor does it after a deadline of the server's", context.DeadlineExceeded, false, context.DeadlineExceeded, 503, false},
		{"but it does if the client has hung up", context.Canceled, true, context.Canceled, 503, true},
		{"a wrong password counts", password.ErrWrong, false, password.ErrWrong, 401, true},
		{"a used token counts", onetime.ErrUsed, false, onetime.ErrUsed, 401, true},
		{"an unknown token counts", onetime.ErrUnknown, false, onetime.ErrUnknown, 401, true},
		{"forbidden counts", auth.ErrForbidden, false, auth.ErrForbidden, 403, true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			d := newDoor(t, throttle.Config{Failures: 2, AddressFailures: 2})
			w := httptest.NewRecorder()
			r, cancel := hangUp(t, from(1).request())
			defer cancel()
			err := d.Try(w, r, "alice", func() error {
				if test.hangsUp {
					cancel()
				}
				return test.err
			})
			if (err == nil) != (test.is == nil) || !errors.Is(err, test.is) {
				t.Fatalf("Try returns %v", err)
			}
			if err != nil {
				middleware.Deny(w, r, err)
				if w.Code != test.status {
					t.Errorf("status %d", w.Code)
				}
			}
			want := "wrong"
			if test.counted {
				want = "throttled"
			}
			d.wrongs(from(2), "alice", 1)
			d.expect(want, from(2), "alice", false)
			d.wrongs(from(1), "bob", 1)
			d.expect(want, from(1), "carol", false)
		})
	}
}

func TestAPanicInCheckStaysCounted(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	for range 5 {
		func() {
			defer func() {
				if recover() != "check" {
					t.Error("the panic is lost")
				}
			}()
			d.Try(httptest.NewRecorder(), from(1).request(), "alice", func() error { panic("check") })
		}()
	}
	d.expect("throttled", from(2), "alice", true)
}

// An attempt counts even if the client disconnects, so disconnecting avoids no count.
func TestAClientThatHangsUpUndoesNoCount(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	for range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := d.Try(httptest.NewRecorder(), from(1).request().WithContext(ctx), "alice", func() error { return auth.ErrUnauthenticated })
		if !errors.Is(err, auth.ErrUnauthenticated) {
			t.Fatal(err)
		}
	}
	d.expect("throttled", from(2), "alice", true)
}

// ASVS 5.0, 6.3.8: the responses for existing and missing accounts are the same, byte
// for byte, at any time.
func TestNothingRevealsWhetherAnAccountExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{Sealer: newSealer(t)})
		d.expect("right", from(0), "alice", true) // as only she can
		answer := func(i int, account string) string {
			w, r := httptest.NewRecorder(), from(i).request()
			if err := d.Try(w, r, account, func() error { return auth.ErrUnauthenticated }); err != nil {
				middleware.Deny(w, r, err)
			}
			return fmt.Sprint(w.Code, w.Header(), w.Body)
		}
		for i := range 150 {
			if known, unknown := answer(i, "alice"), answer(i, "unknown"); known != unknown {
				t.Fatalf("attempt %d:\n%s\n%s", i, known, unknown)
			}
			time.Sleep(time.Duration(i) * time.Minute)
		}
	})
}

// ASVS 5.0, 2.4.1 and 6.6.3: codes of a second factor, and messages that are sent,
// whether or not the account exists.
func TestCodesAndMessagesAreThrottledLikePasswords(t *testing.T) {
	s := &store.Memory{}
	codes := newDoor(t, throttle.Config{Store: s, Namespace: "otp"})
	messages := newDoor(t, throttle.Config{Store: s, Namespace: "reset"})
	for _, d := range []*door{codes, messages} {
		for _, account := range []string{"alice", "unknown"} {
			d.checks = 0
			ended := atOnce([]*door{d}, 100, func(i int, d *door) string { return d.try(from(i), account, false) })
			if ended["wrong"] != 5 || d.checks != 5 {
				t.Errorf("%v", ended)
			}
		}
		if err := d.Reset(t.Context(), "alice"); err != nil {
			t.Fatal(err)
		}
		d.wrongs(from(200), "alice", 5)
	}
}

// ASVS 5.0, 16.2.1, 16.2.5 and 16.3.1.
func TestALimiterReportsWhatItCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoor(t, throttle.Config{Sealer: newSealer(t), Failures: 1, AddressFailures: 2})
		event := func(kind auth.EventKind, subject, reason string) auth.Event {
			return auth.Event{Kind: kind, Time: time.Now().UTC(), Source: "throttle", Subject: subject, Reason: reason}
		}
		owner := from(1)
		d.try(owner, "alice", true)
		d.try(from(2), "alice", false)
		d.try(from(2), "alice", false)
		d.try(from(2), "bob", false)
		d.try(from(2), "carol", false)
		d.try(owner, "alice", false)
		d.try(owner, "alice", false)
		fault := event(auth.EventFault, "dave", "")
		fault.Err = errStore
		d.Try(httptest.NewRecorder(), from(3).request(), "dave", func() error { return errStore })
		want := []auth.Event{
			event(auth.EventFailed, "alice", ""), event(auth.EventThrottled, "alice", "account"),
			event(auth.EventFailed, "bob", ""), event(auth.EventThrottled, "carol", "address"),
			event(auth.EventFailed, "alice", ""), event(auth.EventThrottled, "alice", "device"),
			fault,
		}
		if !reflect.DeepEqual(d.events, want) {
			t.Errorf("%+v\nwant\n%+v", d.events, want)
		}
	})
}

// ASVS 5.0, 16.4.1: an event has the typed name, cut to a length that can be shown.
func TestAnEventCutsWhatWasTyped(t *testing.T) {
	for typed, want := range map[string]string{
		"alice":                                 "alice",
		"":                                      "",
		"a\r\nb\x00\x1b[31mc\u202ed":            "ab[31mcd",
		"\xff\xfe":                              "",
		strings.Repeat("x", 10_000):             strings.Repeat("x", 128),
		strings.Repeat("x", 127) + "é and more": strings.Repeat("x", 127),
		"José":                                  "José",
	} {
		d := newDoor(t, throttle.Config{})
		d.try(from(1), typed, false)
		if len(d.events) != 1 || d.events[0].Subject != want {
			t.Errorf("%.40q: %+v", typed, d.events)
		}
	}
}

// Attempts under one name do not count under another.
func TestCountsAreKeptApart(t *testing.T) {
	s := &store.Memory{}
	a := newDoor(t, throttle.Config{Store: s})
	b := newDoor(t, throttle.Config{Store: s, Namespace: "otp"})
	a.wrongs(from(1), "alice", 5)
	for i, other := range []string{"Alice", "alice ", "", "\x05alice", "alic"} {
		a.expect("wrong", from(1), other, false)
		b.expect("wrong", from(i), "alice", false)
	}
	a.expect("throttled", from(2), "alice", true)
	b.expect("throttled", from(2), "alice", true)
	if err := b.Reset(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	a.expect("throttled", from(2), "alice", true)
	b.expect("wrong", from(2), "alice", false)
}

// The attempts of a /48 with its 65,536 subnets are bounded. One subnet does not make
// another one in the same /48 wait.
func TestOneCustomerOfIPv6HasABound(t *testing.T) {
	d := newDoor(t, throttle.Config{AddressFailures: 5})
	at := func(subnet int) *guest { return &guest{address: fmt.Sprintf("[2001:db8:1:%x::1]:1", subnet)} }
	d.wrongs(at(0), "alice", 5)
	d.expect("throttled", at(0), "bob", true)
	for i := range 45 {
		d.expect("wrong", at(i+1), fmt.Sprint("name ", i), false)
	}
	d.expect("throttled", at(1000), "carol", true)
	d.expect("right", &guest{address: "[2001:db8:2::1]:1"}, "carol", true)
	d.expect("right", from(1), "carol", true)
}

// A client that disconnects during its check causes no fault event.
func TestAClientThatHangsUpIsNoFault(t *testing.T) {
	d := newDoor(t, throttle.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	err := d.Try(httptest.NewRecorder(), from(1).request().WithContext(ctx), "alice", func() error {
		cancel()
		return ctx.Err()
	})
	if !errors.Is(err, context.Canceled) || len(d.events) != 1 || d.events[0].Kind != auth.EventFailed {
		t.Errorf("%v, %+v", err, d.events)
	}
}
