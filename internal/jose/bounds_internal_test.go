package jose

import (
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/strictjson"
)

func TestTheBoundsOfADate(t *testing.T) {
	for text, want := range map[string]int64{
		"1": 1, "0": 0, "253402300799": maxDate, "253402300800": 0, "999999999999": 0, "1000000000000": 0,
		"-1": 0, "+1": 0, "1e3": 0, "1:": 0, "1/": 0, "\"1\"": 0, "null": 0, "": 0,
	} {
		for _, fractions := range []bool{false, true} {
			if got, ok := date([]byte(text), fractions); ok != (want != 0) || ok && got != want {
				t.Errorf("%s, fractions %v: %d, %v", text, fractions, got, ok)
			}
		}
	}
	for text, want := range map[string]int64{"1.5": 1, "253402300799.999": maxDate, "0.5": 0, "1.5e1": 0, "1.-5": 0, "-1.5": 0} {
		if got, ok := date([]byte(text), true); ok != (want != 0) || ok && got != want {
			t.Errorf("%s: %d, %v", text, got, ok)
		}
		if got, ok := date([]byte(text), false); ok {
			t.Errorf("%s without fractions: %d", text, got)
		}
	}
}

func TestTheBoundsOfAKid(t *testing.T) {
	for kid, want := range map[string]bool{
		"": false, "k": true, strings.Repeat("k", maxKeyID): true, strings.Repeat("k", maxKeyID+1): false,
		"aZ09-_.~:@+/=": true, "a b": false, "a\"": false, "a\\": false, "a\x7f": false, "é": false, "a{": false,
	} {
		if got := validKeyID(kid); got != want {
			t.Errorf("%q: %v", kid, got)
		}
	}
}

func TestTheBoundsOfATyp(t *testing.T) {
	for typ, want := range map[string]string{
		"JWT": "jwt", "application/at+JWT": "at+jwt", "application/a/b": "application/a/b", "~!": "~!",
		"": "", "application/": "", "a b": "", "a ": "", "a\x7f": "", "\x1f": "", "é": "",
	} {
		var h header
		err := h.setType(strictjson.Value(`"` + typ + `"`))
		if h.typ != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", typ, h.typ, err)
		}
	}
}

func TestTheBoundOfAHeaderIsOfItsDecodedBytes(t *testing.T) {
	for most := 60; most < 70; most++ {
		for size := most - 1; size <= most+1; size++ {
			text := `{"alg":"ES256","a":"` + strings.Repeat("x", size-22) + `"}`
			_, err := parseHeader(base64url.EncodeToString([]byte(text)), most)
			if (err == nil) != (size <= most) {
				t.Errorf("%d bytes of %d: %v", size, most, err)
			}
		}
	}
}
