package house

import (
	"flag"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A test that proves a requirement says so in the comment above it: "ASVS 5.0,
// 7.2.4." The table in docs/security.md names the same tests, of all modules.
//
//	go test ./internal/house -run ASVS -update
//
// writes its last column anew.
var update = flag.Bool("update", false, "write the tests into docs/security.md")

const asvsTable = "docs/security.md"

var (
	// asvsList takes the list after the name: "16.2.1, 16.2.2 and 16.3.2". No
	// range, since whoever looks for an id must find it.
	asvsList = regexp.MustCompile(`ASVS(?: 5\.0)?,?((?:(?:,|,? and)? [0-9]+\.[0-9]+\.[0-9]+)+)( to [0-9])?`)
	asvsName = regexp.MustCompile(`ASVS [0-9]`)
	asvsID   = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	asvsRow  = regexp.MustCompile(`^\| ([0-9]+)\.([0-9]+)\.([0-9]+) \| ([123]) \| ([^|]+) \| (default|offered|not offered) \| ([^|]*) \|$`)
)

// The numbers of requirements that a library can meet, or help to meet.
const asvsRows = 144

func TestASVSTableNamesTheTestsThatProveIt(t *testing.T) {
	proofs := asvsProofs(t)
	text, err := os.ReadFile(asvsTable)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	seen := make(map[string]bool)
	var last []string
	for i, line := range lines {
		cells := asvsRow.FindStringSubmatch(line)
		if cells == nil {
			if asvsID.MatchString(line) && strings.HasPrefix(line, "| ") {
				t.Errorf("%s:%d: a row of another form: write it like its neighbours, six cells", asvsTable, i+1)
			}
			continue
		}
		id := strings.Join(cells[1:4], ".")
		if last != nil && slices.Compare(numbers(last), numbers(cells[1:4])) >= 0 {
			t.Errorf("%s:%d: %s is not in its place: sort the rows by number", asvsTable, i+1, id)
		}
		last, seen[id] = cells[1:4], true
		want := proofs.column(id)
		switch {
		case cells[6] == "not offered":
			if want != "" || cells[7] == "" {
				t.Errorf("%s is not offered: the last column says why, and no test carries it: %q", id, want)
			}
		case want == "":
			t.Errorf("no test carries %s, %s: write \"ASVS 5.0, %s.\" above the test that proves it", id, cells[5], id)
		case *update:
			lines[i] = strings.TrimSuffix(line, cells[7]+" |") + want + " |"
		case cells[7] != want:
			t.Errorf("%s names %q for %s, and %q carry it: renamed? run go test ./internal/house -run ASVS -update", asvsTable, cells[7], id, want)
		}
	}
	if len(seen) != asvsRows {
		t.Errorf("%s has %d rows, want %d: restore the row, or change asvsRows in internal/house/asvs_test.go", asvsTable, len(seen), asvsRows)
	}
	for id := range proofs {
		if !seen[id] {
			t.Errorf("%q carry %s, which is not in the table: correct the number in the comment, or add a row", proofs.column(id), id)
		}
	}
	if *update {
		if err := os.WriteFile(asvsTable, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func numbers(parts []string) []string {
	var padded []string
	for _, part := range parts {
		padded = append(padded, fmt.Sprintf("%3s", part))
	}
	return padded
}

// asvs maps each id to the tests that carry it, by folder.
type asvs map[string]map[string][]string

// column is what the table says of an id.
func (a asvs) column(id string) string {
	var parts []string
	for _, folder := range slices.Sorted(maps.Keys(a[id])) {
		names := slices.Compact(slices.Sorted(slices.Values(a[id][folder])))
		parts = append(parts, folder+": "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}

// asvsProofs reads the comments above all tests, in all modules.
func asvsProofs(t *testing.T) asvs {
	t.Helper()
	found := make(asvs)
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch base := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base[0] == '.' || base[0] == '_' || base == "testdata" || base == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, "_test.go"):
			return nil
		}
		s, err := parse(filepath.ToSlash(name))
		if err != nil {
			return err
		}
		for _, decl := range s.file.Decls {
			if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && proves(fn.Name.Name) {
				found.read(t, path.Dir(s.name), fn)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func proves(name string) bool {
	return slices.ContainsFunc([]string{"Test", "Fuzz", "Example"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func (a asvs) read(t *testing.T, folder string, fn *ast.FuncDecl) {
	if folder == "." {
		folder = "auth"
	}
	comment := strings.Join(strings.Fields(fn.Doc.Text()), " ")
	lists := asvsList.FindAllStringSubmatch(comment, -1)
	if len(lists) != len(asvsName.FindAllString(comment, -1)) {
		t.Errorf("%v: the comment names ASVS without an id: write \"ASVS 5.0, 1.2.3.\"", files.Position(fn.Pos()))
	}
	for _, list := range lists {
		if list[2] != "" {
			t.Errorf("%v: the comment has a range of ids: name each, so that a search finds it", files.Position(fn.Pos()))
		}
		for _, id := range asvsID.FindAllString(list[1], -1) {
			if a[id] == nil {
				a[id] = make(map[string][]string)
			}
			a[id][folder] = append(a[id][folder], fn.Name.Name)
		}
	}
}

// The comments are found however they are written today.
func TestASVSCommentsAreRead(t *testing.T) {
	for comment, want := range map[string]string{
		"ASVS 5.0, 16.2.5.":                                "16.2.5",
		"ASVS 3.3.5: what Seal returns can be set":         "3.3.5",
		"B11, ASVS 5.0, 7.2.4":                             "7.2.4",
		"The boundaries of RFC 9470, 3 (ASVS 5.0, 7.5.1).": "7.5.1",
		"ASVS 5.0, 6.8.4, 8.2.1 and 16.5.2. More":          "6.8.4 8.2.1 16.5.2",
		"ASVS 5.0, 6.5.5, and 4.4.3 for a ticket":          "6.5.5 4.4.3",
		"ASVS 5.0, 11.4.2, appendix C.":                    "11.4.2",
		"ASVS 5.0, 6.4.1; CVE-2020-15222, 1.2.3":           "6.4.1",
		"RFC 9068, 4; ASVS 11.2.2 and 13.3.4":              "11.2.2 13.3.4",
		"RFC 9068, 2.2.1":                                  "",
	} {
		var got []string
		for _, list := range asvsList.FindAllStringSubmatch(comment, -1) {
			got = append(got, asvsID.FindAllString(list[1], -1)...)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %q", comment, got, want)
		}
	}
}
