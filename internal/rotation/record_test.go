package rotation

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

// goldenFamily has every field.
func goldenFamily() *Family {
	sum := sha256.Sum256([]byte("attempt"))
	return &Family{
		Salt:       [16]byte([]byte("0123456789abcdef")),
		Generation: 300,
		Created:    1767225600000, // 2026-01-01
		Rotated:    1767229200000,
		Recovered:  1767229300000,
		Presented:  1767229305000,
		AuthTime:   1767225000000,
		Idle:       1767240000000,
		Expires:    1767268800000,
		Attempt:    string(sum[:]),
		KeyID:      "secret-1",
		Subject:    "alice",
		Scopes:     "read write",
		Methods:    "pwd otp",
		Claims:     `{"org":"acme"}`,
		Actor:      "support-7",
		ActorLogin: string(sum[:]),
		Requested:  1769817600000,
		Remembered: true,
		Login:      Device{"Firefox", "192.0.2.1"},
		Last:       Device{"Firefox on another day", "192.0.2.2"},
	}
}

// An upgrade must not end all logins: every format that was written stays readable.
// Each file was written by the first version of its format.
func TestFamilyRecordIsGolden(t *testing.T) {
	plain := goldenFamily()
	plain.Actor, plain.ActorLogin, plain.Requested, plain.Remembered = "", "", 0, false
	first := *plain
	first.Recovered, first.Presented = 0, 0
	for name, want := range map[string]*Family{
		"testdata/family-0x20.bin": &first,
		"testdata/family-0x21.bin": plain,
		"testdata/family-0x22.bin": goldenFamily(),
	} {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if *f != *want {
			t.Errorf("%s is read as %+v", name, f)
		}
		if raw[0] == firstFormat {
			continue
		}
		written := f.Encode()
		copy(written[1:record.Header], raw[1:record.Header]) // the writeID is another each time
		if !bytes.Equal(written, raw) {
			t.Errorf("%s is written as %x", name, written)
		}
	}
}

func TestFamilyIsReadAsItWasWritten(t *testing.T) {
	now := time.Now().UnixMilli()
	for rule, f := range map[string]*Family{
		"every field":           goldenFamily(),
		"an actor alone":        {Created: now, Rotated: now, AuthTime: now, Idle: now, Expires: now, Subject: "a", Actor: "b"},
		"a request alone":       {Created: now, Rotated: now, AuthTime: now, Idle: now, Expires: now, Subject: "a", Requested: now + 1},
		"remembered alone":      {Created: now, Rotated: now, AuthTime: now, Idle: now, Expires: now, Subject: "a", Remembered: true},
		"the minimum":           {Created: now, Rotated: now, AuthTime: now, Idle: now, Expires: now, Subject: "a"},
		"authenticated in 1970": {Created: now, Rotated: now, AuthTime: 0, Idle: now, Expires: now, Subject: "a"},
		"created in 1970":       {Subject: "a"},
		"the maximum":           {Created: now, Rotated: now, AuthTime: now, Idle: now + 400*86_400_000, Expires: now + 400*86_400_000, Generation: maxGeneration, Subject: "a"},
	} {
		got, err := Parse(f.Encode())
		if err != nil || *got != *f {
			t.Errorf("%s: %+v %v", rule, got, err)
		}
		if bytes.Equal(f.Encode(), f.Encode()) {
			t.Errorf("%s: two writes are of the same bytes", rule)
		}
	}
}

