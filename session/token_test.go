package session

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
)

// Each byte at each place of a token is either what newToken can write there, or
// makes it another's. So one token has one text.
func TestWellFormedIsWhatNewTokenReturns(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	token := newToken()
	for at := range len(token) {
		for c := range 256 {
			text := []byte(token)
			text[at] = byte(c)
			value := strings.IndexByte(alphabet, byte(c))
			// The last character carries four bits; the other two are zero.
			want := value >= 0 && (at < tokenLength-1 || value%4 == 0)
			if got := wellFormed(string(text)); got != want {
				t.Fatalf("byte %#x at %d: %t, want %t", c, at, got, want)
			}
		}
	}
	for n := range 3 * tokenLength {
		if got := wellFormed(strings.Repeat("A", n)); got != (n == tokenLength) {
			t.Errorf("%d characters: %t", n, got)
		}
	}
}

// The decoder skips line breaks wherever they are.
func TestNoLineBreakIsSkipped(t *testing.T) {
	token := newToken()
	for _, breaks := range []string{"\n", "\r", "\r\n", "\n\n\n", "\n\n\n\n", strings.Repeat("\n", tokenLength)} {
		for at := range len(token) + 1 {
			longer := token[:at] + breaks + token[at:]
			for _, text := range []string{longer, longer[:tokenLength], longer[len(longer)-tokenLength:]} {
				if strings.ContainsAny(text, "\r\n") && wellFormed(text) {
					t.Errorf("%q is taken for a token", text)
				}
			}
		}
	}
}

// A cookie of another shape names no session, so nothing is proved by a CSRF token
// that was made for it, which its sender can compute.
func TestACSRFTokenForAMalformedCookieIsRefused(t *testing.T) {
	m, err := New(Config{Store: &store.Memory{}})
	if err != nil {
		t.Fatal(err)
	}
	good := newToken()
	for token, accepted := range map[string]bool{good: true, good[1:]: false, good + "A": false, "x": false} {
		var b [csrfBytes]byte
		subtle.XORBytes(b[sha256.Size:], b[:sha256.Size], m.csrfProof(token))
		r := httptest.NewRequest("POST", "https://app.example/", iotest.ErrReader(errors.New("the body is read")))
		r.Header.Set("Cookie", m.config.Cookie.Name()+"="+token)
		r.Header.Set("X-CSRF-Token", base64url.EncodeToString(b[:]))
		if err := m.CheckCSRF(r); (err == nil) != accepted || err != nil && !errors.Is(err, auth.ErrForbidden) {
			t.Errorf("%q: %v", token, err)
		}
		r.Header.Del("X-CSRF-Token")
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if err := m.CheckCSRF(r); !accepted && (!errors.Is(err, auth.ErrForbidden) || errors.As(err, new(*unreadError))) {
			t.Errorf("%q in a form: %v", token, err)
		}
	}
}
