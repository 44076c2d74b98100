package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A mutant replaces one piece of the source of a file.
type mutant struct {
	file     string // from the root, with slashes
	function string // "Memory.Get", or the name of a constant or variable
	change   string // "a < b → a <= b"
	again    int    // how many equal changes of the function come before it

	line       int
	start, end int // offsets into text
	new        string
	text       []byte
}

// key names a mutant in accepted.txt. It has no file and no line, so it outlives
// changes elsewhere in the package and a move to another of its files.
func (m mutant) key() string {
	key := path.Dir(m.file) + " " + m.function + ": " + m.change
	if m.again > 0 {
		key += fmt.Sprintf(" (%d)", m.again+1)
	}
	return key
}

// source returns the file with the mistake in it.
func (m mutant) source() []byte {
	return slices.Concat(m.text[:m.start], []byte(m.new), m.text[m.end:])
}

// mutantsOf returns the mutants of a package in the order of its source.
func mutantsOf(root, name string) (all []mutant, err error) {
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(name), "*.go"))
	if err != nil {
		return nil, err
	}
	seen := make(map[string]int)
	for _, file := range names {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		found, err := mutantsIn(path.Join(name, filepath.Base(file)), text, seen)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("there is no Go code")
	}
	return all, nil
}

// mutantsIn returns the mutants of one file. It counts keys in seen.
func mutantsIn(file string, text []byte, seen map[string]int) ([]mutant, error) {
	f := &finder{file: file, text: text, files: token.NewFileSet(), seen: seen}
	parsed, err := parser.ParseFile(f.files, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range parsed.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			f.function = nameOf(decl)
			ast.Inspect(decl, f.visit)
		case *ast.GenDecl:
			f.values(decl)
		}
	}
	return f.found, nil
}

// values looks into constants and variables.
func (f *finder) values(decl *ast.GenDecl) {
	for _, spec := range decl.Specs {
		if spec, ok := spec.(*ast.ValueSpec); ok {
			f.function = spec.Names[0].Name
			ast.Inspect(spec, f.visit)
		}
	}
}

// nameOf returns the name of a function, with its receiver's type before it.
func nameOf(decl *ast.FuncDecl) string {
	if decl.Recv == nil {
		return decl.Name.Name
	}
	for e := decl.Recv.List[0].Type; ; {
		switch t := e.(type) {
		case *ast.StarExpr:
			e = t.X
		case *ast.IndexExpr:
			e = t.X
		case *ast.IndexListExpr:
			e = t.X
		case *ast.Ident:
			return t.Name + "." + decl.Name.Name
		default:
			return decl.Name.Name
		}
	}
}

// A finder collects the mutants of a file.
type finder struct {
	file, function string
	text           []byte
	files          *token.FileSet
	found          []mutant
	seen           map[string]int
}

func (f *finder) offset(pos token.Pos) int { return f.files.Position(pos).Offset }

func (f *finder) source(n ast.Node) string {
	return string(f.text[f.offset(n.Pos()):f.offset(n.End())])
}

// replace adds a mutant that has new in the place of a node.
func (f *finder) replace(n ast.Node, new string) { f.add(n, new, f.source(n)+" → "+new) }

// drop adds a mutant without a statement.
func (f *finder) drop(n ast.Node) { f.add(n, "", "without "+f.source(n)) }

func (f *finder) add(n ast.Node, new, change string) {
	m := mutant{
		file: f.file, function: f.function, change: strings.Join(strings.Fields(change), " "),
		line: f.files.Position(n.Pos()).Line, start: f.offset(n.Pos()), end: f.offset(n.End()),
		new: new, text: f.text,
	}
	key := m.key()
	m.again = f.seen[key]
	f.seen[key]++
	f.found = append(f.found, m)
}

// swaps are operators and those that take their place.
var swaps = map[token.Token]token.Token{
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.ADD: token.SUB, token.SUB: token.ADD, token.MUL: token.QUO, token.QUO: token.MUL, token.REM: token.MUL,
	token.SHL: token.SHR, token.SHR: token.SHL, token.AND: token.OR, token.OR: token.AND, token.XOR: token.AND,
	token.AND_NOT: token.AND,
}

