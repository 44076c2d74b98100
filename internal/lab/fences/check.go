package fences

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/printer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// A Checker type-checks Go code with the packages of a module and of what it imports.
type Checker struct {
	paths    map[string]string // import paths by the name of the package
	exported map[string]string // files with exported types by import path
	files    *token.FileSet
	importer types.Importer
}

// preferred are the import paths of names that several packages have.
var preferred = []string{"crypto/rand", "html/template", "database/sql", "encoding/json", "github.com/authlatch/auth/token"}

// NewChecker returns a Checker for packages, as the module in a folder has them, and for
// all that they import.
func NewChecker(folder string, packages ...string) (*Checker, error) {
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.Name}} {{.ImportPath}} {{.Export}}"}, packages...)...)
	list.Dir, list.Stderr = folder, os.Stderr
	out, err := list.Output()
	if err != nil {
		return nil, err
	}
	c := &Checker{paths: map[string]string{}, exported: map[string]string{}, files: token.NewFileSet()}
	c.importer = importer.ForCompiler(c.files, "gc", c.open)
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "main" { // package unsafe has no file
			continue
		}
		name, path := f[0], f[1]
		c.exported[path] = f[2]
		if private := strings.Contains("/"+path, "/internal/") || strings.Contains("/"+path, "/vendor/"); private {
			continue
		}
		if old := c.paths[name]; old == "" || less(path, old) {
			c.paths[name] = path
		}
	}
	return c, nil
}

// less reports whether a program that uses a name means the package at path rather than
// the one at other: the preferred one, or the one with the shorter path.
func less(path, other string) bool {
	p, o := slices.Contains(preferred, path), slices.Contains(preferred, other)
	if p != o {
		return p
	}
	return cmp.Or(cmp.Compare(len(path), len(other)), cmp.Compare(path, other)) < 0
}

// Knows reports whether the packages that a block uses by these names are at hand.
func (c *Checker) Knows(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return c.paths[name] == "" })
}

// Check type-checks a block of Go. Errors name the document and the line. Unused
// variables and imports are allowed, since a block may be a part of a program.
func (c *Checker) Check(document string, b Block) error {
	line := fmt.Sprintf("//line %s:%d\n", document, b.Line)
	if b.Whole() {
		return c.program(line + b.Text)
	}
	vars, err := variables(b.Vars)
	if err != nil {
		return fmt.Errorf("%s:%d: vars: %w", document, b.Line, err)
	}
	body := vars + line + b.Text
	if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+body, 0); err != nil {
		body = vars + "func _() (err error) {\n" + line + b.Text + "\nreturn err\n}\n"
	}
	imports, err := c.imports(body)
	if err != nil {
		return err
	}
	return c.program("package p\n" + imports + body)
}

// variables returns the declarations of a list of parameters.
func variables(list string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p; func _("+list+") {}", 0)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	for _, field := range file.Decls[0].(*ast.FuncDecl).Type.Params.List {
		for _, name := range field.Names {
			fmt.Fprintf(&b, "var %s ", name.Name)
			if err := printer.Fprint(&b, token.NewFileSet(), field.Type); err != nil {
				return "", err
			}
			b.WriteByte('\n')
		}
	}
	return b.String(), nil
}

// imports returns the imports of the packages that declarations use by their names.
func (c *Checker) imports(declarations string) (string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "", "package p\n"+declarations, 0)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, name := range used(file) {
		if path := c.paths[name]; path != "" {
			fmt.Fprintf(&b, "import %s %q\n", name, path)
		}
	}
	return b.String(), nil
}

// used returns the names before a dot that a file does not declare.
func used(file *ast.File) (names []string) {
	unresolved := map[*ast.Ident]bool{}
	for _, name := range file.Unresolved {
		unresolved[name] = true
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if name, ok := s.X.(*ast.Ident); ok && unresolved[name] {
				names = append(names, name.Name)
			}
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// program type-checks a file.
func (c *Checker) program(source string) error {
	file, err := parser.ParseFile(c.files, "", source, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var all []error
	config := types.Config{
		Importer: c.importer,
		Error: func(err error) {
			if e, ok := errors.AsType[types.Error](err); !ok || !e.Soft {
				all = append(all, err)
			}
		},
	}
	config.Check("p", c.files, []*ast.File{file}, nil) // its error is the first of all
	return errors.Join(all...)
}

func (c *Checker) open(path string) (io.ReadCloser, error) {
	if name := c.exported[path]; name != "" {
		return os.Open(name)
	}
	return nil, fmt.Errorf("no package %q in this module or below it", path)
}
