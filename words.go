package auth

import (
	"errors"
	"iter"
	"strings"
)

// Words is an immutable, space-separated list of words, such as "read write". It
// has the form of the OAuth scope parameter (RFC 6749, 3.3): one space between two
// words. The zero value is the empty list.
type Words string

// Has reports whether word is in the list. It returns false for an empty word and
// for a word with a space in it.
func (w Words) Has(word string) bool {
	if word == "" {
		return false
	}
	for each := range w.All() {
		if each == word {
			return true
		}
	}
	return false
}

// All returns an iterator over the words, in their order.
func (w Words) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for rest := string(w); rest != ""; {
			word, after, _ := strings.Cut(rest, " ")
			if !yield(word) {
				return
			}
			rest = after
		}
	}
}

// validate checks the grammar of RFC 6749, 3.3: visible ASCII without the
// quotation mark and the backslash, one space between words.
func (w Words) validate() error {
	if w == "" {
		return nil
	}
	for i := range len(w) {
		switch c := w[i]; {
		case c == ' ':
			if i == 0 || i == len(w)-1 || w[i-1] == ' ' {
				return errors.New("a space that does not separate two words")
			}
		case c < '!' || c > '~' || c == '"' || c == '\\':
			return errors.New("a character that a word must not contain")
		}
	}
	return nil
}
