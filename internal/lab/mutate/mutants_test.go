package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sourceText = `package p

const limit = 10

var on = true

type list[T any] struct{ n int }

func (l *list[T]) add(x, y int) error {
	if x < y && ready() {
		return errFull
	}
	l.n += min(x, y)
	close()
	a := make([]int, 0, 7)
	b := [4]int{}
	switch {
	case x == y:
		close()
	}
	for !ready() {
		continue
	}
	_, _ = a, b
	return nil
}
`

func changes(t *testing.T, text string) (all []string) {
	t.Helper()
	mutants, err := mutantsIn("p/p.go", []byte(text), make(map[string]int))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		all = append(all, m.key())
	}
	return all
}

func TestEveryKindOfMistakeIsMade(t *testing.T) {
	got := changes(t, sourceText)
	for _, want := range []string{
		"p limit: 10 → 11",
		"p on: true → false",
		"p list.add: x < y && ready() → x < y",
		"p list.add: x < y && ready() → ready()",
		"p list.add: x < y → x <= y",
		"p list.add: x < y && ready() → !(x < y && ready())",
		"p list.add: if x < y && ready(): without its body",
		"p list.add: return errFull → nil",
		"p list.add: without l.n += min(x, y)",
		"p list.add: min → max",
		"p list.add: without close()",
		"p list.add: without close() (2)",
		"p list.add: case x == y: without its body",
		"p list.add: x == y → x != y",
		"p list.add: !ready() → !(!ready())",
		"p list.add: without continue",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, key := range got {
		if strings.Contains(key, "7") || strings.Contains(key, "4") {
			t.Errorf("a size or a length was changed: %s", key)
		}
	}
}

func TestKeysAreUniqueAndOutliveChangesElsewhere(t *testing.T) {
	before := changes(t, sourceText)
	after := changes(t, strings.Replace(sourceText, "type list", "func other() { close() }\n\ntype list", 1))
	for _, key := range before {
		if !slices.Contains(after, key) {
			t.Errorf("%s has another key after a change elsewhere", key)
		}
	}
	slices.Sort(before)
	if unique := slices.Compact(slices.Clone(before)); len(unique) != len(before) {
		t.Errorf("%d keys for %d mutants", len(unique), len(before))
	}
}

func TestAMutantChangesOnePlaceOfTheSource(t *testing.T) {
	mutants, err := mutantsIn("p/p.go", []byte(sourceText), make(map[string]int))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutants {
		source := string(m.source())
		if source == sourceText {
			t.Errorf("%s changes nothing", m.key())
		}
		if !strings.HasPrefix(source, sourceText[:m.start]) || !strings.HasSuffix(source, sourceText[m.end:]) {
			t.Errorf("%s changes more than its place", m.key())
		}
		if _, err := mutantsIn("p/p.go", m.source(), make(map[string]int)); err != nil {
			t.Errorf("%s is not Go: %v", m.key(), err)
		}
	}
}

func TestASampleIsTheSameAgainAndStaysMostlyAfterAChange(t *testing.T) {
	all, err := mutantsIn("p/p.go", []byte(sourceText), make(map[string]int))
	if err != nil {
		t.Fatal(err)
	}
	keys := func(mutants []mutant) (keys []string) {
		for _, m := range mutants {
			keys = append(keys, m.key())
		}
		return keys
	}
	one := keys(sample(all, 8, 1))
	if len(one) != 8 || !slices.Equal(one, keys(sample(all, 8, 1))) {
		t.Error("the same seed selects other mutants")
	}
	if slices.Equal(one, keys(sample(all, 8, 2))) {
		t.Error("another seed selects the same mutants")
	}
	if len(sample(all, 0, 1)) != len(all) || len(sample(all, 1000, 1)) != len(all) {
		t.Error("all is not all")
	}
	fewer := keys(sample(all[1:], 8, 1))
	same := 0
	for _, key := range fewer {
		if slices.Contains(one, key) {
			same++
		}
	}
	if same < 7 {
		t.Errorf("without one mutant only %d of 8 stay", same)
	}
}

func TestAcceptedSurvivorsNeedAReasonAndMustExist(t *testing.T) {
	read := func(text string) (map[string]string, error) {
		file := filepath.Join(t.TempDir(), "accepted.txt")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return readAccepted(file)
	}
	accepted, err := read("# comment\n\np limit: 10 → 11\n\tA bound of work,\n\tnot a promise.\nq f: a → b\n  Same.\n")
	if err != nil || len(accepted) != 2 || accepted["p limit: 10 → 11"] != "A bound of work, not a promise." {
		t.Errorf("%v, %v", accepted, err)
	}
	for _, text := range []string{"p limit: 10 → 11\n", "p limit: 10 → 11\n\n# x\nq f: a → b\n\tSame.\n", "a\n\tx\na\n\ty\n"} {
		if _, err := read(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	all, err := mutantsIn("p/p.go", []byte(sourceText), make(map[string]int))
	if err != nil {
		t.Fatal(err)
	}
	stale := staleEntries(map[string]string{"p limit: 10 → 11": "x", "p gone: a → b": "x", "q f: a → b": "x"}, "p", all)
	if !slices.Equal(stale, []string{"p gone: a → b"}) {
		t.Errorf("%q", stale)
	}
}