// Bytes that no version wrote are corrupt, and a record of a later version is newer.
// Both are faults of the server, not of the client.
func TestFamiliesThatMakeNoSenseAreRefused(t *testing.T) {
	good := goldenFamily().Encode()
	change := func(f func(b []byte) []byte) []byte { return f(bytes.Clone(good)) }
	without := func(f func(*Family)) []byte {
		all := goldenFamily()
		f(all)
		return all.Encode()
	}
	for rule, c := range map[string]struct {
		raw  []byte
		want error
	}{
		"nothing":                     {nil, ErrCorrupt},
		"no bytes":                    {[]byte{}, ErrCorrupt},
		"the format alone":            {[]byte{format}, ErrCorrupt},
		"a session":                   {change(func(b []byte) []byte { b[0] = 0x10; return b }), ErrCorrupt},
		"the previous format":         {change(func(b []byte) []byte { b[0] = firstFormat - 1; return b }), ErrCorrupt},
		"the next format":             {change(func(b []byte) []byte { b[0] = format + 1; return b }), ErrNewer},
		"the last format":             {change(func(b []byte) []byte { b[0] = lastFormat; return b }), ErrNewer},
		"the next format, short":      {[]byte{format + 1}, ErrNewer},
		"the format after the last":   {change(func(b []byte) []byte { b[0] = lastFormat + 1; return b }), ErrCorrupt},
		"a tombstone":                 {logins.NewTombstone(logins.Family, logins.Revoked), ErrCorrupt},
		"a byte more":                 {append(bytes.Clone(good), 0), ErrCorrupt},
		"no subject":                  {without(func(f *Family) { f.Subject = "" }), ErrCorrupt},
		"a flag of no version":        {change(func(b []byte) []byte { b[record.Header+16] |= 0x80; return b }), ErrCorrupt},
		"format 0x22 without a flag":  {change(func(b []byte) []byte { b[record.Header+16] = 0; return b }), ErrCorrupt},
		"half a digest of a login":    {without(func(f *Family) { f.ActorLogin = f.ActorLogin[:16] }), ErrCorrupt},
		"half a digest of a key":      {without(func(f *Family) { f.Attempt = f.Attempt[:16] }), ErrCorrupt},
		"rotated before its creation": {without(func(f *Family) { f.Rotated = f.Created - 1 }), ErrCorrupt},
		"ends before its creation":    {without(func(f *Family) { f.Idle = f.Created - 1 }), ErrCorrupt},
		"a number of 70 bits": {append(bytes.Clone(good[:record.Header+17]),
			bytes.Repeat([]byte{0xff}, 20)...), ErrCorrupt},
		"a text longer than all": {append(bytes.Clone(good[:record.Header+17]),
			append(make([]byte, 8), binary.AppendUvarint(nil, 1<<50)...)...), ErrCorrupt},
	} {
		if len(c.raw) >= record.Header {
			record.Seal(c.raw, nil) // so that nothing is refused for its checksum alone
		}
		if f, err := Parse(c.raw); err != c.want || f != nil {
			t.Errorf("%s: %v", rule, err)
		}
	}
	for n := range good {
		if f, err := Parse(good[:n]); !errors.Is(err, ErrCorrupt) || f != nil {
			t.Errorf("its first %d bytes: %v", n, err)
		}
		if n < record.Header {
			continue
		}
		// The checksum of a cut record can be right: it is not a MAC.
		if f, err := Parse(record.Seal(bytes.Clone(good[:n]), nil)); !errors.Is(err, ErrCorrupt) || f != nil {
			t.Errorf("its first %d bytes with their checksum: %v", n, err)
		}
	}
}

// No change of a byte makes a panic, nor a family that lives for ever.
func TestChangedFamiliesAreHarmless(t *testing.T) {
	raw := goldenFamily().Encode()
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
	f, err := Parse(raw)
	Living(raw, time.Now())
	if (f == nil) != (err != nil) {
		t.Fatalf("%x: a family beside %v", raw, err)
	}
	if err != nil {
		return
	}
	if f.Subject == "" {
		t.Fatalf("%x: a family without a subject", raw)
	}
	now := time.Now()
	for _, generation := range []uint64{0, 1, maxGeneration} {
		next := f.After(f.Judge(generation, "", now, time.Second), generation, "", now, time.Hour, Device{})
		if next.Ends().After(time.UnixMilli(f.Expires)) {
			t.Fatalf("%x: it outlives its end", raw)
		}
	}
	if again, err := Parse(f.Encode()); err != nil || *again != *f {
		t.Fatalf("%x: it is written as another: %v", raw, err)
	}
}

// ASVS 5.0, 1.5.2.
func FuzzFamily(f *testing.F) {
	f.Add(goldenFamily().Encode())
	f.Add((&Family{Subject: "a", Actor: "b"}).Encode())
	f.Add((&Family{Subject: "a"}).Encode())
	f.Add(logins.NewTombstone(logins.Family, logins.Reused))
	f.Add([]byte{lastFormat})
	f.Fuzz(func(t *testing.T, raw []byte) { harmless(t, raw) })
}

// The names of two families, or of two namespaces, never meet.
func TestFamiliesOfTwoNamespacesAreApart(t *testing.T) {
	seen := make(map[logins.Digest]string)
	for _, pair := range [][2]string{{"", "abc"}, {"a", "bc"}, {"ab", "c"}, {"abc", ""}, {"", ""}, {"\x01a", "bc"}} {
		digest := Digest(pair[0], pair[1])
		if other, ok := seen[digest]; ok {
			t.Errorf("%q and %q have one digest", pair, other)
		}
		seen[digest] = pair[0] + "|" + pair[1]
	}
}
