package cookie_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/cookie"
	"golang.org/x/crypto/chacha20poly1305"
)

// mustNotOpen asserts that all failures are the same (ASVS 5.0, 11.2.5):
// exactly ErrOpen, not wrapped, and no value.
func mustNotOpen(t testing.TB, s *cookie.Sealer, p cookie.Policy, sealed string) {
	t.Helper()
	if value, err := s.Open(p, sealed); err != cookie.ErrOpen || value != nil {
		t.Errorf("Open(%.100q) = %q, %v", sealed, value, err)
	}
}

// ASVS 5.0, 11.2.5 and 11.3.3: changing any bit of the text or of the decoded
// bytes is detected, and all failures are the same.
func TestFlippedBitsDoNotOpen(t *testing.T) {
	s := newSealer(t, newKey(), newKey())
	// Lengths with 0, 4 and 2 spare bits in the last character.
	for _, value := range []string{"v", "va", "val", ""} {
		sealed := seal(t, s, cookie.Session(), value)
		for i := range len(sealed) {
			for bit := range 8 {
				flipped := []byte(sealed)
				flipped[i] ^= 1 << bit
				mustNotOpen(t, s, cookie.Session(), string(flipped))
			}
		}
		text, _ := base64.RawURLEncoding.DecodeString(sealed)
		for i := range text {
			for bit := range 8 {
				text[i] ^= 1 << bit
				mustNotOpen(t, s, cookie.Session(), base64.RawURLEncoding.EncodeToString(text))
				text[i] ^= 1 << bit
			}
		}
		mustOpen(t, s, cookie.Session(), base64.RawURLEncoding.EncodeToString(text), value)
	}
}

// ASVS 5.0, 1.1.1, 11.2.5 and 11.3.2: a value has one form, and cannot select
// how it is opened.
func TestOtherFormsDoNotOpen(t *testing.T) {
	s := newSealer(t, newKey())
	p := cookie.Session()
	sealed := seal(t, s, p, "v")
	for i := range sealed {
		mustNotOpen(t, s, p, sealed[:i]) // truncated
		mustNotOpen(t, s, p, sealed[i+1:])
		for _, c := range []string{"\n", "\r", " ", "=", "A", "+", "\x00"} { // 1.1.1
			mustNotOpen(t, s, p, sealed[:i]+c+sealed[i:])
		}
	}
	text, _ := base64.RawURLEncoding.DecodeString(sealed)
	for _, form := range []string{
		sealed + "\n", sealed + "=", sealed + "A", sealed + "AAAA", sealed + sealed, sealed + "." + sealed,
		base64.URLEncoding.EncodeToString(text) + "=", base64.StdEncoding.EncodeToString(append(text, 0xff)),
		`"` + sealed + `"`, strings.Repeat("A", 4000), strings.Repeat("A", 1<<20), "",
	} {
		mustNotOpen(t, s, p, form)
	}
	for version := range 256 {
		if text[0] = byte(version); version != 2 {
			mustNotOpen(t, s, p, base64.RawURLEncoding.EncodeToString(text))
		}
	}
}

