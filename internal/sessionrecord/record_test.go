package sessionrecord

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
	"github.com/authlatch/auth/internal/record"
)

func sample() Record {
	now := time.Now().UnixMilli()
	return Record{
		Flags: Remembered, Created: now, Used: now + 1000, AuthTime: now - 1000, Expires: now + 5000,
		Subject: "alice", Scopes: "read", Methods: "pwd", UserAgent: "Firefox", Address: "192.0.2.1", Claims: `{"a":1}`, Values: "values",
	}
}

func TestEveryFieldOfARecordComesBack(t *testing.T) {
	d, want := logins.Digest{1}, sample()
	var got Record
	if id, err := got.Decode(&d, want.Encode(&d)); err != nil || got != want || id != d.LoginID() {
		t.Errorf("%+v, %q, %v", got, id, err)
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
			want = ErrNewer // 0x11
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
		r.Flags = Pending
		raw := r.Encode(&d)
		want := auth.Login{
			Kind: auth.LoginSession, ID: d.LoginID(), UserAgent: "Firefox", Address: "192.0.2.1", Pending: true,
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
