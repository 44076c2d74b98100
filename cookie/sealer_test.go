package cookie_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/cookie"
	"golang.org/x/crypto/chacha20poly1305"
)

func newKey() []byte {
	key := make([]byte, 32)
	rand.Read(key)
	return key
}

// countingKey is the key of the golden values: 0, 1, 2 ...
func countingKey() []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i)
	}
	return key
}

func newSealer(t testing.TB, keys ...[]byte) *cookie.Sealer {
	t.Helper()
	s, err := cookie.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *cookie.Sealer, p cookie.Policy, value string) string {
	t.Helper()
	sealed, err := s.Seal(p, []byte(value), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func mustOpen(t testing.TB, s *cookie.Sealer, p cookie.Policy, sealed, want string) {
	t.Helper()
	if value, err := s.Open(p, sealed); err != nil || string(value) != want {
		t.Errorf("Open = %q, %v; want %q", value, err, want)
	}
}

func TestSealedValueOpens(t *testing.T) {
	s := newSealer(t, newKey())
	for _, value := range []string{"", "v", "a b; \"ä\" \x00\xff", strings.Repeat("v", 3000)} {
		for _, p := range []cookie.Policy{cookie.Session(), cookie.Preference("lang"), cookie.New("id").InsecureAnywhere()} {
			sealed := seal(t, s, p, value)
			if len(value) > 1 && strings.Contains(sealed, value) {
				t.Error("the value is readable")
			}
			h := http.Header{}
			if err := p.Set(h, nil, sealed); err != nil {
				t.Fatal(err)
			}
			pair, _, _ := strings.Cut(h.Get("Set-Cookie"), "; ")
			got, ok, err := p.Read(carrying(pair))
			if !ok || err != nil {
				t.Fatal(ok, err)
			}
			mustOpen(t, s, p, got, value)
		}
	}
}

// A value that was sealed once must open after every upgrade. The clock of the
// test starts in the year 2000; the values were sealed then, for 400 days.
const (
	goldenHello = "AoYERhUAAADkdr9sANMhiI8UxLz0sUJVKsj_iPb3RHUh1NtOHAvgXf5vHJ2OZ6NsOJo43NwzuVqwSg"
	goldenEmpty = "AoYERhUAAADkdr9sAI1lWfiAEB3WqaSPjBTQxu88QmXWdiWiWzHTE-YOTyY5I_CCGAmYY84"

	// Version 1, which used XChaCha20-Poly1305.
	formerHello = "AYYERhUAAADkdr9sAKTDRTeJSURLzRUsYOCR_nkfxr-k-7CC4yVICcF-gSw9XS9oJxJEehtVLsJ0Iw"
	formerEmpty = "AYYERhUAAADkdr9sADTVPXHJXXbai0vzNZ0sH3ZU-9Ct5KlQRJP-7XzFlTqaeYL3C_Pv_2U"
)

func TestGoldenSealedValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { opensForItsTime(t, goldenHello, goldenEmpty) })
}

func TestSealedValuesOfVersion1Open(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if _, err := chacha20poly1305.NewX(newKey()); err != nil { // with GODEBUG=fips140=only
			mustNotOpen(t, newSealer(t, countingKey()), cookie.Session(), formerHello)
			return
		}
		opensForItsTime(t, formerHello, formerEmpty)
	})
}

// opensForItsTime checks one "hello" for the session cookie, and one empty value for
// the cookie "state".
func opensForItsTime(t *testing.T, hello, empty string) {
	s := newSealer(t, newKey(), countingKey())
	mustOpen(t, s, cookie.Session(), hello, "hello")
	mustOpen(t, s, cookie.New("state"), empty, "")
	mustNotOpen(t, s, cookie.New("state"), hello)
	time.Sleep(400*day - 1)
	mustOpen(t, s, cookie.Session(), hello, "hello")
	time.Sleep(time.Nanosecond)
	mustNotOpen(t, s, cookie.Session(), hello)
}

// A program under GODEBUG=fips140=only may use AES-GCM, but not ChaCha20.
func TestSealedValuesAreAESGCMWithADerivedKey(t *testing.T) {
	sealed := seal(t, newSealer(t, countingKey()), cookie.Session(), "hello")
	text, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		t.Fatal(err)
	}
	aead := valueAEAD(t, countingKey(), string(text[13:25]))
	additional := "authlatch/cookie sealed value\x00" + string(text[:13]) + cookie.Session().Name()
	if value, err := aead.Open(nil, nil, text[25:], []byte(additional)); err != nil || string(value) != "hello" {
		t.Errorf("%q, %v", value, err)
	}
}

