package fences_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/lab/fences"
)

const document = `text

<!-- vars: w io.Writer -->
` + "```go\n" + `fmt.Fprintln(w)
` + "```\n" + `
<!-- vars: w io.Writer -->
other text
` + "```console\n" + `$ go version
` + "```\n" + `
<!-- of: main.go -->

` + "```diff\n" + `-a
` + "```\n"

func TestBlocksHaveTheirComments(t *testing.T) {
	want := []fences.Block{
		{Line: 5, Language: "go", Text: "fmt.Fprintln(w)\n", Vars: "w io.Writer"},
		{Line: 11, Language: "console", Text: "$ go version\n"},
		{Line: 17, Language: "diff", Text: "-a\n", Of: "main.go"},
	}
	if got := fences.Blocks(document); !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
}

func TestDiffsApplyInOrder(t *testing.T) {
	for _, c := range []struct{ name, program, diff, want string }{
		{"replaces a line", "a\nb\nc\n", "-b\n+d\n", "a\nd\nc\n"},
		{"adds a line at the end", "a\n", " a\n+b\n", "a\nb\n"},
		{"refuses a line that comes earlier", "a\nb\n", "-b\n-a\n", ""},
		{"refuses a line that is not there", "a\n", "-b\n", ""},
	} {
		got, err := fences.Apply(c.program, c.diff)
		if got != c.want || (err != nil) != (c.want == "") {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestBlocksOfGoAreTypeChecked(t *testing.T) {
	checker, err := fences.NewChecker(".", "fmt", "errors", "io")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		block fences.Block
		fault string
	}{
		{"a file", fences.Block{Text: "package p\n\nimport \"fmt\"\n\nvar _ = fmt.Sprint()\n"}, ""},
		{"a file that lacks an import", fences.Block{Text: "package p\n\nvar _ = fmt.Sprint()\n"}, "undefined: fmt"},
		{"declarations", fences.Block{Text: "var s = fmt.Sprint(n)\n", Vars: "n int"}, ""},
		{"statements", fences.Block{Text: "n, err := fmt.Fprintln(w)\n", Vars: "w io.Writer"}, ""},
		{"statements that return an error", fences.Block{Text: "return errors.New(\"a\")\n"}, ""},
		{"a variable that is not named", fences.Block{Text: "fmt.Fprintln(w)\n"}, "guide.md:7: undefined: w"},
		{"a name that the package lacks", fences.Block{Text: "fmt.Nothing()\n"}, "undefined: fmt.Nothing"},
		{"another type", fences.Block{Text: "_, err := fmt.Fprintln(1)\n"}, "cannot use 1"},
		{"no Go", fences.Block{Text: "if {\n"}, "guide.md"},
	} {
		c.block.Line = 7
		err := checker.Check("guide.md", c.block)
		if (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
