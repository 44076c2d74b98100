package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// atRoot changes to the root of the module, so that file names are relative to it. Tests
// call it before they read files. TestMain could not do so: go test caches results by the
// files that tests open, and learns of a change of the folder only during a test.
var atRoot = sync.OnceFunc(func() {
	for {
		if _, err := os.Stat("go.mod"); err == nil {
			return
		}
		here, err := os.Getwd()
		if err == nil {
			err = os.Chdir("..")
		}
		if err != nil || here == filepath.Dir(here) {
			panic("house: no go.mod in this folder or above it: run go test ./internal/house in the module")
		}
	}
})

// folder is a package on disk, regardless of build tags.
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

func (f folder) lab() bool { return inLab(f.name) }

func inLab(name string) bool { return within(name, "internal/lab") }

func (f folder) internal() bool { return slices.Contains(strings.Split(f.name, "/"), "internal") }

var files = token.NewFileSet()

// house parses the module once. It walks the folders itself instead of calling go list,
// so it needs no module cache, reads the files for every system, and a change of a folder
// invalidates the cached test result.
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

// skip skips folders that are not packages of this module.
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
	atRoot()
	all, err := house()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no package was found: run go test ./internal/house in the module")
	}
	return all
}

// production omits the tools in internal/lab, which no user's program links. The rules of
// form apply to them, but not the rules about secrets.
func production(t *testing.T) []folder {
	return slices.DeleteFunc(slices.Clone(folders(t)), folder.lab)
}