func TestSealedLayout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sealed := seal(t, newSealer(t, countingKey()), cookie.Session(), "hello")
		text, err := base64.RawURLEncoding.DecodeString(sealed)
		if err != nil || len(text) != 1+4+8+12+12+5+16 {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		id := keyID(countingKey())
		expiry := time.UnixMilli(int64(binary.BigEndian.Uint64(text[5:])))
		if text[0] != 2 || !bytes.Equal(text[1:5], id[:]) || !expiry.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("%x", text)
		}
	})
}

// keyID is the derivation by which Open selects a key.
func keyID(key []byte) [4]byte {
	digest := sha256.Sum256([]byte("authlatch/cookie key ID\x00" + string(key)))
	return [4]byte(digest[:])
}

// ASVS 5.0, 11.2.3.
func TestNewSealerRefusesKeys(t *testing.T) {
	good, other := newKey(), newKey()
	a, b := collidingKeys()
	for _, test := range []struct {
		name string
		keys [][]byte
		ok   bool
	}{
		{"one key", [][]byte{good}, true},
		{"two keys", [][]byte{good, other}, true},
		{"one of a colliding pair", [][]byte{a, good}, true},
		{"no key", nil, false},
		{"nil", [][]byte{nil}, false},
		{"11.2.3 16 bytes", [][]byte{good[:16]}, false},
		{"11.2.3 31 bytes", [][]byte{good[:31]}, false},
		{"33 bytes", [][]byte{append(newKey(), 1)}, false},
		{"zeros", [][]byte{make([]byte, 32)}, false},
		{"equal bytes", [][]byte{bytes.Repeat([]byte{'k'}, 32)}, false},
		{"a bad key behind", [][]byte{good, make([]byte, 32)}, false},
		{"twice the same", [][]byte{good, other, bytes.Clone(good)}, false},
		{"the same ID", [][]byte{a, b}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := cookie.NewSealer(test.keys...)
			if (err == nil) != test.ok || (s != nil) != test.ok {
				t.Errorf("%v, %v", s, err)
			}
		})
	}
}

// collidingKeys finds two keys with one ID, which takes some 80,000 tries.
func collidingKeys() (a, b []byte) {
	seen := map[[4]byte][]byte{}
	for i := uint64(0); ; i++ {
		key := sha256.Sum256(binary.BigEndian.AppendUint64(nil, i))
		id := keyID(key[:])
		if earlier, found := seen[id]; found {
			return earlier, key[:]
		}
		seen[id] = key[:]
	}
}

func TestSealerCopiesKeys(t *testing.T) {
	key := newKey()
	s := newSealer(t, key)
	sealed := seal(t, s, cookie.Session(), "v")
	same := newSealer(t, bytes.Clone(key))
	clear(key)
	mustOpen(t, s, cookie.Session(), sealed, "v")
	mustOpen(t, same, cookie.Session(), seal(t, s, cookie.Session(), "w"), "w")
}

// ASVS 5.0, 16.2.5: for a verb that does not match, fmt follows one more
// pointer.
func TestNoVerbPrintsAKey(t *testing.T) {
	key := []byte("0123456789abcdefghijklmnopqrstuv")
	s, err := cookie.NewSealer(key)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ sealer *cookie.Sealer }
	type keeper struct{ sealer cookie.Sealer }
	for _, v := range []any{s, *s, &s, []*cookie.Sealer{s}, holder{s}, &holder{s}, keeper{*s}, &keeper{*s}, struct{ S *cookie.Sealer }{s}, struct{ S cookie.Sealer }{*s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			text := fmt.Sprintf(verb, v)
			for _, form := range []string{"%s", "%x", "%d", "%#v"} {
				if printed := strings.Trim(fmt.Sprintf(form, key[:8]), "[]"); strings.Contains(text, strings.TrimSuffix(printed, "}")) {
					t.Errorf("%T by %s: %s", v, verb, text)
				}
			}
		}
	}
}

func TestZeroSealer(t *testing.T) {
	var s cookie.Sealer
	if sealed, err := s.Seal(cookie.Session(), []byte("v"), time.Hour); err == nil || sealed != "" {
		t.Errorf("Seal = %q, %v", sealed, err)
	}
	mustNotOpen(t, &s, cookie.Session(), seal(t, newSealer(t, newKey()), cookie.Session(), "v"))
}

func TestSealerReturnsThePolicysError(t *testing.T) {
	s := newSealer(t, newKey())
	bad := cookie.New("a b")
	if sealed, err := s.Seal(bad, []byte("v"), time.Hour); err != bad.Err() || sealed != "" {
		t.Errorf("Seal = %q, %v", sealed, err)
	}
	if value, err := s.Open(bad, seal(t, s, cookie.Session(), "v")); err != bad.Err() || value != nil {
		t.Errorf("Open = %q, %v", value, err)
	}
}

