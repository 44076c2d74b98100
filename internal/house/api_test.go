package house

import (
	"go/ast"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// api returns the packages that a user can import.
func api(t *testing.T) []folder {
	return slices.DeleteFunc(slices.Clone(folders(t)), func(f folder) bool {
		return f.internal() || len(f.code) == 0 || f.code[0].file.Name.Name == "main"
	})
}

func TestPackagesHaveOnePackageComment(t *testing.T) {
	var wrong findings
	for _, f := range api(t) {
		comments := 0
		for _, s := range f.code {
			if s.file.Doc != nil {
				comments++
			}
		}
		if comments != 1 {
			wrong.add("%s has %d", f.name, comments)
		}
	}
	wrong.report(t, "write exactly one package comment, above the package clause of one file")
}

// Every exported identifier, method and field has a doc comment. For constants and
// variables the comment of the group suffices. For these and for fields a comment at the
// end of the line suffices.
func TestEverythingExportedIsDocumented(t *testing.T) {
	var missing findings
	for _, f := range api(t) {
		for _, s := range f.code {
			for _, decl := range s.file.Decls {
				undocumented(decl, func(name string, pos token.Pos) {
					missing.add("%v: %s", files.Position(pos), name)
				})
			}
		}
	}
	missing.report(t, "write a doc comment that begins with the name, or unexport the name")
}

func undocumented(decl ast.Decl, report func(name string, pos token.Pos)) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if visible(d) && d.Doc == nil {
			report(d.Name.Name, d.Pos())
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
						report(name.Name, name.Pos())
					}
				}
			case *ast.TypeSpec:
				if !s.Name.IsExported() {
					continue
				}
				if s.Doc == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					report(s.Name.Name, s.Pos())
				}
				undocumentedFields(s.Name.Name, s.Type, report)
			}
		}
	}
}

// undocumentedFields checks the fields of structs and the methods of interfaces,
// including those nested in the type of a field.
func undocumentedFields(of string, typ ast.Expr, report func(name string, pos token.Pos)) {
	ast.Inspect(typ, func(n ast.Node) bool {
		var list *ast.FieldList
		switch n := n.(type) {
		case *ast.FuncType:
			return false // the names of parameters need no comment
		case *ast.StructType:
			list = n.Fields
		case *ast.InterfaceType:
			list = n.Methods
		default:
			return true
		}
		for _, field := range list.List {
			if _, embeds := n.(*ast.InterfaceType); embeds && len(field.Names) == 0 {
				continue // it is documented where it is declared
			}
			for _, name := range fieldNames(field) {
				if ast.IsExported(name) && field.Doc == nil && field.Comment == nil {
					report(of+"."+name, field.Pos())
				}
			}
		}
		return true
	})
}

// fieldNames returns the names of a field, or that of the type it embeds.
func fieldNames(field *ast.Field) []string {
	if len(field.Names) == 0 {
		return []string{typeName(field.Type)}
	}
	var names []string
	for _, name := range field.Names {
		names = append(names, name.Name)
	}
	return names
}

// typeName returns the name of T in T, *T, pkg.T and T[P], or nothing.
func typeName(typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return typ.Name
	case *ast.StarExpr:
		return typeName(typ.X)
	case *ast.ParenExpr:
		return typeName(typ.X)
	case *ast.SelectorExpr:
		return typ.Sel.Name
	case *ast.IndexExpr:
		return typeName(typ.X)
	case *ast.IndexListExpr:
		return typeName(typ.X)
	}
	return ""
}

// visible reports whether users of the package can call a function or method.
func visible(d *ast.FuncDecl) bool {
	return d.Name.IsExported() && (d.Recv == nil || ast.IsExported(typeName(d.Recv.List[0].Type)))
}

// No exported signature mentions a type of another module, or of an internal package,
// which could be an alias of such a type.
func TestSignaturesMentionNoForeignType(t *testing.T) {
	var mentioned findings
	for _, f := range api(t) {
		for _, s := range f.code {
			foreign := foreignNames(s)
			for _, decl := range s.file.Decls {
				for _, part := range signature(decl) {
					ast.Inspect(part, func(n ast.Node) bool {
						sel, ok := n.(*ast.SelectorExpr)
						if !ok {
							return true
						}
						if pkg, ok := sel.X.(*ast.Ident); ok && foreign[pkg.Name] != "" {
							mentioned.add("%v: %s of %s", files.Position(sel.Pos()), sel.Sel.Name, foreign[pkg.Name])
						}
						return true
					})
				}
			}
		}
	}
	mentioned.report(t, "use types of the standard library or of a public package in exported signatures")
}

// foreignNames maps the names of imports whose types must not occur in signatures to
// their paths.
func foreignNames(s *source) map[string]string {
	version := regexp.MustCompile(`^v[0-9]+$`)
	names := make(map[string]string)
	for i, imported := range s.imports {
		folder, our := ours(imported)
		if standard(imported) || our && !strings.HasPrefix(folder, "internal/") {
			continue
		}
		name := path.Base(imported)
		if version.MatchString(name) {
			name = path.Base(path.Dir(imported))
		}
		if as := s.file.Imports[i].Name; as != nil {
			name = as.Name
		}
		names[name] = imported
	}
	return names
}

// signature returns the parts of a declaration that users depend on. Unexported
// aliases are included, because another signature may use them. So are the values of
// exported variables, because they may determine the type.
func signature(decl ast.Decl) []ast.Node {
	var parts []ast.Node
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if visible(d) {
			parts = append(parts, d.Type)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.ValueSpec:
				if slices.ContainsFunc(s.Names, (*ast.Ident).IsExported) {
					parts = append(parts, s)
				}
			case *ast.TypeSpec:
				if s.Assign.IsValid() {
					parts = append(parts, s.Type)
				} else if s.Name.IsExported() {
					parts = append(parts, exportedParts(s)...)
				}
			}
		}
	}
	return parts
}

// exportedParts omits unexported fields of a struct and unexported methods of an
// interface.
func exportedParts(s *ast.TypeSpec) []ast.Node {
	var list *ast.FieldList
	switch typ := s.Type.(type) {
	case *ast.StructType:
		list = typ.Fields
	case *ast.InterfaceType:
		list = typ.Methods
	default:
		return []ast.Node{s.Type}
	}
	var parts []ast.Node
	if s.TypeParams != nil {
		parts = append(parts, s.TypeParams)
	}
	for _, field := range list.List {
		if len(field.Names) == 0 || slices.ContainsFunc(field.Names, (*ast.Ident).IsExported) {
			parts = append(parts, field.Type)
		}
	}
	return parts
}
