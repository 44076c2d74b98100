package strictjson

import (
	"bytes"
	"encoding/json"
)

// Object is the text of a JSON object that has passed [CheckObject].
type Object []byte

// Member is a member of an [Object]. Its slices are parts of the text of the object,
// except for a Name that is escaped there.
type Member struct {
	Quoted []byte // the name as written
	Name   []byte // the name after unescaping
	Value  Value
}

// Value is the text of a value in an [Object]. It is not empty.
type Value []byte

// Members yields each member at the top level.
func (o Object) Members(yield func(Member) bool) {
	s := scanner{text: o}
	s.space()
	s.at++
	for s.space(); s.peek() == '"'; s.space() {
		start := s.at
		name, err := s.name()
		if err != nil {
			return
		}
		m := Member{Quoted: s.text[start:s.at], Name: name}
		s.space()
		s.at++
		s.space()
		if m.Value = s.skip(); !yield(m) {
			return
		}
		s.space()
		s.at++
	}
}

// Elements yields each element of an array. It yields nothing for any other value.
func (v Value) Elements(yield func(Value) bool) {
	s := scanner{text: v}
	if !s.accept('[') {
		return
	}
	for s.space(); s.peek() != ']' && s.at < len(v); s.space() {
		if !yield(s.skip()) {
			return
		}
		s.space()
		s.accept(',')
	}
}

// Text returns the value of a string, and false for any other value.
func (v Value) Text() (text string, ok bool) {
	if v[0] != '"' {
		return "", false
	}
	if inner := v[1 : len(v)-1]; bytes.IndexByte(inner, '\\') < 0 {
		return string(inner), true
	}
	return text, json.Unmarshal(v, &text) == nil
}

// Is reports whether the value is the string text. It allocates nothing if the value
// has no escapes.
func (v Value) Is(text string) bool {
	if len(v) == len(text)+2 && v[0] == '"' && bytes.IndexByte(v, '\\') < 0 {
		return string(v[1:len(v)-1]) == text
	}
	got, ok := v.Text()
	return ok && got == text
}

// skip steps over a value that has been scanned before and returns it.
func (s *scanner) skip() Value {
	start := s.at
	for depth := 0; s.at < len(s.text); {
		switch s.text[s.at] {
		case '"':
			s.str()
		case '{', '[':
			depth++
			s.at++
			continue
		case '}', ']':
			depth--
			s.at++
		case ' ', '\t', '\n', '\r', ',', ':':
			s.at++
			continue
		default:
			s.scalar()
		}
		if depth == 0 {
			break
		}
	}
	return Value(s.text[start:s.at])
}

// scalar steps over a number or a word.
func (s *scanner) scalar() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r', ',', ':', '}', ']':
			return
		}
		s.at++
	}
}
