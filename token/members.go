package token

import (
	"bytes"
	"encoding/json"
	"iter"
	"strings"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/internal/registered"
)

// member is a claim as it stands in a payload.
type member struct {
	quoted []byte // the name, as it is written
	name   []byte // as it is meant
	value  []byte // as it is written
}

// members are the claims of a payload that has passed the envelope: it is an
// object, no name stands twice, and none differs from a registered one by case
// alone. encoding/json would read them as well, in a tenth of the time of a
// signature, and they would not stay as they are written.
type members []member

// appendMembers appends those of a payload.
func appendMembers(m members, payload []byte) (members, error) {
	for at := skipTo(payload, 0, '"'); at < len(payload); at = skipTo(payload, at, '"') {
		end := endOfValue(payload, at)
		c := member{quoted: payload[at:end], name: payload[at+1 : end-1]}
		if bytes.IndexByte(c.name, '\\') >= 0 {
			name, ok := textOf(c.quoted)
			if !ok {
				return nil, errClaimType
			}
			c.name = []byte(name)
		}
		at = skipSpace(payload, skipTo(payload, end, ':')+1)
		end = endOfValue(payload, at)
		c.value = payload[at:end]
		m, at = append(m, c), end
	}
	return m, nil
}

// elements yields those of an array.
func elements(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for at := skipSpace(array, 1); at < len(array) && array[at] != ']'; {
			end := endOfValue(array, at)
			if !yield(array[at:end]) {
				return
			}
			if at = skipSpace(array, end); at < len(array) && array[at] == ',' {
				at = skipSpace(array, at+1)
			}
		}
	}
}

// skipTo returns where the next c stands.
func skipTo(text []byte, at int, c byte) int {
	for at < len(text) && text[at] != c {
		at++
	}
	return at
}

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t' || text[at] == '\n' || text[at] == '\r') {
		at++
	}
	return at
}

// endOfValue returns where a value ends that begins at the given place.
func endOfValue(text []byte, at int) int {
	for depth := 0; at < len(text); {
		switch text[at] {
		case '"':
			if at = endOfString(text, at); depth == 0 {
				return at
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return at
			}
			if depth == 0 {
				return at + 1
			}
		case ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return at
			}
		}
		at++
	}
	return at
}

func endOfString(text []byte, at int) int {
	for at++; at < len(text); at++ {
		switch text[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(text)
}

// get returns the text of a claim, or nil.
func (m members) get(name string) []byte {
	for i := range m {
		if string(m[i].name) == name {
			return m[i].value
		}
	}
	return nil
}

// is reports whether a claim is this very string.
func (m members) is(name, text string) bool { return isText(m.get(name), text) }

// text takes a claim that must be a string of 1 to most bytes if it is there.
func (m members) text(name string, most int) (string, error) {
	value := m.get(name)
	if value == nil {
		return "", nil
	}
	text, ok := textOf(value)
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
	for element := range elements(value) {
		word, ok := textOf(element)
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

// names takes a claim that must be a string, or an array of strings, and
// reports whether it is, or has in it, the given one.
func (m members) names(claim, text string) (bool, error) {
	value := m.get(claim)
	switch {
	case value == nil:
		return false, nil
	case value[0] == '"':
		return isText(value, text), nil
	case value[0] != '[':
		return false, errClaimType
	}
	found := false
	for element := range elements(value) {
		if element[0] != '"' {
			return false, errClaimType
		}
		found = found || isText(element, text)
	}
	return found, nil
}

// application takes what is left once the registered claims are taken away.
func (m members) application() auth.Claims {
	var text []byte
	for i := range m {
		if registered.Is(m[i].name) {
			continue
		}
		text = append(text, ',')
		text = append(append(append(text, m[i].quoted...), ':'), m[i].value...)
	}
	if text == nil {
		return ""
	}
	text[0] = '{'
	return auth.Claims(append(text, '}'))
}

// textOf returns the string that a value is, and false if it is none.
func textOf(value []byte) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if inner := value[1 : len(value)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	return text, json.Unmarshal(value, &text) == nil
}

// isText is textOf without an allocation where there is no escape.
func isText(value []byte, text string) bool {
	if len(value) == len(text)+2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		return string(value[1:len(value)-1]) == text
	}
	got, ok := textOf(value)
	return ok && got == text
}
