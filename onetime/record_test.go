package onetime

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"flag"
	"os"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/store"
)

var update = flag.Bool("update", false, "write the golden files")

// The token of 32 bytes from 0 to 31, for "reset" in "shop", bound to "cookie".
var goldenToken = func() (secret []byte) {
	for i := range byte(tokenSize) {
		secret = append(secret, i)
	}
	return secret
}()

const goldenKey = "1uNc_VL1Zh6Hnh0D3iplEmqoBAIUFQfL69ZOebaF9CY"

func golden() *Tokens { return &Tokens{namespace: "shop"} }

// An upgrade must not invalidate links that have been sent.
func TestKeyStaysTheSame(t *testing.T) {
	if got := golden().digest("reset", goldenToken, []string{"cookie"}).Key(); got != goldenKey {
		t.Errorf("the key is %s", got)
	}
}

func TestRecordsOfFormat30StayReadable(t *testing.T) {
	d := golden().digest("reset", goldenToken, []string{"cookie"})
	expires := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	for file, want := range map[string]ticket{
		"testdata/live-0x30.bin": {expires: expires, payload: "alice"},
		"testdata/used-0x30.bin": {expires: expires, used: true},
	} {
		if *update {
			raw := want.encode(d)
			copy(raw[1:], "writeID8")
			record.Seal(raw, d[:])
			if err := os.WriteFile(file, raw, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(raw, d)
		if err != nil || got.used != want.used || got.payload != want.payload || !got.expires.Equal(want.expires) {
			t.Errorf("%s: %+v, %v", file, got, err)
		}
		now := got.encode(d)
		if len(now) != len(raw) || now[0] != raw[0] || !bytes.Equal(now[usedAt:], raw[usedAt:]) {
			t.Errorf("written today:\n%x\n%x", now, raw)
		}
		if bytes.Equal(now, got.encode(d)) {
			t.Error("two writes have the same bytes")
		}
	}
}

// A record that is damaged, newer or another token's is a fault and is not redeemed.
func TestRecordsThatMakeNoSense(t *testing.T) {
	secret := goldenToken
	token := base64.RawURLEncoding.EncodeToString(secret)
	live := func(d record.Digest) []byte {
		return ticket{expires: time.Now().Add(time.Hour), payload: "alice"}.encode(d)
	}
	for name, make := range map[string]func(d record.Digest) []byte{
		"every byte of the format": nil,
		"cut off":                  func(d record.Digest) []byte { return live(d)[:payloadAt-1] },
		"one byte":                 func(d record.Digest) []byte { return []byte{formats.Current} },
		"another token's":          func(record.Digest) []byte { return live(record.Digest{1}) },
		"used is 2":                func(d record.Digest) []byte { raw := live(d); raw[usedAt] = 2; return sum(raw, d) },
		"a session":                func(d record.Digest) []byte { raw := live(d); raw[0] = 0x10; return sum(raw, d) },
		"a newer one":              func(d record.Digest) []byte { raw := live(d); raw[0] = 0x31; return sum(raw, d) },
	} {
		s := &store.Memory{}
		tokens := &Tokens{store: s}
		d := tokens.digest("reset", secret, nil)
		var raws [][]byte
		if make != nil {
			raws = append(raws, make(d))
		} else {
			for i := range live(d) {
				raw := live(d)
				raw[i] ^= 0x01
				raws = append(raws, raw)
			}
		}
		for _, raw := range raws {
			s.Delete(t.Context(), d.Key())
			if ok, err := s.CompareAndSwap(t.Context(), d.Key(), nil, raw, time.Hour); !ok || err != nil {
				t.Fatal(ok, err)
			}
			got, err := tokens.Redeem(t.Context(), "reset", token)
			if err == nil || got != "" || errors.Is(err, ErrUsed) || errors.Is(err, ErrUnknown) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
			if newer := raw[0] == 0x31; newer != errors.Is(err, errNewer) {
				t.Errorf("%s: %v", name, err)
			}
			if now, _, _ := s.Get(context.Background(), d.Key()); !bytes.Equal(now, raw) {
				t.Errorf("%s: it was written", name)
			}
		}
	}
}

func sum(raw []byte, d record.Digest) []byte {
	record.Seal(raw, d[:])
	return raw
}

// For any stored bytes: no panic, and a record that is accepted encodes to itself.
func FuzzDecode(f *testing.F) {
	d := record.Digest{1, 2, 3}
	f.Add([]byte(nil), false)
	f.Add(ticket{expires: time.UnixMilli(1), payload: "alice"}.encode(d), false)
	f.Add(ticket{expires: time.UnixMilli(1), used: true}.encode(d), true)
	f.Fuzz(func(t *testing.T, raw []byte, repair bool) {
		if repair && len(raw) >= payloadAt {
			raw = sum(bytes.Clone(raw), d)
		}
		r, err := decode(raw, d)
		if err != nil {
			if r != (ticket{}) {
				t.Errorf("%+v beside %v", r, err)
			}
			return
		}
		if again := r.encode(d); !bytes.Equal(again[usedAt:], raw[usedAt:]) {
			t.Errorf("%x became %x", raw, again)
		}
	})
}
