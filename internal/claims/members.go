package claims

import (
	"slices"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/registered"
	"github.com/authlatch/auth/internal/strictjson"
)

// members are the claims of a payload that has passed the envelope: it is an
// object, no name stands twice, and none differs from a registered one by case
// alone. encoding/json would read them as well, in a tenth of the time of a
// signature, and they would not stay as they are written.
type members []strictjson.Member

// appendMembers appends those of a payload.
func appendMembers(m members, payload []byte) members {
	for member := range strictjson.Object(payload).Members {
		m = append(m, member)
	}
	return m
}

// get returns the text of a claim, or nil.
func (m members) get(name string) strictjson.Value {
	for i := range m {
		if string(m[i].Name) == name {
			return m[i].Value
		}
	}
	return nil
}

// is reports whether a claim is this very string.
func (m members) is(name, text string) bool {
	value := m.get(name)
	return value != nil && value.Is(text)
}

// text takes a claim that must be a string of 1 to most bytes if it is there.
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

// words takes a claim that must be an array of words if it is there. It may be
// empty. Whether they are well-formed is for Identity.Validate to see.
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

// lenientWords takes the words of a claim that is a string or an array, and
// nothing of another. Words that cannot be any are left out: what is missing
// grants nothing.
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

// names takes a claim that must be a string, or an array of strings, and
// reports whether it is, or has in it, the given one.
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

// application takes what is left once the registered claims are taken away.
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
