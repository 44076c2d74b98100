package throttle

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/forwarded"
	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

var update = flag.Bool("update", false, "write the golden files")

// The keys stay the same, so an upgrade does not lose counts.
func TestKeysOfCountsStayTheSame(t *testing.T) {
	limiter := &Limiter{config: Config{Namespace: "shop"}}
	for want, parts := range map[string][]string{
		"oW2QqBVGpNPvrT7_IfNpFAtGEYvGITEzsugxQA8fPQ0": {"account", "alice"},
		"Poc_VpZDyIBzQfMO90-I4Nyc4RJi8itAmlxEIIBpEeU": {"address", forwarded.Client(&http.Request{RemoteAddr: "192.0.2.7:1"}, nil).String()},
		"i6TN36DGTQLkSJRdbvT0rIL90xLBe7KwArt-USOEjQQ": {"address", network(forwarded.Client(&http.Request{RemoteAddr: "[2001:db8::7]:1"}, nil), 64)},
		"xO7LPr8gvAtVN6X1PD5BdoyNSA2m9jNPnl8N8bpEdCk": {"address", forwarded.Client(&http.Request{}, nil).String()},
		"uYkPV4PLOcfC5HGArZWJtmLMlF9CLnokmDA-kfeQjkE": {"devices", "alice"},
		"mekMjbi5NUrN6LpiGMJtsatlpNojTZivetblfsMFWMU": {"tag", "alice"},
	} {
		if got := limiter.digest(parts...).Key(); got != want {
			t.Errorf("the key of %q is %s", parts, got)
		}
	}
}

func goldenCount() (count, record.Digest) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC).UnixMilli()
	return count{returned: at - 1, attempts: []counted{
		{at, [4]byte{}, attemptName{1, 2, 3, 4, 5, 6, 7, 8}}, {at + 60_000, [4]byte{9, 9, 9, 9}, attemptName{8, 7, 6, 5, 4, 3, 2, 1}},
	}}, record.NewDigest("throttle", "shop", "account", "alice")
}

