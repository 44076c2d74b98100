package jose

import "encoding/json"

// object is the text of a JSON object that has passed [CheckObject].
type object []byte

// members yields each member at the top level: its name as it is after
// unescaping, and the text of its value.
func (o object) members(yield func(name, value []byte) bool) {
	s := scanner{text: o}
	s.space()
	s.at++
	for s.space(); s.peek() == '"'; s.space() {
		name, err := s.name()
		if err != nil {
			return
		}
		s.space()
		s.at++
		s.space()
		start := s.at
		s.skip()
		if !yield(name, s.text[start:s.at]) {
			return
		}
		s.space()
		s.at++
	}
}

// skip steps over a value that has been scanned before.
func (s *scanner) skip() {
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
			return
		}
	}
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

// stringOf returns the string that a scanned value is, and false if it is
// none.
func stringOf(value []byte) (string, bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", false
	}
	return s, true
}
