package throttle_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/middleware"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// sealed returns a door whose limiter recognizes trusted devices, and a browser in which
// alice has logged in.
func sealed(t testing.TB, c throttle.Config) (*door, *guest) {
	t.Helper()
	if c.Sealer == nil {
		c.Sealer = newSealer(t)
	}
	d, owner := newDoor(t, c), from(0)
	d.expect("right", owner, "alice", true)
	if owner.cookie == "" {
		t.Fatal("there is no cookie")
	}
	return d, owner
}

func TestTheCookieOfADevice(t *testing.T) {
	d := newDoor(t, throttle.Config{Sealer: newSealer(t)})
	w := httptest.NewRecorder()
	if err := d.Try(w, from(0).request(), "alice", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	set := w.Header().Get("Set-Cookie")
	pair, attributes, _ := strings.Cut(set, "; ")
	if !strings.HasPrefix(pair, "__Host-Http-device=") || len(pair) > 250 || attributes != "Path=/; Max-Age=31536000; HttpOnly; Secure; SameSite=Lax" {
		t.Errorf("%q", set)
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(pair, "__Host-Http-device="))
	if err != nil || strings.Contains(string(raw), "alice") {
		t.Errorf("%q, %v", raw, err)
	}
}

// ASVS 5.0, 6.3.1: unrecognized devices cannot lock the owner out, neither from other
// addresses nor from the owner's own.
func TestNoUnrecognizedDeviceLocksTheOwnerOut(t *testing.T) {
	for rule, unrecognized := range map[string]func(i int) *guest{
		"from everywhere":          from,
		"from the owner's address": func(int) *guest { return from(0) },
	} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, owner := sealed(t, throttle.Config{})
				for i := range 300 {
					d.try(unrecognized(i), "alice", false)
					d.try(unrecognized(i), fmt.Sprint("account ", i), false)
					d.expect("right", owner, "alice", true)
					time.Sleep(time.Duration(i) * time.Minute)
				}
				d.expect("throttled", unrecognized(301), "alice", true)
			})
		})
	}
}

// A success on a trusted device does not reset the count of unrecognized devices.
func TestASuccessOfATrustedDeviceResetsNoOther(t *testing.T) {
	d, owner := sealed(t, throttle.Config{})
	for range 5 {
		d.wrongs(from(1), "alice", 1)
		d.expect("right", owner, "alice", true)
	}
	d.expect("throttled", from(1), "alice", false)
}

// Failures on a trusted device make neither unrecognized devices nor the address wait.
func TestADeviceCountsForItselfAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, owner := sealed(t, throttle.Config{AddressFailures: 5})
		d.wrongs(owner, "alice", 5)
		if got, wait := d.attempt(owner, "alice", true); got != "throttled" || wait != 30*time.Second {
			t.Errorf("%s for %v", got, wait)
		}
		d.wrongs(&guest{address: owner.address}, "alice", 5)
		time.Sleep(30 * time.Second)
		d.expect("right", owner, "alice", true)
		d.wrongs(owner, "alice", 5)
		d.expect("throttled", owner, "alice", true)
	})
}

// A thief with the cookie has a hundred guesses, and then those of an unrecognized
// device. So has an attacker who once knew the password and made many cookies then.
func TestDevicesOfAnAccountHaveAHundredFailuresTogether(t *testing.T) {
	for rule, devices := range map[string]int{"one device": 1, "fifty devices": 50} {
		t.Run(rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, owner := sealed(t, throttle.Config{})
				known := []*guest{owner}
				for range devices - 1 {
					g := from(0)
					d.expect("right", g, "alice", true)
					known = append(known, g)
				}
				for range 250 {
					for _, g := range known {
						d.try(g, "alice", false)
					}
					time.Sleep(time.Hour)
				}
				if failed := d.checks - devices; failed != 200 {
					t.Errorf("%d guesses", failed)
				}
				d.expect("throttled", known[0], "alice", true)
				if err := d.Reset(t.Context(), "alice"); err != nil {
					t.Fatal(err)
				}
				d.expect("right", from(1), "alice", true)
			})
		})
	}
}

// An owner who mistypes until the browser has to wait, and then resets the password,
// does not wait.
func TestResetResetsTrustedDevicesToo(t *testing.T) {
	d, owner := sealed(t, throttle.Config{})
	d.wrongs(owner, "alice", 5)
	d.wrongs(from(1), "alice", 5)
	d.expect("throttled", owner, "alice", true)
	if err := d.Reset(t.Context(), "alice"); err != nil {
		t.Fatal(err)
	}
	d.expect("right", owner, "alice", true)
	d.expect("right", from(1), "alice", true)
}

