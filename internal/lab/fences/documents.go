package fences

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// Documents returns the Markdown files below a folder by their names from there.
func Documents(root string) (map[string]string, error) {
	texts := make(map[string]string)
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		switch base := filepath.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && (base == "node_modules" || base == "testdata" || base == ".git"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".md":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if name, err = filepath.Rel(root, name); err == nil {
			texts[filepath.ToSlash(name)] = string(text)
		}
		return err
	})
	return texts, err
}

// Programs returns the blocks of Go of a document, and its diffs as the programs that they
// make. Files that comments name are below root.
func Programs(root, name, text string) (blocks []Block, err error) {
	program := ""
	for _, b := range Blocks(text) {
		switch {
		case b.Language == "diff":
			if b.Of != "" {
				source, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(b.Of)))
				if err != nil {
					return nil, err
				}
				program = string(source)
			}
			changed, err := Apply(program, b.Text)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", name, b.Line, err)
			}
			b.Text, program = changed, changed
		case b.Language != "go":
			continue
		case b.Whole():
			program = b.Text
		}
		blocks = append(blocks, b)
	}
	return blocks, nil
}

var elsewhere = regexp.MustCompile(`\b(redisstore|postgresstore|sqlstore|etcdstore|pgxpool|chi|cors)\.[A-Z]`)

// Elsewhere reports whether a block uses a package that is not imported by the core, by one
// of the names that are known here. Such blocks are compiled in internal/lab/conformance.
func (b Block) Elsewhere() bool { return elsewhere.MatchString(b.Text) }

// Tested are documents whose code another test compares with code that it runs.
var Tested = map[string]string{
	"docs/migrating.md": "internal/lab/conformance/migrate",
}
