// Package strictjson checks that JSON text has one meaning for every parser, and
// walks over the members of text that passed the check. Claims, tokens, headers
// and key sets are read through it, so that sessions and tokens accept the same.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode"
	"unicode/utf8"
)

// maxDepth bounds the nesting of objects and arrays.
const maxDepth = 16

// The errors of CheckObject. Their texts are constants and never contain a part of the
// JSON.
var (
	errJSON      = errors.New("not a strict JSON object")
	errUTF8      = errors.New("text is not valid Unicode")
	errDepth     = errors.New("JSON nests too deep")
	errDuplicate = errors.New("a member occurs twice")
)

// CheckObject returns nil if text is exactly one JSON object that every parser reads
// in the same way: valid UTF-8 without a byte order mark, no unpaired surrogate,
// nesting of at most 16, and no duplicate member at any depth, with names compared
// after unescaping. At the top level names must also differ by more than case,
// because encoding/json matches fields case-insensitively.
//
// It allocates nothing unless a name is escaped or an object has many members.
func CheckObject(text []byte) error {
	s := scanner{text: text}
	return s.document()
}

// ParseObject returns the members at the top level of text, or the error of
// [CheckObject]. It reads the text once.
func ParseObject(text []byte) ([]Member, error) {
	const few = 16 // most tokens have fewer
	s := scanner{text: text, members: make([]Member, 0, few)}
	if err := s.document(); err != nil {
		return nil, err
	}
	return s.members, nil
}

// scanner reads JSON text once (RFC 8259).
type scanner struct {
	text    []byte
	at      int
	members []Member // of the top level; nil to keep none
}

// document scans exactly one object.
func (s *scanner) document() error {
	s.space()
	if s.peek() != '{' {
		return errJSON
	}
	if err := s.value(1); err != nil {
		return err
	}
	s.space()
	if s.at != len(s.text) {
		return errJSON
	}
	return nil
}

// peek returns the next byte. At the end it returns 0, which no rule accepts.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// accept steps over c if it is the next byte.
func (s *scanner) accept(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// value scans one value at the given depth of nesting.
func (s *scanner) value(depth int) error {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth > maxDepth {
			return errDepth
		}
		if c == '{' {
			return s.object(depth)
		}
		return s.array(depth)
	case c == '"':
		_, _, err := s.str()
		return err
	case c == '-' || digit(c):
		return s.number()
	}
	return s.word()
}

func (s *scanner) object(depth int) error {
	s.at++
	names := nameSet{fold: depth == 1}
	for first := true; ; first = false {
		s.space()
		if first && s.accept('}') {
			return nil
		}
		if err := s.member(&names, depth); err != nil {
			return err
		}
		s.space()
		if s.accept('}') {
			return nil
		}
		if !s.accept(',') {
			return errJSON
		}
	}
}

// member scans a name, the colon and the value.
func (s *scanner) member(names *nameSet, depth int) error {
	start := s.at
	name, err := s.name()
	if err != nil {
		return err
	}
	if !names.add(name) {
		return errDuplicate
	}
	quoted := s.text[start:s.at]
	s.space()
	if !s.accept(':') {
		return errJSON
	}
	s.space()
	start = s.at
	if err := s.value(depth + 1); err != nil {
		return err
	}
	if s.members != nil && depth == 1 {
		s.members = append(s.members, Member{quoted, name, s.text[start:s.at]})
	}
	return nil
}

// name scans a string and returns it unescaped. The result is a part of the text if
// nothing is escaped.
func (s *scanner) name() ([]byte, error) {
	raw, escaped, err := s.str()
	if err != nil || !escaped {
		return raw, err
	}
	return unescape(raw)
}

func (s *scanner) array(depth int) error {
	s.at++
	for first := true; ; first = false {
		s.space()
		if first && s.accept(']') {
			return nil
		}
		if err := s.value(depth + 1); err != nil {
			return err
		}
		s.space()
		if s.accept(']') {
			return nil
		}
		if !s.accept(',') {
			return errJSON
		}
	}
}

