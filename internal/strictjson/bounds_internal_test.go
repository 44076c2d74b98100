package strictjson

import (
	"strings"
	"testing"
)

// Both halves of a surrogate pair are escaped as \u and four digits.
func TestTheSecondHalfOfASurrogatePairIsAnEscapeToo(t *testing.T) {
	if err := CheckObject([]byte(`{"a":"\ud83d\ude00"}`)); err != nil {
		t.Error(err)
	}
	for _, text := range []string{`\ud83d\de00`, `\ud83d\Ude00`, `\ud83dude00`, `\ud83d\nde00`, `\ud83d\`, `\ud83d\u`, `\ud83d\ude0`} {
		if err := CheckObject([]byte(`{"a":"` + text + `"}`)); err == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Objects of 16 levels are read, and of few names and many, which are compared in
// two ways.
func TestTheBoundsOfAnObject(t *testing.T) {
	nested := func(depth int) string {
		return `{"a":` + strings.Repeat("[", depth-1) + strings.Repeat("]", depth-1) + `}`
	}
	for depth, want := range map[int]error{2: nil, maxDepth: nil, maxDepth + 1: errDepth} {
		if err := CheckObject([]byte(nested(depth))); err != want {
			t.Errorf("depth %d: %v", depth, err)
		}
	}
	for n := 1; n < 40; n++ {
		names := make([]string, n)
		for i := range names {
			names[i] = `"n` + strings.Repeat("k", i) + `":0`
		}
		text := "{" + strings.Join(names, ",")
		if err := CheckObject([]byte(text + "}")); err != nil {
			t.Errorf("%d names: %v", n, err)
		}
		for i := range names { // in another case; \u212a is the sign of kelvin, a k
			again := strings.ToUpper(names[i])
			if err := CheckObject([]byte(text + "," + again + "}")); err != errDuplicate {
				t.Errorf("%d names, again %s: %v", n, again, err)
			}
			if err := CheckObject([]byte(text + "," + strings.ReplaceAll(names[i], "k", "\u212a") + "}")); err != errDuplicate {
				t.Errorf("%d names, again with kelvin %d: %v", n, i, err)
			}
			if err := CheckObject([]byte(`{"in":` + text + "," + again + "}}")); err != nil { // only the top folds
				t.Errorf("%d names inside, again %s: %v", n, again, err)
			}
		}
	}
}
