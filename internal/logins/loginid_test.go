package logins_test

import (
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/logins"
)

func TestLoginIDIsFoundByTheKeyOfARecord(t *testing.T) {
	d := logins.Digest{1, 2, 3}
	if got := logins.LoginIDOf(d.Key()); got != d.LoginID() {
		t.Errorf("%q, want %q", got, d.LoginID())
	}
	for _, key := range []string{"", "probe:x", d.Key()[1:], d.Key() + "A", strings.Repeat("A", 128), strings.Repeat("\n", 43), strings.Repeat("=", 43)} {
		if got := logins.LoginIDOf(key); got != "" {
			t.Errorf("%q has the LoginID %q", key, got)
		}
	}
}