func TestSealedValueExpires(t *testing.T) {
	for _, ttl := range []time.Duration{time.Second, 1500 * time.Millisecond, time.Hour, 400 * day} {
		synctest.Test(t, func(t *testing.T) {
			s := newSealer(t, newKey())
			sealed, err := s.Seal(cookie.Session(), []byte("v"), ttl)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(ttl - 1)
			mustOpen(t, s, cookie.Session(), sealed, "v")
			time.Sleep(time.Nanosecond)
			mustNotOpen(t, s, cookie.Session(), sealed)
			time.Sleep(1000 * day)
			mustNotOpen(t, s, cookie.Session(), sealed)
		})
	}
}

// ASVS 5.0, 1.4.2.
func TestNothingIsSealedForEver(t *testing.T) {
	s := newSealer(t, newKey())
	for _, ttl := range []time.Duration{-1 << 63, -time.Hour, 0, 1, time.Second - 1, 400*day + 1, 1<<63 - 1} {
		if sealed, err := s.Seal(cookie.Session(), []byte("v"), ttl); err == nil || sealed != "" {
			t.Errorf("%v: Seal = %q, %v", ttl, sealed, err)
		}
	}
}

// ASVS 5.0, 3.3.5 and 4.2.5: Set accepts what Seal returns, and Seal rejects
// what Set would reject.
func TestSealRefusesWhatCannotBeSet(t *testing.T) {
	s := newSealer(t, newKey())
	for _, p := range []cookie.Policy{cookie.Session(), cookie.New("id").InsecureAnywhere(), cookie.New(strings.Repeat("n", 4000))} {
		longest := -1
		for size := range 4200 {
			sealed, err := s.Seal(p, make([]byte, size), time.Hour)
			if err != nil {
				if sealed != "" || size == longest {
					t.Errorf("%d bytes: %q", size, sealed)
				}
				break
			}
			longest = size
			if err := p.Set(http.Header{}, nil, sealed); err != nil {
				t.Fatalf("%d bytes sealed: %v", size, err)
			}
		}
		room := 4093 - len(p.Name())
		if want := room*3/4 - 53; longest != max(want, -1) {
			t.Errorf("%.20s: the longest value has %d bytes, want %d", p.Name(), longest, want)
		}
		if sealed, err := s.Seal(p, make([]byte, 1<<20), time.Hour); err == nil || sealed != "" {
			t.Error("sealed a mebibyte")
		}
	}
}

// ASVS 5.0, 11.2.2 and 13.3.4: the key replacement that NewSealer documents.
// During each step, two hosts of which only one has made it can read the values
// of each other.
func TestKeyRotation(t *testing.T) {
	p := cookie.Session()
	oldKey, newerKey := newKey(), newKey()
	steps := []*cookie.Sealer{
		newSealer(t, oldKey),
		newSealer(t, oldKey, newerKey),
		newSealer(t, newerKey, oldKey),
		newSealer(t, newerKey),
	}
	for i, from := range steps {
		sealed := seal(t, from, p, "v")
		mustOpen(t, steps[max(i-1, 0)], p, sealed, "v")
		mustOpen(t, from, p, sealed, "v")
		mustOpen(t, steps[min(i+1, 2)], p, sealed, "v")
	}
	// Removing the old key too early loses the values of earlier steps.
	mustNotOpen(t, steps[3], p, seal(t, steps[0], p, "v"))
	mustNotOpen(t, steps[3], p, seal(t, steps[1], p, "v"))
	mustNotOpen(t, steps[0], p, seal(t, steps[2], p, "v"))
}

// ASVS 5.0, 11.3.4: each sealed text has a salt and a nonce of its own.
func TestNoncesDiffer(t *testing.T) {
	s := newSealer(t, newKey())
	seen := map[string]bool{}
	for range 1000 {
		text, _ := base64.RawURLEncoding.DecodeString(seal(t, s, cookie.Session(), "v"))
		for _, random := range []string{string(text[13:25]), string(text[25:37])} {
			if seen[random] || random == strings.Repeat("\x00", 12) {
				t.Fatal("two salts or nonces are equal")
			}
			seen[random] = true
		}
	}
}

func TestSealerIsSafeForConcurrentUse(t *testing.T) {
	s := newSealer(t, newKey(), newKey())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				value := fmt.Sprint(i, j)
				mustOpen(t, s, cookie.Session(), seal(t, s, cookie.Session(), value), value)
			}
		})
	}
	wg.Wait()
}