// A text that is too long is rejected before it is decoded.
func TestOpenRefusesLongTextsFirst(t *testing.T) {
	s := newSealer(t, newKey())
	p := cookie.Session()
	long := strings.Repeat("A", 1<<20)
	if n := testing.AllocsPerRun(10, func() { s.Open(p, long) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A later version may use the same bytes differently, so it is rejected even
// with a valid tag. A version cannot be chosen for the bytes of another (ASVS 5.0,
// 11.3.2).
func TestOtherVersionsDoNotOpen(t *testing.T) {
	s := newSealer(t, countingKey())
	p := cookie.Session()
	for version := range 256 {
		derived, xchacha := sealByHand(t, byte(version), p)
		if version == 2 {
			mustOpen(t, s, p, derived, "v")
		} else {
			mustNotOpen(t, s, p, derived)
		}
		if xchacha == "" {
			continue
		}
		if version == 1 {
			mustOpen(t, s, p, xchacha, "v")
		} else {
			mustNotOpen(t, s, p, xchacha)
		}
	}
}

// sealByHand seals "v" with countingKey as versions 2 and 1 do, under any version. The
// second text is empty where FIPS 140-3 forbids XChaCha20.
func sealByHand(t *testing.T, version byte, p cookie.Policy) (derived, xchacha string) {
	t.Helper()
	id := keyID(countingKey())
	header := append([]byte{version}, id[:]...)
	header = binary.BigEndian.AppendUint64(header, uint64(time.Now().Add(time.Hour).UnixMilli()))
	data := []byte("authlatch/cookie sealed value\x00" + string(header) + p.Name())

	salt := "twelve bytes"
	sealed := valueAEAD(t, countingKey(), salt).Seal([]byte(string(header)+salt), nil, []byte("v"), data)
	derived = base64.RawURLEncoding.EncodeToString(sealed)

	if aead, err := chacha20poly1305.NewX(countingKey()); err == nil {
		nonce := []byte("twenty-four bytes, no IV")
		sealed := aead.Seal([]byte(string(header)+string(nonce)), nonce, []byte("v"), data)
		xchacha = base64.RawURLEncoding.EncodeToString(sealed)
	}
	return derived, xchacha
}

// valueAEAD derives the key of one value, by the documented layout and FIPS 140-3.
func valueAEAD(t *testing.T, key []byte, salt string) cipher.AEAD {
	t.Helper()
	derived, err := hkdf.Expand(sha256.New, key, "authlatch/cookie value key\x00"+salt, 32)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}

func TestSealedForAnotherCookieDoesNotOpen(t *testing.T) {
	s := newSealer(t, newKey())
	policies := []cookie.Policy{
		cookie.New("state"), cookie.New("state2"), cookie.New("stat"), cookie.New("State"),
		cookie.New("state").ReadableByScripts(), cookie.New("state").Path("/a"), cookie.New("state").InsecureAnywhere(),
	}
	for i, from := range policies {
		sealed := seal(t, s, from, "v")
		for j, to := range policies {
			if i == j {
				mustOpen(t, s, to, sealed, "v")
			} else {
				mustNotOpen(t, s, to, sealed)
			}
		}
	}
	// Values are bound to the name only: a loosening that keeps the name keeps
	// them readable.
	mustOpen(t, s, cookie.New("state").SameSiteLax().MaxAge(time.Hour), seal(t, s, cookie.New("state"), "v"), "v")
}

// FuzzOpen checks that only the golden values open, each for its own cookie.
// The clock starts in the year 2000, so they have not expired.
func FuzzOpen(f *testing.F) {
	f.Add(goldenHello)
	f.Add(goldenEmpty)
	f.Add(formerHello)
	f.Add(formerEmpty)
	f.Add(goldenHello + "\n")
	f.Add(goldenHello + goldenEmpty)
	f.Add(goldenHello[:60] + goldenEmpty[60:])
	f.Add(strings.Replace(goldenHello, "-", "+", 1))
	f.Add("")
	s := newSealer(f, countingKey())
	sealedFor := map[string]string{
		cookie.Session().Name():    goldenHello,
		cookie.New("state").Name(): goldenEmpty,
	}
	formerFor := map[string]string{
		cookie.Session().Name():    formerHello,
		cookie.New("state").Name(): formerEmpty,
	}
	f.Fuzz(func(t *testing.T, sealed string) {
		synctest.Test(t, func(t *testing.T) {
			for _, p := range []cookie.Policy{cookie.Session(), cookie.New("state"), cookie.Refresh()} {
				value, err := s.Open(p, sealed)
				if sealed == formerFor[p.Name()] && sealed != "" {
					continue // TestSealedValuesOfVersion1Open
				}
				if golden, found := sealedFor[p.Name()]; found && sealed == golden {
					if err != nil {
						t.Errorf("%s: golden value: %v", p.Name(), err)
					}
				} else if err != cookie.ErrOpen || value != nil {
					t.Errorf("%s: Open(%q) = %q, %v", p.Name(), sealed, value, err)
				}
			}
		})
	})
}
