package session

import (
	"errors"
	"testing"

	"github.com/authlatch/auth/internal/record"
	"github.com/authlatch/auth/internal/sessionrecord"
)

// A value that cannot be read is an error, and not a value that is not there: an
// application would take a corrupt limit or role for the default.
func TestCorruptValuesAreAnErrorToReadAndToChange(t *testing.T) {
	count := Key[int]("count")
	whole := string(record.AppendText(record.AppendText(nil, "count"), "7"))
	if n, err := count.Get(&Session{record: sessionrecord.Record{Values: whole}}); n != 7 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	for cut := 1; cut < len(whole); cut++ {
		s := &Session{record: sessionrecord.Record{Values: whole[:cut]}, editing: true}
		if n, err := count.Get(s); n != 0 || !errors.Is(err, errCorruptValues) {
			t.Errorf("cut to %d bytes: %d, %v", cut, n, err)
		}
		if err := errors.Join(count.Set(s, 8), count.Delete(s)); !errors.Is(err, errCorruptValues) || s.changed {
			t.Errorf("cut to %d bytes: changed: %v", cut, err)
		}
	}
}
