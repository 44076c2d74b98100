package claims

import (
	"slices"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/registered"
	"github.com/authlatch/auth/internal/strictjson"
)

// members are the claims of a payload whose envelope was verified: it is an object
// without duplicate names, and no name differs from a registered one by case alone.
// encoding/json could read them, too, but would take a tenth of the time of a
// signature, and would not keep their text.
type members []strictjson.Member

// get returns the text of a claim, or nil.
func (m members) get(name string) strictjson.Value {
	for i := range m {
		if string(m[i].Name) == name {
			return m[i].Value
		}
	}
	return nil
}

// is reports whether a claim is exactly this string.
func (m members) is(name, text string) bool {
	value := m.get(name)
	return value != nil && value.Is(text)
}

// has reports whether there is a claim other than null.
func (m members) has(name string) bool {
	value := m.get(name)
	return value != nil && string(value) != "null"
}

// text reads a claim that must be a string of 1 to most bytes, unless it is missing.
func (m members) text(name string, most int) (string, error) {
	value := m.get(name)
	if value == nil {
		return "", nil
	}
	text, ok := value.Text()
	if !ok || text == "" || len(text) > most {
		return "", errClaimType
	}
	return text, nil
}

// words reads a claim that must be an array of words, unless it is missing. It may be
// empty. Identity.Validate checks whether the words are well-formed.
func (m members) words(name string) (auth.Words, error) {
	value := m.get(name)
	if value == nil {
		return "", nil
	}
	if value[0] != '[' {
		return "", errClaimType
	}
	var words []byte
	for element := range value.Elements {
		word, ok := element.Text()
		if !ok || word == "" || strings.Contains(word, " ") {
			return "", errClaimType
		}
		if words != nil {
			words = append(words, ' ')
		}
		words = append(words, word...)
	}
	return auth.Words(words), nil
}

// lenientWords reads the words of a claim that is a string or an array. Any other type
// has none. Malformed words are left out: a missing word grants nothing.
func (m members) lenientWords(name string) auth.Words {
	value := m.get(name)
	if value == nil {
		return ""
	}
	var words []string
	if text, ok := value.Text(); ok {
		words = strings.Split(text, " ")
	}
	for element := range value.Elements {
		if word, ok := element.Text(); ok {
			words = append(words, word)
		}
	}
	var good []string
	for _, word := range words {
		isWord := word != "" && !strings.Contains(word, " ")
		if isWord && (auth.Identity{Subject: "probe", Scopes: auth.Words(word)}).Validate() == nil && !slices.Contains(good, word) {
			good = append(good, word)
		}
	}
	return auth.Words(strings.Join(good, " "))
}

// names reads a claim that must be a string or an array of strings, and reports
// whether it is or contains the given string.
func (m members) names(claim, text string) (bool, error) {
	value := m.get(claim)
	switch {
	case value == nil:
		return false, nil
	case value[0] == '"':
		return value.Is(text), nil
	case value[0] != '[':
		return false, errClaimType
	}
	found := false
	for element := range value.Elements {
		if element[0] != '"' {
			return false, errClaimType
		}
		found = found || element.Is(text)
	}
	return found, nil
}

// application reads all claims except the registered ones.
func (m members) application() auth.Claims {
	var text []byte
	for i := range m {
		if registered.Is(m[i].Name) {
			continue
		}
		text = append(text, ',')
		text = append(append(append(text, m[i].Quoted...), ':'), m[i].Value...)
	}
	if text == nil {
		return ""
	}
	text[0] = '{'
	return auth.Claims(append(text, '}'))
}
