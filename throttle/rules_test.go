package throttle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

func TestEachNegativeLimitIsAnErrorByItself(t *testing.T) {
	for name, c := range map[string]Config{
		"Failures":        {Failures: -1},
		"MaxFailures":     {MaxFailures: -2},
		"AddressFailures": {AddressFailures: -1},
		"FirstWait":       {FirstWait: -1},
		"LongestWait":     {LongestWait: -1},
		"AddressRecovery": {AddressRecovery: -1},
		"DeviceLifetime":  {DeviceLifetime: -1},
	} {
		c.Store = &store.Memory{}
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), "negative") || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestASiteRecoversTenTimesAsFastAsAnAddress(t *testing.T) {
	limiter, err := New(Config{Store: &store.Memory{}, AddressFailures: 20, AddressRecovery: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if want := (allowance{200, 6 * time.Second}); limiter.site != want {
		t.Errorf("%v, want %v", limiter.site, want)
	}
}

func TestFailuresThatLedToNoWaitAreForgottenAfterAMonth(t *testing.T) {
	for _, test := range []struct {
		failures, most int
		want           time.Duration
	}{
		{0, 100, time.Minute},
		{1, 100, 30 * 24 * time.Hour},
		{4, 100, 30 * 24 * time.Hour},
		{5, 100, 3650 * 24 * time.Hour},
		{5, NeverLock, 30 * 24 * time.Hour},
	} {
		l := waits{5, test.most, time.Second, time.Hour}
		if got := l.ttl(&count{attempts: make([]counted, test.failures)}); got != test.want {
			t.Errorf("%d failures of at most %d: %v, want %v", test.failures, test.most, got, test.want)
		}
	}
}

func TestCountsOfLaterFormatsAreNewerAndOthersCorrupt(t *testing.T) {
	d := record.NewDigest("throttle", "account")
	whole := (&count{}).encode(d)
	for format, want := range map[byte]error{0x3f: errCorruptCount, 0x40: nil, 0x41: errNewerCount, 0x4f: errNewerCount, 0x50: errCorruptCount} {
		raw := append([]byte{format}, whole[1:]...)
		if _, err := decodeCount(raw, d); !errors.Is(err, want) {
			t.Errorf("format %#x: %v, want %v", format, err, want)
		}
	}
}
