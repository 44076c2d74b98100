package auth_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// The rules of the house, over all packages of this module. Folders with a
// go.mod of their own are other modules.

const (
	module = "github.com/authlatch/auth"
	jwx    = "github.com/lestrrat-go/jwx/v2"
	crypto = "golang.org/x/crypto"
)

// arrows says what each folder may import beside the standard library: folders
// of ours, and modules of others. A folder that does not exist yet may stand
// here; one that exists must.
var arrows = map[string][]string{
	".":                    {"internal/crossorigin", "internal/ctxkey", "internal/registered"},
	"internal/ctxkey":      nil,
	"internal/crossorigin": nil,
	"internal/forwarded":   nil,
	"internal/interleave":  {"store"}, // for tests
	"internal/jose":        {jwx, crypto, "internal/registered"},
	"internal/logins":      {"store", "internal/queue", "internal/stored"},
	"internal/queue":       nil,
	"internal/registered":  nil,
	"internal/stored":      nil,
	"internal/simulate":    {".", "store", "token", "internal/logins"}, // for tests
	"cookie":               {crypto},
	"store":                nil,
	"store/storetest":      {"store"},
	"password":             {".", crypto},
	"onetime":              {".", "store", "internal/stored"},
	"session":              {".", "cookie", "store", "internal/crossorigin", "internal/logins", "internal/queue", "internal/stored"},
	"token":                {".", "cookie", "store", "internal/crossorigin", "internal/logins", "internal/registered", "internal/stored", "internal/jose"},
	"token/browser":        nil,
	"throttle":             {".", "cookie", "store", "internal/crossorigin", "internal/forwarded", "internal/queue", "internal/stored"},
	"middleware":           {".", "internal/crossorigin", "internal/ctxkey", "internal/forwarded", "internal/stored"},

	// Programs import whatever a user can.
	"examples/quickstart": public,
	"examples/session":    public,
	"examples/account":    public,
	"examples/token":      public,
	"examples/spa":        public,
	"examples/services":   public,
	"examples/demo":       public,
}

var public = []string{".", "cookie", "store", "password", "onetime", "session", "token", "token/browser", "throttle", "middleware"}

// banned are imports that no code but a test has, with the reason.
var banned = map[string]string{
	"math/rand":    "secrets come from crypto/rand",
	"math/rand/v2": "secrets come from crypto/rand",
	"crypto/md5":   "it is broken",
	"crypto/sha1":  "it is broken",
	"encoding/gob": "it decodes into any type (ASVS 5.0, 1.5.2)",
}

// exempt are files that may import what is banned, each for a stated reason.
var exempt = map[string]string{
	"store/storetest/contexts.go":   "calls are cancelled at any moment",
	"store/storetest/parallel.go":   "clients pause for a moment",
	"internal/simulate/simulate.go": "a schedule is made from its seed",
	"internal/simulate/world.go":    "a schedule is made from its seed",
	"internal/simulate/day.go":      "a day is made from its seed",
}

// folder is a package as it stands on the disk, whatever the build tags say.
type folder struct {
	name  string // slash-separated, "." for the root
	code  []*source
	tests []*source
}

type source struct {
	name    string // from the root
	file    *ast.File
	lines   int
	imports []string
}

func (f folder) internal() bool { return slices.Contains(strings.Split(f.name, "/"), "internal") }

var files = token.NewFileSet()

// house parses the module once. It walks the folders itself instead of asking
// go list: then it needs no module cache, sees files for every system, and a
// cached test result ends when a folder changes.
var house = sync.OnceValues(func() ([]folder, error) {
	byName := make(map[string]*folder)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return skip(name)
		case !strings.HasSuffix(name, ".go"):
			return nil
		}
		s, err := parse(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		dir := path.Dir(s.name)
		f := byName[dir]
		if f == nil {
			f = &folder{name: dir}
			byName[dir] = f
		}
		if strings.HasSuffix(s.name, "_test.go") {
			f.tests = append(f.tests, s)
		} else {
			f.code = append(f.code, s)
		}
		return nil
	})
	var folders []folder
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		folders = append(folders, *byName[name])
	}
	return folders, err
})

