package throttle_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/authlatch/auth/cookie"
	"github.com/authlatch/auth/throttle"
)

// forem#10169, for the cookie of a device: beside the cookie of a former policy, the new one
// would be malformed, and the owner an unrecognized device for a year.
func TestTheCookieOfAFormerPolicyIsExpired(t *testing.T) {
	old := cookie.New("device").Domain("example.com")
	d := newDoor(t, throttle.Config{Sealer: newSealer(t), Cookie: cookie.New("device").Domain("app.example.com"), FormerCookies: []cookie.Policy{old}})
	w := httptest.NewRecorder()
	if err := d.Try(w, from(0).request(), "alice", func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	set := strings.Join(w.Header()["Set-Cookie"], "\n")
	if strings.Count(set, "__Secure-device=") != 2 || !strings.Contains(set, "__Secure-device=; Path=/; Domain=example.com; Max-Age=0") {
		t.Errorf("%s", set)
	}
}