// An attacker has used up the attempts of the trusted devices of an account. After the
// owner succeeds once as an unrecognized device, this browser and the others are
// trusted again.
func TestASuccessOfAnUnrecognizedDeviceResetsTheTrustedOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, owner := sealed(t, throttle.Config{MaxFailures: 10})
		thief := &guest{address: from(1).address, cookie: owner.cookie}
		for range 20 {
			d.try(thief, "alice", false)
			time.Sleep(time.Hour)
		}
		d.expect("throttled", owner, "alice", true) // unrecognized devices have failed ten times too
		if err := d.Reset(t.Context(), "bob"); err != nil {
			t.Fatal(err)
		}
		d.expect("throttled", owner, "alice", true)

		d, owner = sealed(t, throttle.Config{MaxFailures: 10})
		thief.cookie = owner.cookie
		for range 10 {
			d.wrongs(thief, "alice", 1)
			time.Sleep(time.Hour)
		}
		d.expect("right", from(2), "alice", true)
		d.wrongs(from(3), "alice", 5)
		d.expect("right", owner, "alice", true)
	})
}

// One trusted device that has to wait does not make the others wait.
func TestBrowsersOfAnAccountWaitEachForItself(t *testing.T) {
	d, phone := sealed(t, throttle.Config{})
	laptop := from(1)
	d.expect("right", laptop, "alice", true)
	d.wrongs(phone, "alice", 5)
	d.expect("throttled", phone, "alice", true)
	d.wrongs(laptop, "alice", 4)
	d.expect("right", laptop, "alice", true)
}

// The cookie of one account gives no advantage at another.
func TestADeviceOfOneAccountIsUnrecognizedAtAnother(t *testing.T) {
	d, owner := sealed(t, throttle.Config{})
	d.wrongs(from(1), "bob", 5)
	d.expect("throttled", owner, "bob", true)
	d.wrongs(owner, "carol", 5)
	d.expect("throttled", owner, "carol", true)
	d.expect("throttled", from(1), "carol", true)
}

// A cookie that cannot be decrypted makes an unrecognized device and is not an error.
func TestACookieThatCannotBeOpenedIsAnUnrecognizedDevice(t *testing.T) {
	s := &store.Memory{}
	d, owner := sealed(t, throttle.Config{Store: s})
	other, err := cookie.NewSealer([]byte(strings.Repeat("another key 1234", 2)))
	if err != nil {
		t.Fatal(err)
	}
	_, foreign := sealed(t, throttle.Config{Store: s, Sealer: other})
	_, staff := sealed(t, throttle.Config{Store: s, Namespace: "staff"})
	_, renamed := sealed(t, throttle.Config{Store: s, Cookie: cookie.New("other").SameSiteLax()})
	policy := cookie.New("device").SameSiteLax()
	made := func(value []byte) string {
		text, err := newSealer(t).Seal(policy, value, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return policy.Name() + "=" + text
	}
	d.wrongs(from(1), "alice", 5)
	for rule, cookie := range map[string]string{
		"none":                     "",
		"empty":                    policy.Name() + "=",
		"nonsense":                 policy.Name() + "=nonsense",
		"changed":                  owner.cookie[:len(owner.cookie)-2] + "AA",
		"sent twice":               owner.cookie + "; " + owner.cookie,
		"another name":             strings.Replace(owner.cookie, "__Host-Http-", "__Secure-", 1),
		"of another key":           foreign.cookie,
		"of another namespace":     staff.cookie,
		"of another policy":        strings.Replace(renamed.cookie, "other", "device", 1),
		"too short":                made([]byte{1}),
		"no account":               made(append([]byte{1}, make([]byte, 16)...)),
		"half an account":          made(append([]byte{1}, make([]byte, 24)...)),
		"too many accounts":        made(append([]byte{1}, make([]byte, 16*8)...)),
		"of another format":        made(append([]byte{2}, make([]byte, 32)...)),
		"without an account":       made(append([]byte{1}, make([]byte, 32)...)),
		"of the sealer's last use": made([]byte("dark mode")),
	} {
		t.Run(rule, func(t *testing.T) {
			d.expect("throttled", &guest{from(2).address, cookie}, "alice", true)
		})
	}
	d.expect("right", owner, "alice", true)
}

// ASVS 5.0, 3.5.1: another site's form cannot make an attempt for a visitor, use up
// attempts of the address, or replace the cookie of a trusted device, which would then
// be unrecognized.
func TestAnotherSiteTriesNothing(t *testing.T) {
	trusting := http.NewCrossOriginProtection()
	if err := trusting.AddTrustedOrigin("https://www.shop.example"); err != nil {
		t.Fatal(err)
	}
	d, owner := sealed(t, throttle.Config{Failures: 1, AddressFailures: 1})
	trusts, _ := sealed(t, throttle.Config{CrossOrigin: trusting})
	requires := newDoor(t, throttle.Config{Sealer: newSealer(t), CrossOrigin: auth.RequireOrigin(nil)})
	for _, test := range []struct {
		door         *door
		site, origin string
		passes       bool
	}{
		{d, "cross-site", "https://evil.example", false},
		{d, "same-site", "https://www.shop.example", false},
		{d, "", "https://evil.example", false},
		{d, "", "null", false},
		{d, "same-origin", "https://shop.example", true},
		{d, "", "https://shop.example", true},
		{d, "none", "", true},
		{d, "", "", true},
		{trusts, "same-site", "https://www.shop.example", true},
		{trusts, "cross-site", "https://evil.example", false},
		{requires, "", "", false},
		{requires, "", "https://shop.example", true},
	} {
		r, w, called := owner.request(), httptest.NewRecorder(), false
		for name, value := range map[string]string{"Sec-Fetch-Site": test.site, "Origin": test.origin} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		test.door.events = nil
		err := test.door.Try(w, r, "mallory", func() error { called = true; return nil })
		if called != test.passes || (err == nil) != test.passes || (w.Header().Get("Set-Cookie") != "") != test.passes {
			t.Errorf("%q %q: called %t, %v, %v", test.site, test.origin, called, err, w.Header())
		}
		if test.passes {
			continue
		}
		if middleware.Deny(w, r, err); w.Code != 403 || len(test.door.events) != 1 || test.door.events[0].Kind != auth.EventRejected {
			t.Errorf("%q %q: %d, %+v", test.site, test.origin, w.Code, test.door.events)
		}
	}
	d.wrongs(&guest{address: owner.address}, "mallory", 1) // all of what there was is still there
}

func TestADeviceIsForgottenAYearAfterItsLastSuccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, owner := sealed(t, throttle.Config{})
		d.wrongs(from(1), "alice", 5)
		for range 3 {
			time.Sleep(364 * 24 * time.Hour)
			d.wrongs(from(1), "alice", 1)
			d.expect("right", owner, "alice", true)
		}
		time.Sleep(365*24*time.Hour - time.Second)
		d.wrongs(from(1), "alice", 1)
		time.Sleep(time.Second)
		d.expect("throttled", owner, "alice", true)
	})
}

