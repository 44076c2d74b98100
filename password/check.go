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

// Why a password may not be chosen. The user is told which.
var (
	// ErrTooShort means fewer code points than [Config.MinLength].
	ErrTooShort = errors.New("password: too short")

	// ErrTooLong means more than 1024 bytes.
	ErrTooLong = errors.New("password: longer than 1024 bytes")

	// ErrGuessable means a password that many have chosen, one that repeats
	// something short, or one that is little more than words which everybody
	// knows of the service or the user.
	ErrGuessable = errors.New("password: easy to guess")

	// ErrBreached means that [Config.Breached] knows the password.
	ErrBreached = errors.New("password: known from a leak")
)

// Check reports whether a password may be chosen: nil, or [ErrTooShort],
// [ErrTooLong], [ErrGuessable] or [ErrBreached]. Any other error is that of
// [Config.Breached], the last to be asked: nothing is known then, and the
// application decides whether it goes on without.
//
// about is what others know of the user, name and mail address say. Its words of
// at least 4 letters or digits count for nothing, and so do those of
// [Config.ContextWords]: what is left must be long enough (ASVS 5.0, 6.2.11).
//
// There are no rules for kinds of characters. The list of common passwords has
// more than 3000 of either length, the commonest of ten million (6.2.4). The
// password is compared with them as a whole and without regard to case.
func (h *Hasher) Check(ctx context.Context, password string, about ...string) error {
	switch {
	case len(password) > maxBytes:
		return ErrTooLong
	case utf8.RuneCountInString(password) < h.least:
		return ErrTooShort
	case h.guessable(strings.ToLower(password), about):
		return ErrGuessable
	case h.breached == nil:
		return nil
	}
	breached, err := h.breached(ctx, password)
	if err != nil {
		return fmt.Errorf("password: asking for leaks: %w", err)
	}
	if breached {
		return ErrBreached
	}
	return nil
}

func (h *Hasher) guessable(lower string, about []string) bool {
	once := unrepeated(lower)
	rest := without(lower, slices.Concat(h.words, about))
	return utf8.RuneCountInString(once) < h.least || utf8.RuneCountInString(rest) < h.least ||
		common(lower) || common(once)
}

// unrepeated returns the piece that text is a repetition of, or text itself.
// A text that is turned by the length of the piece is the same text.
func unrepeated(text string) string {
	return text[:1+strings.Index(text[1:]+text, text)]
}

// without takes words out of text, long ones first.
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

// commonList is in lower case, one password a line; see common/SOURCE.md.
//
//go:embed common/common.txt
var commonList string

// common looks through the whole list, which takes a small part of the time of
// hashing, and no memory.
func common(lower string) bool {
	line := lower + "\n"
	return strings.Count(line, "\n") == 1 &&
		(strings.HasPrefix(commonList, line) || strings.Contains(commonList, "\n"+line))
}
