package password

import (
	"cmp"
	"context"
	_ "embed" // the list of common passwords
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The errors of [Hasher.Check] for a password that must not be chosen. Show the user
// which one it is.
var (
	// ErrTooShort means fewer code points than [Config.MinLength], 15 by default.
	ErrTooShort = errors.New("password: too short")

	// ErrTooLong means more than 1024 bytes.
	ErrTooLong = errors.New("password: longer than 1024 bytes")

	// ErrGuessable means a common password, a repetition of something short, or a
	// password that consists of little more than words that are known about the
	// service or the user.
	ErrGuessable = errors.New("password: easy to guess")

	// ErrBreached means that [Config.Breached] reports the password as breached.
	ErrBreached = errors.New("password: known from a data breach")
)

// Check returns nil if a password may be chosen, and otherwise [ErrTooShort],
// [ErrTooLong], [ErrGuessable] or [ErrBreached]. Any other error is that of
// [Config.Breached], which is called last. All other checks have passed then, and the
// application decides whether to accept the password without it.
//
// about is what others know about the user, such as name and email address. Its words
// of at least 4 letters or digits do not count, nor do those of [Config.ContextWords]: the
// rest of the password must be long enough (ASVS 5.0, 6.2.11).
//
// There are no rules about character classes. The list of common passwords has more
// than 3000 of either length, the most common of ten million (6.2.4). The password is
// compared with them as a whole and case-insensitively.
func (h *Hasher) Check(ctx context.Context, password string, about ...string) error {
	switch {
	case len(password) > maxBytes:
		return ErrTooLong
	case utf8.RuneCountInString(password) < h.minimum:
		return ErrTooShort
	case h.guessable(strings.ToLower(password), about):
		return ErrGuessable
	case h.breached == nil:
		return nil
	}
	breached, err := h.breached(ctx, password)
	if err != nil {
		return fmt.Errorf("password: Config.Breached: %w", err)
	}
	if breached {
		return ErrBreached
	}
	return nil
}

func (h *Hasher) guessable(lower string, about []string) bool {
	once := unrepeated(lower)
	rest := without(lower, slices.Concat(h.words, about))
	return utf8.RuneCountInString(once) < h.minimum || utf8.RuneCountInString(rest) < h.minimum ||
		common(lower) || common(once)
}

// unrepeated returns the piece that text is a repetition of, or text itself. The
// length of the piece is the smallest rotation that maps text to itself.
func unrepeated(text string) string {
	return text[:1+strings.Index(text[1:]+text, text)]
}

// without removes words from text, longer ones first.
func without(text string, about []string) string {
	var words []string
	for _, a := range about {
		words = append(words, strings.FieldsFunc(strings.ToLower(a), func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.IsDigit(r)
		})...)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for _, word := range words {
		if utf8.RuneCountInString(word) >= 4 {
			text = strings.ReplaceAll(text, word, "")
		}
	}
	return text
}

// commonList is in lower case, one password per line; see common/SOURCE.md.
//
//go:embed common/common.txt
var commonList string

// common searches the whole list, which takes a small fraction of the time of
// hashing, and no memory.
func common(lower string) bool {
	line := lower + "\n"
	return strings.Count(line, "\n") == 1 &&
		(strings.HasPrefix(commonList, line) || strings.Contains(commonList, "\n"+line))
}
