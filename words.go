package auth

import (
	"errors"
	"iter"
	"strings"
)

// Words is an immutable list of words with single spaces between them, such as
// "read write": the form in which scopes travel (RFC 6749, 3.3). The zero
// value is the empty list.
type Words string

// Has reports whether word is in the list. It is false for an empty word and
// for one with a space in it.
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

// All yields the words in their order.
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
				return errors.New("a space that separates no words")
			}
		case c < '!' || c > '~' || c == '"' || c == '\\':
			return errors.New("a character that no word may have")
		}
	}
	return nil
}
