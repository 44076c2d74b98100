package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/lab/fences"
)

func TestTheReadmeShowsThisProgram(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	// The comment at the top says in words what the README shows around it.
	_, program, _ := bytes.Cut(source, []byte("\npackage main\n"))
	fence := "```go\npackage main\n" + string(program) + "```\n"
	if !bytes.Contains(readme, []byte(fence)) {
		t.Error("README.md does not have the program of examples/quickstart/main.go between ```go and ```, from the package clause on")
	}
}

func TestTheReadmeIsShort(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(readme, []byte("\n")); n > 150 {
		t.Errorf("README.md has %d lines", n)
	}
	if before, _, _ := bytes.Cut(readme, []byte("```go\n")); bytes.Count(before, []byte("\n")) > 9 {
		t.Error("the program in README.md begins after line 10")
	}
}

// The diff in the README, applied to this program, must be a program too.
func TestTokensAreADiffOfAtMost10Lines(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, diff, _ := strings.Cut(string(readme), "```diff\n")
	diff, _, _ = strings.Cut(diff, "```\n")
	changed, err := fences.Apply(string(source), diff)
	if err != nil {
		t.Fatal(err)
	}
	added := strings.Count("\n"+diff, "\n+")
	if added == 0 || added > 10 {
		t.Errorf("the diff adds %d lines", added)
	}
	build(t, changed)
}

// build compiles the program with other text in the place of main.go.
func build(t *testing.T, source string) {
	t.Helper()
	folder := t.TempDir()
	other, overlay := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json")
	main, err := filepath.Abs("main.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{main: other}})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(other, []byte(source), 0o600), os.WriteFile(overlay, text, 0o600)); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", filepath.Join(folder, "out"), ".").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s\n%s", err, out, source)
	}
}

func TestTheProgramHasAtMost25LinesOfBody(t *testing.T) {
	source, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, "main.go", source, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines, count := strings.Split(string(source), "\n"), 0
	for _, declaration := range file.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok {
			continue
		}
		first, last := files.Position(f.Body.Lbrace).Line, files.Position(f.Body.Rbrace).Line
		for _, line := range lines[first : last-1] {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
				count++
			}
		}
	}
	if count == 0 || count > 25 {
		t.Errorf("%d lines within functions", count)
	}
}
