package sessionrecord

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/clocks"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

func sample() Record {
	now := time.Now().UnixMilli()
	return Record{
		Flags: Remembered, Created: now, Used: now + 1000, AuthTime: now - 1000, Expires: now + 5000,
		Requested: now + 7000, Actor: "support-7", ActorLogin: string(make([]byte, 32)), Moved: clocks.Moved{Created: 8000, Used: 9000},
		Subject: "alice", Scopes: "read", Methods: "pwd", UserAgent: "Firefox", Address: "192.0.2.1", Claims: `{"a":1}`, Values: "values",
	}
}

func TestEveryFieldOfARecordComesBack(t *testing.T) {
	d := logins.Digest{1}
	for rule, change := range map[string]func(*Record){
		"every field":           func(*Record) {},
		"no request":            func(r *Record) { r.Requested = 0 },
		"no login of the actor": func(r *Record) { r.ActorLogin = "" },
		"no actor":              func(r *Record) { r.Actor, r.ActorLogin = "", "" },
		"not moved":             func(r *Record) { r.Moved = clocks.Moved{} },
		"none of these":         func(r *Record) { r.Requested, r.Actor, r.ActorLogin, r.Moved = 0, "", "", clocks.Moved{} },
	} {
		want, got := sample(), sample() // whose fields are all overwritten
		change(&want)
		if _, err := got.Decode(&d, want.Encode(&d)); err != nil || got != want {
			t.Errorf("%s: %+v, %v", rule, got, err)
		}
	}
}

// A record without an actor and a request is of the first format, which older versions
// of the program read.
func TestARecordTakesNoMoreBytesThanItsFieldsNeed(t *testing.T) {
	d, r := logins.Digest{1}, sample()
	r.Moved = clocks.Moved{}
	all := len(r.Encode(&d))
	r.Requested = 0
	withActor := len(r.Encode(&d))
	r.Actor, r.ActorLogin = "", ""
	plain := r.Encode(&d)
	if plain[0] != oldFormat || all-withActor != 2 || withActor-len(plain) != 1+9+1+32 {
		t.Errorf("format %#x, %d, %d and %d bytes", plain[0], all, withActor, len(plain))
	}
}

// Parts that Encode never writes are corrupt, so that a record has one form.
func TestOptionalPartsHaveOneForm(t *testing.T) {
	d := logins.Digest{1}
	for rule, change := range map[string]func(*Record){
		"half a digest":        func(r *Record) { r.ActorLogin = r.ActorLogin[:16] },
		"no actor":             func(r *Record) { r.Flags, r.Actor, r.Requested = r.Flags|hasActor, "", 0 },
		"no request":           func(r *Record) { r.Flags, r.Requested = r.Flags|hasRequested, r.Created },
		"a flag of no version": func(r *Record) { r.Flags |= 1 << 4 },
		"not moved":            func(r *Record) { r.Flags, r.Moved = r.Flags|hasMoved, clocks.Moved{} },
	} {
		r := sample()
		change(&r)
		raw := r.Encode(&d)
		if _, live, err := Describe(d, raw); live || err != ErrCorrupt {
			t.Errorf("%s: %v, %v", rule, live, err)
		}
	}
	r := sample()
	raw := r.Encode(&d)
	raw[0] = oldFormat
	if _, live, err := Describe(d, record.Seal(raw, d[:])); live || err != ErrCorrupt {
		t.Errorf("an actor in format %#x: %v, %v", oldFormat, live, err)
	}
}

// A record with any damaged byte, or under another digest, is not readable.
func TestADamagedRecordIsCorrupt(t *testing.T) {
	d, r := logins.Digest{1}, sample()
	raw := r.Encode(&d)
	for at := range raw {
		bad := bytes.Clone(raw)
		bad[at] ^= 0x01
		want := ErrCorrupt
		if at == 0 {
			bad[0], want = Format+1, ErrNewer
		}
		for _, b := range [][]byte{bad, raw[:at]} {
			if _, live, err := Describe(d, b); live || err != want && (err != ErrCorrupt || len(b) != at) {
				t.Errorf("byte %d of %d: %v, %v", at, len(b), live, err)
			}
		}
	}
	if _, _, err := Describe(logins.Digest{2}, raw); err != ErrCorrupt {
		t.Errorf("under another digest: %v", err)
	}
}

// The checksum of a cut record can be right: it is not a MAC.
func TestACutRecordIsCorrupt(t *testing.T) {
	d, r := logins.Digest{1}, sample()
	r.Values = "" // which are the rest, of any length
	raw := r.Encode(&d)
	for n := record.Header; n < len(raw); n++ {
		if _, live, err := Describe(d, record.Seal(bytes.Clone(raw[:n]), d[:])); live || err != ErrCorrupt {
			t.Errorf("%d of %d bytes: %v, %v", n, len(raw), live, err)
		}
	}
}

func TestASessionIsShownUntilItsLatestEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, r := logins.Digest{1}, sample()
		r.Flags, r.Used = Pending, r.Created
		raw := r.Encode(&d)
		want := auth.Login{
			Kind: auth.LoginSession, Subject: "alice", Actor: "support-7", ID: d.LoginID(), UserAgent: "Firefox", Address: "192.0.2.1", Pending: true,
			AuthTime: time.UnixMilli(r.AuthTime), LastUsed: time.UnixMilli(r.Used), Expires: time.UnixMilli(r.Expires),
		}
		for _, live := range []bool{true, false} {
			got, is, err := Describe(d, raw)
			if got != want || is != live || err != nil {
				t.Errorf("%+v, %v, %v; want %+v, %v", got, is, err, want, live)
			}
			time.Sleep(5 * time.Second)
		}
	})
}
