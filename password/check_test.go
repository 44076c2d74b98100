package password_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/authlatch/auth/password"
)

// weak returns a Hasher with almost no cost.
func weak(t testing.TB, c password.Config) *password.Hasher {
	t.Helper()
	return noting(t, password.NewWeak, c, func(password.Call) {})
}

type constructor func(password.Config, func(password.Call)) (*password.Hasher, error)

// noting returns a Hasher that calls note before each expensive call.
func noting(t testing.TB, make constructor, c password.Config, note func(password.Call)) *password.Hasher {
	t.Helper()
	if c.Memory == 0 {
		c.Memory, c.Iterations = 8, 1
	}
	h, err := make(c, note)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestWordsAreThoseThatNewWasGiven(t *testing.T) {
	words := []string{"acmegarden"}
	h := weak(t, password.Config{ContextWords: words})
	words[0] = "other"
	if err := h.Check(t.Context(), "acmegarden-2026-x"); !errors.Is(err, password.ErrGuessable) {
		t.Error(err)
	}
	if err := h.Check(t.Context(), "other-2026-xyz-k"); err != nil {
		t.Error(err)
	}
}

// ASVS 5.0, 6.2.1, 6.2.4, 6.2.9, 6.2.11.
func TestCheck(t *testing.T) {
	const long = "correct horse battery staple"
	about := []string{"Alice Cooper", "alice.c@example.org"}
	for _, test := range []struct {
		name, password string
		factor         bool
		want           error
	}{
		{"14 code points are too short", "k7Qz!m2Wp0xR_e", false, password.ErrTooShort},
		{"15 are enough", "k7Qz!m2Wp0xR_eL", false, nil},
		{"7 are too short with a second factor", "k7Qz!m2", true, password.ErrTooShort},
		{"8 are enough with a second factor", "k7Qz!m2W", true, nil},
		{"code points count, not bytes", "열쇠는바다에빠졌다아무도모르게", false, nil},
		{"14 code points of 42 bytes are too short", "열쇠는바다에빠졌다아무도모르", false, password.ErrTooShort},
		{"nothing is too short", "", false, password.ErrTooShort},
		{"64 characters are permitted", strings.Repeat("0123456789abcdeF", 4)[:63] + "!", false, nil},
		{"1024 bytes are permitted", long + strings.Repeat("x", 1024-len(long)), false, nil},
		{"1025 bytes are too long", long + strings.Repeat("x", 1025-len(long)), false, password.ErrTooLong},
		{"10 MB are too long", strings.Repeat("k7Qz!m2Wp0", 1<<20), false, password.ErrTooLong},
		{"a common one", "1qaz2wsx3edc4rfv", false, password.ErrGuessable},
		{"a common one in capitals", "1QAZ2WSX3EDC4RFV", false, password.ErrGuessable},
		{"a common one with something to it", "1qaz2wsx3edc4rfv, and so on", false, nil},
		{"the first of the list", first(), true, password.ErrGuessable},
		{"the last of the list", last(), true, password.ErrGuessable},
		{"two of the list with the line break between them", firstTwo(), false, nil},
		{"a common one of 8", "password", true, password.ErrGuessable},
		{"one character", "zzzzzzzzzzzzzzzzzzzzz", false, password.ErrGuessable},
		{"a repetition of something short", "k7Qz!k7Qz!k7Qz!k7Qz!", false, password.ErrGuessable},
		{"a repetition of something common", "football1football1", true, password.ErrGuessable},
		{"a repetition of something long", "k7Qz!m2Wp0xR_eLk7Qz!m2Wp0xR_eL", false, nil},
		{"words about the user", "alice cooper example 2026", false, password.ErrGuessable},
		{"words about the user in capitals", "ALICECOOPER!2026.EXAMPLE", false, password.ErrGuessable},
		{"words of the service", "acmegarden-acme-1", false, password.ErrGuessable},
		{"words about the user beside enough else", "alice likes to swim at night", false, nil},
		{"words of 3 letters beside little else", "the cat, the hat", false, nil},
		{"a passphrase", long, false, nil},
		{"spaces at both ends", "  k7Qz!m2Wp0xR ", false, nil},
		{"a NUL", "k7Qz!m2Wp0xR_\x00L", false, nil},
		{"invalid UTF-8", "k7Qz!m2Wp0xR_\xff\xfe", false, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := weak(t, password.Config{MinLength: minLength(test.factor), ContextWords: []string{"Acme Garden", "the"}})
			if err := h.Check(t.Context(), test.password, about...); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func first() string { return password.CommonList()[:strings.IndexByte(password.CommonList(), '\n')] }

func firstTwo() string {
	lines := strings.SplitN(password.CommonList(), "\n", 3)
	return lines[0] + "\n" + lines[1]
}

func last() string {
	list := strings.TrimSuffix(password.CommonList(), "\n")
	return list[strings.LastIndexByte(list, '\n')+1:]
}

// ASVS 5.0, 6.2.5: random passwords of any characters pass.
func TestNoKindOfCharacterIsRequiredOrRefused(t *testing.T) {
	h := weak(t, password.Config{})
	alphabets := []string{"abcdefghij", "0123456789", "ABCDEFGHIJ", " !\"#$%&'()*+,-./", "가나다라마바사아자차", "😀😁😂🤣😃😄😅😆"}
	for _, alphabet := range append(alphabets, strings.Join(alphabets, "")) {
		letters := []rune(alphabet)
		for range 30 {
			var b strings.Builder
			for range 24 {
				b.WriteRune(letters[rand.IntN(len(letters))])
			}
			if err := h.Check(t.Context(), b.String()); err != nil {
				t.Fatalf("%q: %v", b.String(), err)
			}
		}
	}
}

// ASVS 5.0, 6.2.4: the list has 3000 passwords that fit either policy, and each
// of them is refused.
func TestListHas3000ForEachPolicy(t *testing.T) {
	for _, test := range []struct {
		factor bool
		least  int
	}{{false, 15}, {true, 8}} {
		h := weak(t, password.Config{MinLength: minLength(test.factor)})
		fit, before := 0, ""
		for word := range strings.Lines(password.CommonList()) {
			word = strings.TrimSuffix(word, "\n")
			if word <= before || word != strings.ToLower(word) {
				t.Errorf("%q is not in order, double, or not in lower case", word)
			}
			before = word
			if utf8.RuneCountInString(word) < test.least {
				continue
			}
			fit++
			if fit%13 == 0 { // the whole list takes a second
				if err := h.Check(t.Context(), word); !errors.Is(err, password.ErrGuessable) {
					t.Errorf("%q: %v", word, err)
				}
			}
		}
		if fit < 3000 {
			t.Errorf("%d of the list have %d characters", fit, test.least)
		}
	}
}

// ASVS 5.0, 6.2.12.
func TestBreachCheck(t *testing.T) {
	const chosen = "k7Qz!m2Wp0xR_eL"
	down := errors.New("the service is down")
	for _, test := range []struct {
		name     string
		password string
		breached bool
		err      error
		want     error
		asked    int
	}{
		{"a known password is refused", chosen, true, nil, password.ErrBreached, 1},
		{"an unknown one is not", chosen, false, nil, nil, 1},
		{"its failure is the error of Check", chosen, false, down, down, 1},
		{"its failure counts more than its answer", chosen, true, down, down, 1},
		{"it is not asked for what is refused anyway", "short", true, nil, password.ErrTooShort, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked := 0
			h := weak(t, password.Config{Breached: func(_ context.Context, p string) (bool, error) {
				asked++
				if p != test.password {
					t.Errorf("it is asked for %q", p)
				}
				return test.breached, test.err
			}})
			err := h.Check(t.Context(), test.password)
			if !errors.Is(err, test.want) || asked != test.asked {
				t.Errorf("got %v, asked %d times", err, asked)
			}
			if test.err != nil && errors.Is(err, password.ErrBreached) {
				t.Error("a failure is taken for an answer")
			}
		})
	}
}

// minLength is the shortest that a configuration allows, with a second factor or not.
func minLength(factor bool) int {
	if factor {
		return 8
	}
	return 0 // the default
}