// A family, or a password and a second factor, share a browser.
func TestADeviceKnowsTheLastSixAccounts(t *testing.T) {
	s := &store.Memory{}
	d, owner := sealed(t, throttle.Config{Store: s})
	otp := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t), Namespace: "otp"})
	accounts := []string{"alice", "bob", "carol", "dave", "erin"}
	for _, account := range accounts {
		d.expect("right", owner, account, true)
	}
	otp.expect("right", owner, "alice", true)
	locked := func(d *door, account string, want string) {
		t.Helper()
		d.wrongs(from(d.checks), account, 5)
		d.expect(want, &guest{from(999).address, owner.cookie}, account, true)
	}
	for _, account := range accounts {
		locked(d, account, "right")
	}
	locked(otp, "alice", "right")
	if len(owner.cookie) > 250 {
		t.Errorf("the cookie has %d bytes", len(owner.cookie))
	}
	d.expect("right", owner, "alice", true) // not for the second time, and the last again
	d.expect("right", owner, "mallory", true)
	d.expect("throttled", &guest{from(999).address, owner.cookie}, "bob", true)
	d.expect("right", &guest{from(999).address, owner.cookie}, "alice", true)
}

// Two proofs in one request set one cookie, which has both accounts.
func TestTwoProofsInOneRequest(t *testing.T) {
	s := &store.Memory{}
	password := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t)})
	otp := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t), Namespace: "otp"})
	w, r := httptest.NewRecorder(), from(0).request()
	for _, d := range []*door{password, otp} {
		if err := d.Try(w, r, "alice", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	set := w.Header().Values("Set-Cookie")
	if len(set) != 1 {
		t.Fatalf("%q", set)
	}
	pair, _, _ := strings.Cut(set[0], ";")
	for _, d := range []*door{password, otp} {
		d.wrongs(from(1), "alice", 5)
		d.expect("right", &guest{from(2).address, pair}, "alice", true)
	}
}

// A cookie that cannot be set is reported as a fault, and the login succeeds.
func TestACookieThatCannotBeSetIsAnEvent(t *testing.T) {
	d := newDoor(t, throttle.Config{Sealer: newSealer(t), Cookie: cookie.New("device").Insecure()})
	g := from(0)
	d.expect("right", g, "alice", true) // at shop.example, which is not this machine
	if g.cookie != "" || len(d.events) != 1 || d.events[0].Kind != "fault" || d.events[0].Err == nil {
		t.Errorf("%q, %+v", g.cookie, d.events)
	}
}
