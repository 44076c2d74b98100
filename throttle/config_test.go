package throttle_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

func TestNewThrottleRefusesWhatCannotWork(t *testing.T) {
	sealer := newSealer(t)
	prefix := netip.MustParsePrefix
	for name, c := range map[string]throttle.Config{
		"Failures":        {Failures: -1},
		"MaxFailures":     {MaxFailures: -2},
		"AddressFailures": {AddressFailures: -1},
		"FirstWait":       {FirstWait: -1},
		"LongestWait":     {LongestWait: -1},
		"AddressRecovery": {AddressRecovery: -1},
		"DeviceLifetime":  {DeviceLifetime: -1, Sealer: sealer},

		"MaxFailures is more":                            {MaxFailures: 101},
		"Failures is more":                               {Failures: 6, MaxFailures: 5},
		"Failures is more than":                          {Failures: 101, MaxFailures: throttle.NeverLock},
		"FirstWait is under":                             {FirstWait: time.Second - 1},
		"LongestWait is shorter":                         {FirstWait: time.Minute, LongestWait: time.Second},
		"or longer than 30 days":                         {LongestWait: 31 * 24 * time.Hour},
		"AddressFailures is less":                        {AddressFailures: 4},
		"or more than 1000":                              {AddressFailures: 1001},
		"AddressRecovery is under":                       {AddressRecovery: time.Second - 1},
		"AddressRecovery is under one second, or longer": {AddressRecovery: 31 * 24 * time.Hour},

		"TrustedProxies has":         {TrustedProxies: []netip.Prefix{prefix("10.0.0.0/8"), {}}},
		"TrustedProxies has a":       {TrustedProxies: []netip.Prefix{prefix("0.0.0.0/0")}},
		"TrustedProxies has a n":     {TrustedProxies: []netip.Prefix{prefix("::/0")}},
		"IPv4-mapped IPv6":           {TrustedProxies: []netip.Prefix{prefix("::ffff:10.0.0.0/104")}},
		"Cookie and DeviceLifetime":  {Cookie: cookie.New("device")},
		"DeviceLifetime need":        {DeviceLifetime: time.Hour},
		"Cookie: cookie":             {Sealer: sealer, Cookie: cookie.New("a b")},
		"Cookie is readable":         {Sealer: sealer, Cookie: cookie.New("device").ReadableByScripts()},
		"DeviceLifetime: ":           {Sealer: sealer, DeviceLifetime: 401 * 24 * time.Hour},
		"DeviceLifetime: cookie":     {Sealer: sealer, DeviceLifetime: time.Second + 1},
		"Sealer: cookie":             {Sealer: &cookie.Sealer{}},
		"Sealer: cookie: Seal: __Ho": {Sealer: sealer, Cookie: cookie.New(strings.Repeat("n", 3900))},
	} {
		c.Store = &store.Memory{}
		if limiter, err := throttle.New(c); err == nil || limiter != nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := throttle.New(throttle.Config{}); err == nil || !strings.Contains(err.Error(), "Store") {
		t.Error(err)
	}
	for name, c := range map[string]throttle.Config{
		"few failures":   {MaxFailures: 2},
		"a long wait":    {FirstWait: 2 * time.Hour},
		"many failures":  {Failures: 100},
		"endless":        {Failures: 100, MaxFailures: throttle.NeverLock},
		"the strictest":  {Failures: 1, MaxFailures: 1, AddressFailures: 1},
		"the longest":    {Sealer: sealer, DeviceLifetime: 400 * 24 * time.Hour},
		"a policy":       {Sealer: sealer, Cookie: cookie.New("known").Insecure()},
		"a private /128": {TrustedProxies: []netip.Prefix{prefix("::1/128")}},
	} {
		c.Store = &store.Memory{}
		if _, err := throttle.New(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Changing a Config after New has no effect.
func TestAThrottleKeepsItsOwnListOfProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("198.18.0.0/16")}
	d := newDoor(t, throttle.Config{Failures: 1, AddressFailures: 1, TrustedProxies: trusted})
	trusted[0] = netip.MustParsePrefix("203.0.113.0/24")
	for i := range 3 {
		r := from(0).request()
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d", i))
		err := d.Try(httptest.NewRecorder(), r, fmt.Sprint("account ", i), func() error { return auth.ErrUnauthenticated })
		if errors.As(err, new(*throttle.Error)) {
			t.Fatalf("client %d shares the address of the proxy", i)
		}
	}
}