// str scans a string and returns the text between its quotation marks.
func (s *scanner) str() (raw []byte, escaped bool, err error) {
	if !s.accept('"') {
		return nil, false, errJSON
	}
	start := s.at
	for {
		s.plain()
		switch c := s.peek(); {
		case c == '"':
			s.at++
			return s.text[start : s.at-1], escaped, nil
		case c == '\\':
			escaped = true
			err = s.escape()
		case c >= utf8.RuneSelf:
			err = s.rune()
		default: // a control character, or the end
			err = errJSON
		}
		if err != nil {
			return nil, false, err
		}
	}
}

// plain steps over the unescaped ASCII characters of a string, which are nearly all
// of them.
func (s *scanner) plain() {
	at := s.at
	for at < len(s.text) && isPlain[s.text[at]] {
		at++
	}
	s.at = at
}

// isPlain is ASCII without control characters, quotation mark and backslash.
var isPlain = func() (set [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		set[c] = c != '"' && c != '\\'
	}
	return set
}()

// rune steps over one multi-byte character.
func (s *scanner) rune() error {
	r, size := utf8.DecodeRune(s.text[s.at:])
	if r == utf8.RuneError && size == 1 {
		return errUTF8
	}
	s.at += size
	return nil
}

// escape steps over an escape sequence. A surrogate must have its other half, because
// encoding/json would replace it by U+FFFD.
func (s *scanner) escape() error {
	s.at++
	switch s.peek() {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at++
		return nil
	case 'u':
		return s.codePoint()
	}
	return errJSON
}

func (s *scanner) codePoint() error {
	unit, ok := s.unit()
	switch {
	case !ok:
		return errJSON
	case unit < 0xd800 || unit > 0xdfff:
		return nil
	case unit > 0xdbff || !s.accept('\\'):
		return errUTF8
	}
	if low, ok := s.unit(); !ok || low < 0xdc00 || low > 0xdfff {
		return errUTF8
	}
	return nil
}

// unit scans the letter u and four hexadecimal digits.
func (s *scanner) unit() (unit rune, ok bool) {
	if !s.accept('u') {
		return 0, false
	}
	for range 4 {
		c := s.peek()
		switch {
		case digit(c):
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		unit = unit<<4 | rune(c)
		s.at++
	}
	return unit, true
}

// number scans -? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?
func (s *scanner) number() error {
	s.accept('-')
	if !s.accept('0') && !s.digits() {
		return errJSON
	}
	if s.accept('.') && !s.digits() {
		return errJSON
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		if !s.digits() {
			return errJSON
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	start := s.at
	for digit(s.peek()) {
		s.at++
	}
	return s.at > start
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// word scans true, false or null.
func (s *scanner) word() error {
	for _, word := range []string{"true", "false", "null"} {
		if bytes.HasPrefix(s.text[s.at:], []byte(word)) {
			s.at += len(word)
			return nil
		}
	}
	return errJSON
}

// unescape returns the value of a scanned string.
func unescape(raw []byte) ([]byte, error) {
	quoted := make([]byte, 0, len(raw)+2)
	quoted = append(append(append(quoted, '"'), raw...), '"')
	var text string
	if err := json.Unmarshal(quoted, &text); err != nil {
		return nil, errJSON
	}
	return []byte(text), nil
}

// nameSet holds the names of one object. A few names are compared one by one and cost
// no allocation; more are kept in a map, so that a large object does not take
// quadratic time.
type nameSet struct {
	fold bool
	n    int
	few  [16][]byte
	many map[string]struct{}
}

// add reports whether the name is new.
func (set *nameSet) add(name []byte) bool {
	if set.many != nil {
		return set.addMany(name)
	}
	for _, other := range set.few[:set.n] {
		if bytes.Equal(name, other) || set.fold && bytes.EqualFold(name, other) {
			return false
		}
	}
	if set.n < len(set.few) {
		set.few[set.n] = name
		set.n++
		return true
	}
	set.many = make(map[string]struct{})
	for _, other := range set.few {
		set.addMany(other)
	}
	return set.addMany(name)
}

func (set *nameSet) addMany(name []byte) bool {
	key := string(name)
	if set.fold {
		key = string(bytes.Map(smallestFold, name))
	}
	_, known := set.many[key]
	set.many[key] = struct{}{}
	return !known
}

// smallestFold returns the smallest of all characters that differ from r only by
// case, so that two names fold to the same if and only if it maps them to the same.
func smallestFold(r rune) rune {
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}
