package rotation

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/logins"
)

func sample() *Family {
	now := time.Now().UnixMilli()
	return &Family{
		Salt: [16]byte{1, 2}, Generation: 3, Created: now, Rotated: now + 1, Recovered: now + 2, Presented: now + 3,
		AuthTime: now - 1000, Idle: now + 5000, Expires: now + 9000, Attempt: strings.Repeat("a", 32),
		KeyID: "k", Subject: "alice", Scopes: "read", Methods: "pwd", Claims: `{"a":1}`,
		Login: Device{"Firefox", "192.0.2.1"}, Last: Device{"Another", "192.0.2.2"},
	}
}

func TestEveryFieldOfAFamilyComesBack(t *testing.T) {
	want := sample()
	if got, err := Parse(want.Encode()); err != nil || *got != *want {
		t.Errorf("%+v, %v", got, err)
	}
}

// A family with any damaged byte is not readable.
func TestADamagedFamilyIsCorrupt(t *testing.T) {
	raw := sample().Encode()
	for at := range raw {
		bad := bytes.Clone(raw)
		bad[at] ^= 0x80
		for _, b := range [][]byte{bad, raw[:at]} {
			if _, live, err := Describe(logins.Digest{1}, b); live || err != ErrCorrupt {
				t.Errorf("byte %d of %d: %v, %v", at, len(b), live, err)
			}
		}
	}
	raw[0] = format + 1
	if _, _, err := Describe(logins.Digest{1}, raw); err != ErrNewer {
		t.Errorf("of a newer version: %v", err)
	}
}

func TestAFamilyIsShownUntilItIsIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, f := logins.Digest{1}, sample()
		f.Rotated = f.Created
		want := auth.Login{
			Kind: auth.LoginToken, Subject: "alice", ID: d.LoginID(), UserAgent: "Firefox", Address: "192.0.2.1",
			AuthTime: time.UnixMilli(f.AuthTime), LastUsed: time.UnixMilli(f.Rotated), Expires: time.UnixMilli(f.Expires),
		}
		for _, live := range []bool{true, false} {
			got, is, err := Describe(d, f.Encode())
			if got != want || is != live || err != nil {
				t.Errorf("%+v, %v, %v; want %+v, %v", got, is, err, want, live)
			}
			time.Sleep(5 * time.Second)
		}
	})
}
