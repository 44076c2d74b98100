package auth_test

import (
	"slices"
	"testing"

	"github.com/authlatch/auth"
)

// RFC 6749, 3.3.
func TestWordsGrammar(t *testing.T) {
	tests := []struct {
		name  string
		words auth.Words
		ok    bool
	}{
		{"the empty list is a list", "", true},
		{"one word", "read", true},
		{"two words with a space between them", "read write", true},
		{"a word of one character", "r", true},
		{"the first visible character", "!", true},
		{"the last visible character", "~", true},
		{"the characters of a URL", "https://api.example/read:all?x=1#y", true},
		{"no space in front", " read", false},
		{"no space behind", "read ", false},
		{"no two spaces in a row", "read  write", false},
		{"no space alone", " ", false},
		{"no quotation mark, which would end a challenge", `read"`, false},
		{"no backslash", `re\ad`, false},
		{"no tab", "read\twrite", false},
		{"no line feed, which would end a header", "read\nwrite", false},
		{"no NUL", "re\x00ad", false},
		{"no DEL", "read\x7f", false},
		{"no character outside of ASCII", "lésen", false},
		{"no no-break space", "read\u00a0write", false},
		{"no byte that is not UTF-8", "read\xff", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, id := range []auth.Identity{
				{Subject: "alice", Scopes: test.words},
				{Subject: "alice", Methods: test.words},
			} {
				if err := id.Validate(); (err == nil) != test.ok {
					t.Errorf("Validate of %q: %v", test.words, err)
				}
			}
		})
	}
}

func TestWordsHas(t *testing.T) {
	tests := []struct {
		name  string
		words auth.Words
		word  string
		want  bool
	}{
		{"the first word", "read write delete", "read", true},
		{"a word in the middle", "read write delete", "write", true},
		{"the last word", "read write delete", "delete", true},
		{"the only word", "read", "read", true},
		{"not a beginning of a word", "reader", "read", false},
		{"not an end of a word", "reread", "read", false},
		{"not in another case", "read", "Read", false},
		{"not two words", "read write", "read write", false},
		{"not the empty word", "read write", "", false},
		{"not the empty word in an empty list", "", "", false},
		{"not the empty word in a malformed list", "read  write", "", false},
		{"nothing in an empty list", "", "read", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.words.Has(test.word); got != test.want {
				t.Errorf("Words(%q).Has(%q) = %v", test.words, test.word, got)
			}
		})
	}
}

func TestWordsAllYieldsTheWordsInTheirOrder(t *testing.T) {
	for words, want := range map[auth.Words][]string{
		"":               nil,
		"b":              {"b"},
		"b a c":          {"b", "a", "c"},
		"twice or twice": {"twice", "or", "twice"},
	} {
		if got := slices.Collect(words.All()); !slices.Equal(got, want) {
			t.Errorf("Words(%q).All() = %q", words, got)
		}
	}
}

func TestWordsAllStopsWhenTheLoopDoes(t *testing.T) {
	var seen []string
	for word := range auth.Words("a b c").All() {
		seen = append(seen, word)
		break
	}
	if !slices.Equal(seen, []string{"a"}) {
		t.Errorf("saw %q", seen)
	}
}

func TestWordsHasAllocatesNothing(t *testing.T) {
	words := auth.Words("read write delete")
	found := false
	if n := testing.AllocsPerRun(100, func() { found = words.Has("delete") }); n != 0 || !found {
		t.Errorf("%v allocations", n)
	}
}
