package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/authlatch/auth/internal/record"
)

// Key is the typed name of a value that an application keeps in sessions:
//
//	const cart = session.Key[[]string]("cart")
//
// Values are stored as JSON, as by encoding/json, and decoded when they are read. So
// unexported fields are not stored, and a number in an any is read as a float64; give the
// type that you need. Two keys with the same name are the same value. To distinguish a
// missing value from a zero one, use a pointer type: it is nil if the value is missing.
type Key[T any] string

// Get returns the value in s, or the zero value of T if it is missing. It returns an
// error if the stored value cannot be decoded as a T.
func (k Key[T]) Get(s *Session) (T, error) {
	var value, zero T
	text, ok, err := findValue(s.latest().record.Values, string(k))
	if err != nil || !ok {
		return zero, err
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		// The error of the decoder would quote the value.
		return zero, fmt.Errorf("session: value %q is not a %T", string(k), zero)
	}
	return value, nil
}

// Set sets the value in a session, within [Manager.Update]; elsewhere it returns an
// error. Text that is not UTF-8 is an error, because JSON would change it. The value is
// saved when Update returns.
func (k Key[T]) Set(s *Session, value T) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("session: value %q: %w", string(k), err)
	}
	if replaced(text) {
		return fmt.Errorf("session: value %q: a text is not UTF-8", string(k))
	}
	return s.setValue(string(k), string(text))
}

// replaced reports whether the encoder has replaced bytes that are not UTF-8: it writes
// \ufffd for them, and that character itself as it is.
func replaced(text []byte) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(text[i:], []byte(`\ufffd`)) {
			return true
		}
		i++ // what is escaped
	}
	return false
}

// Delete removes the value from a session, within [Manager.Update]; elsewhere it returns
// an error. Deleting a missing value is a no-op.
func (k Key[T]) Delete(s *Session) error { return s.setValue(string(k), "") }

// The values of a record are pairs of texts, a name and JSON, each with its
// length before it.

var errCorruptValues = errors.New("session: the values of a record are corrupt")

// setValue replaces the value under name, or takes it out if text is empty. To take out a
// missing value is no change, so that Update does not write.
func (s *Session) setValue(name, text string) error {
	if !s.editing {
		return errors.New("session: a value can be changed only in Update")
	}
	pairs, err := parseValues(s.record.Values)
	if err != nil {
		return err
	}
	if text == "" && !slices.ContainsFunc(pairs, func(p pair) bool { return p.name == name }) {
		return nil
	}
	var values []byte
	for _, p := range pairs {
		if p.name != name {
			values = record.AppendText(record.AppendText(values, p.name), p.text)
		}
	}
	if text != "" {
		values = record.AppendText(record.AppendText(values, name), text)
	}
	s.record.Values, s.changed = string(values), true
	return nil
}

func findValue(values, name string) (text string, ok bool, err error) {
	pairs, err := parseValues(values)
	if err != nil {
		return "", false, err
	}
	for _, p := range pairs {
		if p.name == name {
			return p.text, true, nil
		}
	}
	return "", false, nil
}

type pair struct{ name, text string }

func parseValues(values string) (pairs []pair, err error) {
	in := record.NewReader(values)
	for in.Rest() != "" {
		p := pair{name: in.Text(), text: in.Text()}
		if in.Failed() {
			return nil, errCorruptValues
		}
		pairs = append(pairs, p)
	}
	return pairs, nil
}
