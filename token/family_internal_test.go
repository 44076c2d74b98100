package token

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/logins"
)

// goldenFamily has every field.
func goldenFamily() *family {
	sum := sha256.Sum256([]byte("attempt"))
	return &family{
		salt:       [16]byte([]byte("0123456789abcdef")),
		generation: 300,
		created:    1767225600000, // 2026-01-01
		rotated:    1767229200000,
		recovered:  1767229300000,
		presented:  1767229305000,
		authTime:   1767225000000,
		idle:       1767240000000,
		expires:    1767268800000,
		attempt:    string(sum[:]),
		keyID:      "secret-1",
		subject:    "alice",
		scopes:     "read write",
		methods:    "pwd otp",
		claims:     `{"org":"acme"}`,
		login:      device{"Firefox", "192.0.2.1"},
		last:       device{"Firefox on another day", "192.0.2.2"},
	}
}

// An upgrade must not log everybody out: what was written once stays readable.
// Each file was written by the first version of its format.
func TestFamilyRecordIsGolden(t *testing.T) {
	first := goldenFamily()
	first.recovered, first.presented = 0, 0
	for name, want := range map[string]*family{
		"testdata/family-0x20.bin": first,
		"testdata/family-0x21.bin": goldenFamily(),
	} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parseFamily(raw)
		if err != nil {
			t.Fatal(err)
		}
		if *f != *want {
			t.Errorf("%s is read as %+v", name, f)
		}
		if raw[0] != familyFormat {
			continue
		}
		written := f.encode()
		copy(written[1:familyCheck+4], raw[1:familyCheck+4]) // the writeID is another each time
		if !bytes.Equal(written, raw) {
			t.Errorf("%s is written as %x", name, written)
		}
	}
}

func TestFamilyIsReadAsItWasWritten(t *testing.T) {
	now := time.Now().UnixMilli()
	for rule, f := range map[string]*family{
		"every field":     goldenFamily(),
		"the least":       {created: now, rotated: now, authTime: now, idle: now, expires: now, subject: "a"},
		"from before all": {created: now, rotated: now, authTime: 0, idle: now, expires: now, subject: "a"},
		"no epoch":        {subject: "a"},
		"the last":        {created: now, rotated: now, authTime: now, idle: now + 400*86_400_000, expires: now + 400*86_400_000, generation: maxGeneration, subject: "a"},
	} {
		got, err := parseFamily(f.encode())
		if err != nil || *got != *f {
			t.Errorf("%s: %+v %v", rule, got, err)
		}
		if bytes.Equal(f.encode(), f.encode()) {
			t.Errorf("%s: two writes are of the same bytes", rule)
		}
	}
}

// What no version wrote is corrupt, and what a later one wrote is newer; both
// are faults of ours, and no word on the client.
func TestFamiliesThatMakeNoSenseAreRefused(t *testing.T) {
	good := goldenFamily().encode()
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	without := func(f func(*family)) []byte {
		all := goldenFamily()
		f(all)
		return all.encode()
	}
	for rule, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":                   {nil, errCorruptFamily},
		"no bytes":                  {[]byte{}, errCorruptFamily},
		"the format alone":          {[]byte{familyFormat}, errCorruptFamily},
		"a session":                 {change(func(b []byte) []byte { b[0] = 0x10; return b }), errCorruptFamily},
		"the format before":         {change(func(b []byte) []byte { b[0] = familyFormat0 - 1; return b }), errCorruptFamily},
		"the next format":           {change(func(b []byte) []byte { b[0] = familyFormat + 1; return b }), errNewerFamily},
		"the last format":           {change(func(b []byte) []byte { b[0] = lastFamilyFormat; return b }), errNewerFamily},
		"the next format, short":    {[]byte{familyFormat + 1}, errNewerFamily},
		"the format after the last": {change(func(b []byte) []byte { b[0] = lastFamilyFormat + 1; return b }), errCorruptFamily},
		"a tombstone":               {logins.NewTombstone(logins.Family, logins.Revoked), errCorruptFamily},
		"a byte more":               {append(bytes.Clone(good), 0), errCorruptFamily},
		"no subject":                {without(func(f *family) { f.subject = "" }), errCorruptFamily},
		"half an attempt":           {without(func(f *family) { f.attempt = f.attempt[:16] }), errCorruptFamily},
		"rotated before its making": {without(func(f *family) { f.rotated = f.created - 1 }), errCorruptFamily},
		"ends before its making":    {without(func(f *family) { f.idle = f.created - 1 }), errCorruptFamily},
		"a number of 70 bits": {append(bytes.Clone(good[:familyHeader]),
			bytes.Repeat([]byte{0xff}, 20)...), errCorruptFamily},
		"a text longer than all": {append(bytes.Clone(good[:familyHeader]),
			append(make([]byte, 8), binary.AppendUvarint(nil, 1<<50)...)...), errCorruptFamily},
	} {
		if f, err := parseFamily(c.raw); err != c.want || f != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for n := range good {
		if f, err := parseFamily(good[:n]); !errors.Is(err, errCorruptFamily) || f != nil {
			t.Errorf("its first %d bytes: %v", n, err)
		}
	}
}

// No change of a byte makes a panic, nor a family that lives for ever.
func TestChangedFamiliesAreHarmless(t *testing.T) {
	raw := goldenFamily().encode()
	for at, was := range raw {
		for b := range 256 {
			raw[at] = byte(b)
			harmless(t, raw)
		}
		raw[at] = was
	}
}

// harmless reads a record, and does with it what a refresh does.
func harmless(t *testing.T, raw []byte) {
	t.Helper()
	f, err := parseFamily(raw)
	liveFamily(raw, time.Now())
	if (f == nil) != (err != nil) {
		t.Fatalf("%x: a family beside %v", raw, err)
	}
	if err != nil {
		return
	}
	if f.subject == "" {
		t.Fatalf("%x: nobody's family", raw)
	}
	now := time.Now()
	for _, generation := range []uint64{0, 1, maxGeneration} {
		next := f.after(f.judge(generation, "", now, time.Second), generation, "", now, time.Hour, device{})
		if next.ends().After(time.UnixMilli(f.expires)) {
			t.Fatalf("%x: it lives longer than it lasts", raw)
		}
	}
	if again, err := parseFamily(f.encode()); err != nil || *again != *f {
		t.Fatalf("%x: it is written as another: %v", raw, err)
	}
}

// ASVS 5.0, 1.5.2.
func FuzzFamily(f *testing.F) {
	f.Add(goldenFamily().encode())
	f.Add((&family{subject: "a"}).encode())
	f.Add(logins.NewTombstone(logins.Family, logins.Reused))
	f.Add([]byte{lastFamilyFormat})
	f.Fuzz(func(t *testing.T, raw []byte) { harmless(t, raw) })
}

// The names of two families, or of two namespaces, never meet.
func TestFamiliesOfTwoNamespacesAreApart(t *testing.T) {
	seen := make(map[logins.Digest]string)
	for _, pair := range [][2]string{{"", "abc"}, {"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", ""}, {"\x01a", "bc"}} {
		digest := familyDigest(pair[0], pair[1])
		if other, ok := seen[digest]; ok {
			t.Errorf("%q and %q have one digest", pair, other)
		}
		seen[digest] = pair[0] + "|" + pair[1]
	}
}