func TestRecordOfFormat40StaysReadable(t *testing.T) {
	const file = "testdata/count-0x40.bin"
	want, d := goldenCount()
	if *update {
		raw := want.encode(d)
		copy(raw[1:], "writeID8")
		if err := os.WriteFile(file, sum(raw, d), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeCount(raw, d)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	// A new encoding differs only in its write ID and checksum.
	now := got.encode(d)
	if len(now) != len(raw) || now[0] != raw[0] || !bytes.Equal(now[countReturnedAt:], raw[countReturnedAt:]) {
		t.Errorf("written today:\n%x\n%x", now, raw)
	}
	if bytes.Equal(now, got.encode(d)) {
		t.Error("two writes have the same bytes")
	}
}

// Cookies of format 1 stay readable, or trusted devices would become unrecognized.
func TestDeviceOfFormat1StaysReadable(t *testing.T) {
	const golden = "01" + "000102030405060708090a0b0c0d0e0f" + "11111111111111111111111111111111" + "22222222222222222222222222222222"
	raw, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	one, two := [16]byte(bytes.Repeat([]byte{0x11}, 16)), [16]byte(bytes.Repeat([]byte{0x22}, 16))
	d, ok := decodeDevice(raw)
	if !ok || d.id[15] != 15 || !reflect.DeepEqual(d.accounts, [][16]byte{one, two}) || !bytes.Equal(d.encode(), raw) {
		t.Errorf("%+v, %t", d, ok)
	}
	d.add(two)
	if !reflect.DeepEqual(d.accounts, [][16]byte{two, one}) {
		t.Errorf("%+v", d)
	}
}

// A record that is damaged, newer, or another account's is an error: no attempt is made,
// nothing is written, and Reset repairs it.
func TestRecordsOfCountsThatMakeNoSense(t *testing.T) {
	full, _ := goldenCount()
	for name, stored := range map[string]func(d record.Digest) []byte{
		"every byte":      nil,
		"cut off":         func(d record.Digest) []byte { return full.encode(d)[:countAttemptsAt-1] },
		"one byte":        func(record.Digest) []byte { return []byte{countFormats.Current} },
		"half an attempt": func(d record.Digest) []byte { raw := full.encode(d); return sum(raw[:len(raw)-8], d) },
		"too long": func(d record.Digest) []byte {
			return (&count{attempts: make([]counted, maxAttempts+1)}).encode(d)
		},
		"another's":   func(record.Digest) []byte { return full.encode(record.Digest{1}) },
		"a session":   func(d record.Digest) []byte { raw := full.encode(d); raw[0] = 0x10; return sum(raw, d) },
		"a tombstone": func(d record.Digest) []byte { raw := full.encode(d); raw[0] = 0x80; return sum(raw, d) },
		"newer": func(d record.Digest) []byte {
			raw := full.encode(d)
			raw[0] = countFormats.Current + 1
			return sum(raw, d)
		},
		"much newer": func(record.Digest) []byte { return []byte{countFormats.Last, 1, 2, 3} },
		"of no format": func(d record.Digest) []byte {
			raw := full.encode(d)
			raw[0] = countFormats.Last + 1
			return sum(raw, d)
		},
	} {
		var received []auth.Event
		s := &store.Memory{}
		limiter, err := New(Config{Store: s})
		if err != nil {
			t.Fatal(err)
		}
		limiter.config.Events = func(_ context.Context, e auth.Event) { received = append(received, e) }
		d := limiter.digest("account", "alice")
		var raws [][]byte
		if stored != nil {
			raws = append(raws, stored(d))
		} else {
			for i := range full.encode(d) {
				raw := full.encode(d)
				raw[i] ^= 0x01
				raws = append(raws, raw)
			}
		}
		for _, raw := range raws {
			s.Delete(t.Context(), d.Key())
			if ok, err := s.CompareAndSwap(t.Context(), d.Key(), nil, raw, time.Hour); !ok || err != nil {
				t.Fatal(ok, err)
			}
			received = nil
			try := func(check func() error) error {
				return limiter.Try(httptest.NewRecorder(), httptest.NewRequest("POST", "/", nil), "alice", check)
			}
			err := try(func() error { t.Errorf("%s: check was called", name); return nil })
			if err == nil || errors.Is(err, auth.ErrForbidden) || errors.Is(err, auth.ErrUnauthenticated) {
				t.Errorf("%s: %v", name, err)
			}
			newer := raw[0] > countFormats.Current && raw[0] <= countFormats.Last
			if newer != errors.Is(err, errNewerCount) || len(received) != 1 || received[0].Kind != auth.EventFault || received[0].Err != err {
				t.Errorf("%s: %v, reported %+v", name, err, received)
			}
			if now, _, _ := s.Get(t.Context(), d.Key()); !bytes.Equal(now, raw) {
				t.Errorf("%s: it was written", name)
			}
			if err := limiter.Reset(t.Context(), "alice"); err != nil {
				t.Error(err)
			}
			if err := try(func() error { return nil }); err != nil {
				t.Errorf("%s: after Reset: %v", name, err)
			}
		}
	}
}

// The store holds digests: no readable names, and only keys that every store accepts.
func TestStoreHoldsNoNames(t *testing.T) {
	s := &watched{}
	limiter, err := New(Config{Store: s})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	limiter.Try(httptest.NewRecorder(), r, "alice@example.com", func() error { return auth.ErrUnauthenticated })
	if len(s.keys) != 2 {
		t.Errorf("%q", s.keys)
	}
	for key, value := range s.keys {
		if len(key) != 43 || bytes.Contains(value, []byte("alice")) || bytes.Contains(value, []byte("192.0.2.1")) {
			t.Errorf("%q: %q", key, value)
		}
	}
	for _, ttl := range s.ttls {
		if ttl <= 0 || ttl > longMemory {
			t.Errorf("%v to live", ttl)
		}
	}
}

// watched records what was written.
type watched struct {
	store.Memory
	keys map[string][]byte
	ttls []time.Duration
}

func (s *watched) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if s.keys == nil {
		s.keys = make(map[string][]byte)
	}
	s.keys[key] = new
	s.ttls = append(s.ttls, ttl)
	return s.Memory.CompareAndSwap(ctx, key, old, new, ttl)
}

func sum(raw []byte, d record.Digest) []byte {
	record.Seal(raw, d[:])
	return raw
}

// A count that never locks drops the oldest attempts, also if it has too many.
func TestAnEndlessCountDoesNotGrow(t *testing.T) {
	for _, held := range []int{endlessMost - 1, endlessMost, 2 * endlessMost} {
		c := &count{attempts: make([]counted, held)}
		c.attempts[held-1].at = 1
		l := waits{100, -1, time.Second, time.Hour}
		for _, l := range []limit{l, deviceWaits{l, [4]byte{}}} {
			if _, refused := l.refuses(c, time.Now()); refused || len(c.attempts) != endlessMost-1 || c.attempts[endlessMost-2].at != 1 {
				t.Errorf("%T: %d of %d are left, refused %t", l, len(c.attempts), held, refused)
			}
		}
	}
}

// A server whose clock is ahead makes no attempt wait for longer than the limit.
func TestAClockThatIsAheadLengthensNoWait(t *testing.T) {
	now := time.Now()
	ahead := []counted{{at: now.Add(24 * time.Hour).UnixMilli()}}
	w := waits{1, 100, time.Second, time.Hour}
	for want, l := range map[time.Duration]limit{time.Second: w, time.Minute: allowance{1, time.Minute}} {
		if wait, refused := l.refuses(&count{attempts: ahead}, now); !refused || wait != want {
			t.Errorf("%T: refused %t for %v, want %v", l, refused, wait, want)
		}
	}
	l := deviceWaits{w, [4]byte{}}
	if wait, refused := l.refuses(&count{attempts: ahead}, now); !refused || wait != time.Second {
		t.Errorf("%T: refused %t for %v", l, refused, wait)
	}
}

// For any stored bytes: no panic, and a record that is accepted encodes to itself and
// works with the limits.
func FuzzCount(f *testing.F) {
	full, d := goldenCount()
	f.Add([]byte(nil), false)
	f.Add(full.encode(d), false)
	f.Add((&count{}).encode(d), true)
	f.Fuzz(func(t *testing.T, raw []byte, repair bool) {
		if repair && len(raw) >= countAttemptsAt {
			raw = sum(bytes.Clone(raw), d)
		}
		c, err := decodeCount(raw, d)
		if err != nil {
			if c.attempts != nil || c.returned != 0 {
				t.Errorf("%+v beside %v", c, err)
			}
			return
		}
		if again := c.encode(d); !bytes.Equal(again[countReturnedAt:], raw[countReturnedAt:]) {
			t.Errorf("%x became %x", raw, again)
		}
		for _, l := range []limit{waits{5, 100, time.Second, time.Hour}, deviceWaits{waits{5, 100, time.Second, time.Hour}, [4]byte{9, 9, 9, 9}}, allowance{100, time.Minute}} {
			wait, refused := l.refuses(&c, time.Now())
			if refused && wait < 0 || wait > time.Hour || l.ttl(&c) <= 0 || l.ttl(&c) > longMemory {
				t.Errorf("%T: %v, %t, %v to live", l, wait, refused, l.ttl(&c))
			}
		}
	})
}
