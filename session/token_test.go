package session

import (
	"strings"
	"testing"
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
