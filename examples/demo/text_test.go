package main

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// dictionary reads a language, and checks that it has no duplicate key.
func dictionary(t *testing.T, name string) map[string]string {
	t.Helper()
	text, err := files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	words := make(map[string]string)
	if err := json.Unmarshal(text, &words); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\": \""); lines != len(words) {
		t.Errorf("%s has %d lines for %d keys", name, lines, len(words))
	}
	return words
}

var placeholder = regexp.MustCompile(`\{\w+\}`)

func placeholders(text string) []string {
	all := placeholder.FindAllString(text, -1)
	slices.Sort(all)
	return all
}

func TestBothLanguagesSayTheSame(t *testing.T) {
	english, korean := dictionary(t, "en.json"), dictionary(t, "ko.json")
	hangul := regexp.MustCompile(`\p{Hangul}`)
	same := []string{"loggedIn", "factCookie", "apiA", "apiB", "atA", "atB"} // names
	for key, text := range english {
		other, ok := korean[key]
		switch {
		case !ok || text == "" || other == "":
			t.Errorf("%s is missing", key)
		case !slices.Equal(placeholders(text), placeholders(other)):
			t.Errorf("%s has other values", key)
		case !hangul.MatchString(other) && other != text && !slices.Contains(same, key) && placeholder.ReplaceAllString(other, "") != " ":
			t.Errorf("%s is not in Korean: %q", key, other)
		case other == text && !slices.Contains(same, key):
			t.Errorf("%s is not translated", key)
		}
	}
	for key := range korean {
		if english[key] == "" {
			t.Errorf("%s is in Korean only", key)
		}
	}
}

// Every text is used, and every used text exists.
func TestEveryTextIsUsed(t *testing.T) {
	var code strings.Builder
	for _, name := range append([]string{"page.html"}, parts...) {
		text, err := files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		code.Write(text)
	}
	english := dictionary(t, "en.json")
	for _, key := range slices.Sorted(maps.Keys(english)) {
		if !regexp.MustCompile(`['"]` + key + `['"]`).MatchString(code.String()) {
			t.Errorf("%s is used nowhere", key)
		}
	}
	for _, used := range regexp.MustCompile(`data-(?:text|label)="(\w+)"|\bt\('(\w+)'|'(why[A-Z]\w*|notice[A-Z]\w*|wait[A-Z]\w*|fact[A-Z]\w*)'`).FindAllStringSubmatch(code.String(), -1) {
		if key := used[1] + used[2] + used[3]; english[key] == "" {
			t.Errorf("%s is used and not there", key)
		}
	}
}
