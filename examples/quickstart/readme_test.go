package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
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