// skip passes over what is no package of this module.
func skip(dir string) error {
	base := filepath.Base(dir)
	if dir == "." {
		return nil
	}
	if base == "testdata" || base[0] == '.' || base[0] == '_' {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

func parse(name string) (*source, error) {
	file, err := parser.ParseFile(files, filepath.FromSlash(name), nil, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s := &source{name: name, file: file, lines: files.File(file.FileStart).LineCount()}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}

func folders(t *testing.T) []folder {
	t.Helper()
	all, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("there is no package")
	}
	return all
}

// standard reports whether a path is one of the standard library.
func standard(imported string) bool {
	first, _, _ := strings.Cut(imported, "/")
	return !strings.Contains(first, ".")
}

// ours returns the folder of a package of this module.
func ours(imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

// within reports whether a path is that of a module or of a package in it.
func within(imported, module string) bool {
	return imported == module || strings.HasPrefix(imported, module+"/")
}

// Every arrow points down: a package imports only what is below it.
func TestImportsFollowTheArrows(t *testing.T) {
	for _, f := range folders(t) {
		allowed, listed := arrows[f.name]
		if !listed {
			t.Errorf("%s is not in the table of arrows", f.name)
			continue
		}
		for _, s := range f.code {
			for _, imported := range s.imports {
				if !standard(imported) && !slices.ContainsFunc(allowed, func(a string) bool { return leadsTo(a, imported) }) {
					t.Errorf("%s imports %s", s.name, imported)
				}
			}
		}
		// Tests may import all of ours, and of others what their package may.
		for _, s := range f.tests {
			for _, imported := range s.imports {
				if _, our := ours(imported); !standard(imported) && !our && !slices.ContainsFunc(allowed, func(a string) bool { return leadsTo(a, imported) }) {
					t.Errorf("%s imports %s: tests use the standard library", s.name, imported)
				}
			}
		}
	}
}

// leadsTo reports whether an entry of the table of arrows allows an import.
func leadsTo(allowed, imported string) bool {
	if name, our := ours(imported); our {
		return name == allowed
	}
	return within(imported, allowed)
}

// The table itself points down: nothing in it leads back to where it came from.
func TestArrowsHaveNoCircle(t *testing.T) {
	var visit func(name string, above []string)
	visit = func(name string, above []string) {
		if slices.Contains(above, name) {
			t.Fatalf("a circle: %q, %s", above, name)
		}
		for _, next := range arrows[name] {
			visit(next, append(slices.Clone(above), name))
		}
	}
	for name := range arrows {
		visit(name, nil)
	}
}

// jwx is used for its primitives alone, and behind one folder.
func TestOnlyJoseImportsJWX(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range slices.Concat(f.code, f.tests) {
			for _, imported := range s.imports {
				if within(imported, "github.com/lestrrat-go") && f.name != "internal/jose" {
					t.Errorf("%s imports %s", s.name, imported)
				}
				if within(imported, jwx+"/jwt") || within(imported, jwx+"/jwe") {
					t.Errorf("%s imports %s", s.name, imported)
				}
			}
		}
	}
}

// A program that uses only sessions links no jwx, and none of what that needs.
func TestASessionProgramLinksNoJWX(t *testing.T) {
	imports := make(map[string][]string)
	for _, f := range folders(t) {
		for _, s := range f.code {
			imports[f.name] = append(imports[f.name], s.imports...)
		}
	}
	for _, program := range []string{"examples/quickstart", "examples/session"} {
		seen := make(map[string]bool)
		var visit func(name string)
		visit = func(name string) {
			for _, imported := range imports[name] {
				next, our := ours(imported)
				switch {
				case our && !seen[next]:
					seen[next] = true
					visit(next)
				case !our && !standard(imported) && !within(imported, crypto):
					t.Errorf("%s links %s, by way of %s", program, imported, name)
				}
			}
		}
		if visit(program); !seen["session"] {
			t.Errorf("%s does not use sessions", program)
		}
	}
}

// ASVS 5.0, 11.4.1 and 11.5.1.
func TestNoBannedImports(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range f.code {
			for _, imported := range s.imports {
				if why, is := banned[imported]; is && exempt[s.name] == "" {
					t.Errorf("%s imports %s: %s", s.name, imported, why)
				}
			}
		}
	}
}

// What runs before main cannot be seen, ordered or tested.
func TestNoInit(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range f.code {
			for _, decl := range s.file.Decls {
				if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
					t.Errorf("%v: func init", files.Position(fn.Pos()))
				}
			}
		}
	}
}

func TestFilesHaveAtMost500Lines(t *testing.T) {
	for _, f := range folders(t) {
		for _, s := range f.code {
			if s.lines > 500 {
				t.Errorf("%s has %d lines", s.name, s.lines)
			}
		}
	}
}

func TestModuleRequiresTwoModules(t *testing.T) {
	edit := exec.Command("go", "mod", "edit", "-json")
	edit.Stderr = t.Output()
	out, err := edit.Output()
	if err != nil {
		t.Fatal(err)
	}
	var mod struct {
		Module  struct{ Path string }
		Require []struct {
			Path     string
			Indirect bool
		}
		Replace []struct{}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	if mod.Module.Path != module {
		t.Errorf("the module is %s", mod.Module.Path)
	}
	for _, r := range mod.Require {
		if !r.Indirect && r.Path != jwx && r.Path != crypto {
			t.Errorf("go.mod requires %s", r.Path)
		}
	}
	if len(mod.Replace) > 0 {
		t.Error("go.mod replaces, which users do not get")
	}
}