// visit adds the mutants of one node, and reports whether to go on inside it.
func (f *finder) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		f.binary(n)
	case *ast.IfStmt:
		f.condition(n.Cond)
		if len(n.Body.List) > 0 {
			f.add(n.Body, "{ }", "if "+f.source(n.Cond)+": without its body")
		}
	case *ast.ForStmt:
		f.condition(n.Cond)
	case *ast.CaseClause:
		f.clause(n)
	case *ast.ExprStmt, *ast.DeferStmt, *ast.IncDecStmt, *ast.BranchStmt, *ast.SendStmt:
		f.drop(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			f.drop(n)
		}
	case *ast.ReturnStmt:
		f.results(n)
	case *ast.Ident:
		f.name(n)
	case *ast.BasicLit:
		f.number(n)
	case *ast.CallExpr:
		return !f.sizeOnly(n)
	case *ast.ArrayType: // its length is bound to be used elsewhere too
		return false
	}
	return true
}

// binary swaps the operator, or leaves one operand out of && and ||.
func (f *finder) binary(n *ast.BinaryExpr) {
	x, y := f.source(n.X), f.source(n.Y)
	if n.Op == token.LAND || n.Op == token.LOR {
		f.replace(n, x)
		f.replace(n, y)
		return
	}
	if other, ok := swaps[n.Op]; ok {
		f.replace(n, x+" "+other.String()+" "+y)
	}
}

// condition negates what is not a comparison, which binary does.
func (f *finder) condition(cond ast.Expr) {
	if cond == nil {
		return
	}
	if b, ok := cond.(*ast.BinaryExpr); ok {
		switch b.Op {
		case token.EQL, token.NEQ:
			return
		}
	}
	f.replace(cond, "!("+f.source(cond)+")")
}

// clause empties a case.
func (f *finder) clause(n *ast.CaseClause) {
	if len(n.Body) == 0 {
		return
	}
	label := "default"
	if len(n.List) > 0 {
		label = "case " + string(f.text[f.offset(n.List[0].Pos()):f.offset(n.List[len(n.List)-1].End())])
	}
	first, last := n.Body[0], n.Body[len(n.Body)-1]
	f.add(span{first, last}, "", label+": without its body")
}

// A span is what stands from one node to the end of another.
type span struct{ first, last ast.Node }

func (s span) Pos() token.Pos { return s.first.Pos() }
func (s span) End() token.Pos { return s.last.End() }

// results returns nil in the place of an error.
func (f *finder) results(n *ast.ReturnStmt) {
	if len(n.Results) == 0 {
		return
	}
	if last := n.Results[len(n.Results)-1]; isError(f.source(last)) {
		f.add(last, "nil", f.source(n)+" → nil")
	}
}

// isError judges by the name, since nothing here knows types.
func isError(source string) bool {
	for _, prefix := range []string{"err", "Err", "auth.Err", "fmt.Errorf(", "errors.New(", "errors.Join(", "cmp.Or(err"} {
		if strings.HasPrefix(source, prefix) {
			return true
		}
	}
	return false
}

var names = map[string]string{"true": "false", "false": "true", "min": "max", "max": "min"}

func (f *finder) name(n *ast.Ident) {
	if other, ok := names[n.Name]; ok {
		f.replace(n, other)
	}
}

// number adds one to an integer.
func (f *finder) number(n *ast.BasicLit) {
	if n.Kind != token.INT {
		return
	}
	if value, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
		f.replace(n, strconv.FormatInt(value+1, 10))
	}
}

// sizeOnly reports whether a call only reserves memory, which no test sees.
func (f *finder) sizeOnly(n *ast.CallExpr) bool {
	switch fun := n.Fun.(type) {
	case *ast.Ident:
		return fun.Name == "make" && len(n.Args) != 2 // a capacity, or none
	case *ast.SelectorExpr:
		return fun.Sel.Name == "Grow"
	}
	return false
}
