package token_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/token"
)

// No text is accepted that was not minted. A good token is cut and mended, by
// which a fuzzer gets further than by itself.
func FuzzVerify(f *testing.F) {
	m := newMinter(f)
	good, other := m.mint(claims()), newMinter(f).mint(claims())
	v := m.verifier()
	off := m.verifier(func(c *token.VerifierConfig) { c.CacheSize = token.NoCache })
	if _, err := v.Verify(f.Context(), good); err != nil {
		f.Fatal(err)
	}
	first, second := strings.IndexByte(good, '.'), strings.LastIndexByte(good, '.')
	for _, seed := range []struct {
		at, cut int
		put     string
	}{
		{0, 0, ""}, {0, 1, "e"}, {first, 1, ".."}, {second, 1, ""}, {len(good) - 1, 1, "A"}, {len(good), 0, "="}, {0, len(good), other},
		{0, 0, " "}, {second, 87, "."}, {second + 1, 86, strings.Repeat("A", 86)}, {first + 1, second - first - 1, "e30"}, {0, first, "eyJhbGciOiJub25lIn0"},
	} {
		f.Add(seed.at, seed.cut, seed.put)
	}
	f.Fuzz(func(t *testing.T, at, cut int, put string) {
		if at < 0 || at > len(good) || cut < 0 || cut > len(good)-at {
			return
		}
		text := good[:at] + put + good[at+cut:]
		for _, v := range []*token.Verifier{v, off} {
			got, err := v.Verify(t.Context(), text)
			switch {
			case text == good && errors.Is(err, token.ErrExpired): // the run is a long one
			case (err == nil) != (text == good):
				t.Errorf("%q: error %v", text, err)
			case err != nil && (got != nil || !errors.Is(err, auth.ErrUnauthenticated)):
				t.Errorf("%q: %v, error %v", text, got, err)
			}
		}
	})
}
