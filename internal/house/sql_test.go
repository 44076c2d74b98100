package house

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// SQL statements are constants of the backends, or concatenations of them. Values are
// passed as arguments. Numbers may be formatted into a statement.
//
// ASVS 5.0, 1.2.4.
func TestStatementsOfSQLAreConstants(t *testing.T) {
	atRoot()
	for _, folder := range []string{"store/sqlstore", "store/postgresstore"} {
		names, err := filepath.Glob(filepath.Join(filepath.FromSlash(folder), "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var sources []*source
		constants := make(map[string]bool) // declared by the package
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			s, err := parse(filepath.ToSlash(name))
			if err != nil {
				t.Fatal(err)
			}
			sources = append(sources, s)
			for _, decl := range s.file.Decls {
				values, ok := decl.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range values.Specs {
					if spec, ok := spec.(*ast.ValueSpec); ok {
						for _, name := range spec.Names {
							constants[name.Name] = true
						}
					}
				}
			}
		}
		statements := 0
		for _, s := range sources {
			ast.Inspect(s.file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if isSQL(n) {
						statements++
					}
				case *ast.BinaryExpr:
					parts := operands(n)
					if !containsSQL(parts) {
						return true
					}
					for _, part := range parts {
						switch part := part.(type) {
						case *ast.BasicLit:
						case *ast.Ident:
							if !constants[part.Name] {
								t.Errorf("%v: pass %s as an argument of the statement, or make it a constant of the package", files.Position(part.Pos()), part.Name)
							}
						default:
							t.Errorf("%v: build the statement only of constants, and pass values as arguments", files.Position(part.Pos()))
						}
					}
				case *ast.CallExpr:
					if fn, ok := n.Fun.(*ast.SelectorExpr); ok && fn.Sel.Name == "Sprintf" && containsSQL(n.Args) && !numbersOnly(n.Args[0]) {
						t.Errorf("%v: pass values as arguments of the statement instead of formatting it", files.Position(n.Pos()))
					}
				}
				return true
			})
		}
		if statements < 5 {
			t.Errorf("%s has only %d statements: correct the folders in this test", folder, statements)
		}
	}
}

var sqlWord = regexp.MustCompile(`\b(SELECT|INSERT|UPDATE|DELETE|CREATE|VALUES|WHERE)\b`)

func isSQL(lit *ast.BasicLit) bool { return lit.Kind == token.STRING && sqlWord.MatchString(lit.Value) }

func containsSQL(parts []ast.Expr) bool {
	for _, part := range parts {
		if lit, ok := part.(*ast.BasicLit); ok && isSQL(lit) {
			return true
		}
	}
	return false
}

// operands returns the parts of a chain of additions.
func operands(e ast.Expr) []ast.Expr {
	if sum, ok := e.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
		return append(operands(sum.X), operands(sum.Y)...)
	}
	return []ast.Expr{e}
}

// numbersOnly reports whether a format has no verb but %d.
func numbersOnly(format ast.Expr) bool {
	lit, ok := format.(*ast.BasicLit)
	if !ok {
		return false
	}
	text, err := strconv.Unquote(lit.Value)
	return err == nil && strings.Count(text, "%") == strings.Count(text, "%d")
}
