package strictjson_test

import (
	"slices"
	"testing"

	"github.com/authlatch/auth/internal/strictjson"
)

// Only the first character decides whether a value is a string.
func TestValueIsThisVeryString(t *testing.T) {
	for _, c := range []struct {
		value, text string
		is          bool
	}{
		{`"ab"`, "ab", true},
		{`""`, "", true},
		{`"\u0061b"`, "ab", true},
		{`"\\"`, `\`, true},
		{`"ab"`, "aB", false},
		{`"ab"`, "abc", false},
		{`"\\"`, `\\`, false},
		{`true`, "ru", false},
		{`null`, "ul", false},
		{`1234`, "23", false},
		{`[1]`, "1", false},
		{`{}`, "", false},
		{`0`, "0", false},
	} {
		value := strictjson.Value(c.value)
		if value.Is(c.text) != c.is {
			t.Errorf("%s is %q: %v", c.value, c.text, !c.is)
		}
		if text, ok := value.Text(); ok != (c.value[0] == '"') || c.is && text != c.text {
			t.Errorf("%s: %q, %v", c.value, text, ok)
		}
	}
}

func TestElementsAreThoseOfAnArray(t *testing.T) {
	for value, want := range map[string][]string{
		`[]`:                          nil,
		"[ \n]":                       nil,
		`[1]`:                         {"1"},
		"[ \"a,]\" ,\tnull,[2,[3]] ]": {`"a,]"`, "null", "[2,[3]]"},
		`[{"a":[1,2]},"\"",-1e3]`:     {`{"a":[1,2]}`, `"\""`, "-1e3"},
		`"[1]"`:                       nil,
		`{"a":1}`:                     nil,
		`12`:                          nil,
	} {
		var got []string
		for element := range strictjson.Value(value).Elements {
			got = append(got, string(element))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q", value, got)
		}
		for first := range strictjson.Value(value).Elements {
			if string(first) != want[0] {
				t.Errorf("%s begins with %s", value, first)
			}
			break
		}
	}
}
