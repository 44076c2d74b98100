package house

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/lab/fences"
)

// Blocks that use other modules are compiled by the test of this name in
// internal/lab/conformance.
func TestGoBlocksOfTheDocsCompile(t *testing.T) {
	texts := docs(t)
	checker, err := fences.NewChecker(".", "./...")
	if err != nil {
		t.Fatal(err)
	}
	var broken findings
	for name, text := range texts {
		blocks, err := fences.Programs(".", name, text)
		if err != nil {
			broken.add("%v", err)
		}
		for _, b := range blocks {
			if b.Elsewhere() || fences.Tested[name] != "" {
				continue
			}
			if err := checker.Check(name, b); err != nil {
				broken.add("%v", err)
			}
		}
	}
	broken.report(t, "correct these blocks, or name what they take from the program around them, as package fences says")
}

// A block without a language is not highlighted, and not tested.
func TestBlocksOfTheDocsNameTheirLanguage(t *testing.T) {
	var wrong findings
	languages := []string{"go", "diff", "js", "ts", "json", "sql", "console", "sh", "text"}
	indented := regexp.MustCompile(`\n\n(    |\t)+[^ *-]`)
	for name, text := range docs(t) {
		for _, b := range fences.Blocks(text) {
			if !slices.Contains(languages, b.Language) {
				wrong.add("%s:%d: %q", name, b.Line, b.Language)
			}
		}
		if at := indented.FindStringIndex(fenced.ReplaceAllString(text, "")); at != nil {
			wrong.add("%s: indented after %q", name, text[max(0, at[0]-40):at[0]])
		}
	}
	wrong.report(t, "put these blocks between fences, with one of the languages "+strings.Join(languages, ", "))
}

func TestCommandsOfTheDocsExist(t *testing.T) {
	var broken findings
	for name, text := range docs(t) {
		for _, b := range fences.Blocks(text) {
			at := "." // where the cd commands of the block lead
			for line := range strings.Lines(b.Text) {
				command, shown := strings.CutPrefix(line, "$ ")
				if shown || b.Language == "sh" {
					check(&broken, name, &at, command)
				}
			}
		}
		for _, inline := range regexp.MustCompile("`(go (?:-C|run|test) [^`…\n]+)`").FindAllStringSubmatch(text, -1) {
			at := "."
			check(&broken, name, &at, inline[1])
		}
	}
	broken.report(t, "correct these commands; a program, a test or a script has another name")
}

// check adds a finding if one of the commands of a line does not exist.
func check(broken *findings, name string, at *string, line string) {
	line, _, _ = strings.Cut(line, " #")
	for step := range strings.SplitSeq(line, "&&") {
		if err := exists(at, strings.Fields(step)); err != nil {
			broken.add("%s: %s: %v", name, strings.TrimSpace(line), err)
		}
	}
}

// exists reports an error if a command cannot be run: its program, folder, package, test
// or script does not exist. A cd moves at.
func exists(at *string, words []string) error {
	for len(words) > 0 && regexp.MustCompile(`^[A-Z_]+=`).MatchString(words[0]) {
		words = words[1:]
	}
	if len(words) == 0 {
		return nil
	}
	switch command, arguments := words[0], words[1:]; command {
	case "cd":
		if strings.Contains(arguments[0], "$") {
			return nil
		}
		*at = path.Join(*at, arguments[0])
		_, err := os.Stat(*at)
		return err
	case "go":
		return goCommand(*at, arguments)
	case "npm":
		return npmScript(*at, arguments)
	case "curl", "git", "export", "mkcert", "openssl":
		return nil
	case "./test.sh":
		_, err := os.Stat(path.Join(*at, command))
		return err
	}
	return errors.New("not a command that this test knows")
}

func npmScript(at string, arguments []string) error {
	if arguments[0] != "run" {
		return nil
	}
	text, err := os.ReadFile(path.Join(at, "package.json"))
	if err != nil {
		return err
	}
	var config struct{ Scripts map[string]string }
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	if config.Scripts[arguments[1]] == "" {
		return errors.New("no such script in package.json")
	}
	return nil
}

// goCommand checks the folders of a go command, and the names of its tests.
func goCommand(at string, arguments []string) error {
	if arguments[0] == "-C" {
		at, arguments = path.Join(at, arguments[1]), arguments[2:]
	}
	if arguments[0] != "run" && arguments[0] != "test" {
		return nil
	}
	var folder string
	for _, argument := range arguments[1:] {
		if argument == "." || strings.HasPrefix(argument, "./") {
			folder = path.Join(at, strings.TrimSuffix(argument, "/..."))
			break
		}
	}
	if folder == "" {
		return nil // a module by its path
	}
	if _, err := os.Stat(folder); err != nil {
		return err
	}
	var names []string
	for i, argument := range arguments {
		if argument == "-run" || argument == "-fuzz" || argument == "-bench" {
			names = append(names, strings.Trim(arguments[i+1], "'^$"))
		}
	}
	for _, name := range names {
		if err := hasTest(folder, name); err != nil {
			return err
		}
	}
	return nil
}

// hasTest reports an error if no test below a folder has a name with this part.
func hasTest(folder, part string) error {
	test := regexp.MustCompile(`func (Test|Fuzz|Benchmark)\w*` + strings.TrimPrefix(strings.TrimPrefix(part, "Test"), "Fuzz"))
	found := part == "" // -run '^$' runs none
	err := filepath.WalkDir(folder, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := os.ReadFile(name)
		found = found || test.Match(text)
		return err
	})
	if err == nil && !found {
		err = errors.New("no such test")
	}
	return err
}
