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

// A test that proves a requirement names it in its comment: "ASVS 5.0, 7.2.4." The
// table in docs/security.md names the same tests, of all modules. This command updates
// its last column:
//
//	go test ./internal/house -run ASVS -update
var update = flag.Bool("update", false, "write the tests into docs/security.md")

const asvsTable = "docs/security.md"

var (
	// asvsList matches the list after the name: "16.2.1, 16.2.2 and 16.3.2". Ranges are
	// refused, so that a search for an id finds it.
	asvsList = regexp.MustCompile(`ASVS(?: 5\.0)?,?((?:(?:,|,? and)? [0-9]+\.[0-9]+\.[0-9]+)+)( to [0-9])?`)
	asvsName = regexp.MustCompile(`ASVS [0-9]`)
	asvsID   = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	asvsRow  = regexp.MustCompile(`^\| ([0-9]+)\.([0-9]+)\.([0-9]+) \| ([123]) \| ([^|]+) \| (default|offered|not offered) \| ([^|]*) \|$`)
)

// asvsRows is the number of requirements that a library can meet, or help to meet.
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
	var malformed, unsorted, unexplained, unproved, stale, unknown findings
	for i, line := range lines {
		cells := asvsRow.FindStringSubmatch(line)
		if cells == nil {
			if asvsID.MatchString(line) && strings.HasPrefix(line, "| ") {
				malformed.add("%s:%d", asvsTable, i+1)
			}
			continue
		}
		id := strings.Join(cells[1:4], ".")
		if last != nil && slices.Compare(numbers(last), numbers(cells[1:4])) >= 0 {
			unsorted.add("%s:%d: %s", asvsTable, i+1, id)
		}
		last, seen[id] = cells[1:4], true
		want := proofs.column(id)
		switch {
		case cells[6] == "not offered":
			if want != "" || cells[7] == "" {
				unexplained.add("%s, named by %q", id, want)
			}
		case want == "":
			unproved.add("%s, %s", id, cells[5])
		case *update:
			lines[i] = strings.TrimSuffix(line, cells[7]+" |") + want + " |"
		case cells[7] != want:
			stale.add("%s: the table has %q, the comments %q", id, cells[7], want)
		}
	}
	if len(seen) != asvsRows {
		t.Errorf("%s has %d rows, want %d: restore the row, or change asvsRows in internal/house/asvs_test.go", asvsTable, len(seen), asvsRows)
	}
	for id := range proofs {
		if !seen[id] {
			unknown.add("%s, named by %q", id, proofs.column(id))
		}
	}
	malformed.report(t, "write each row of the table with six cells, like the other rows")
	unsorted.report(t, "sort the rows of the table by number")
	unexplained.report(t, "give the reason in the last column of requirements that are not offered, and remove them from the comments of tests")
	unproved.report(t, "write \"ASVS 5.0, \" and the number into the comment of the test that proves it")
	stale.report(t, "run go test ./internal/house -run ASVS -update")
	unknown.report(t, "correct the number in the comment, or add a row to "+asvsTable)
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

// asvs maps each id to the tests that name it, by folder.
type asvs map[string]map[string][]string

// column returns the last column of the table for an id.
func (a asvs) column(id string) string {
	var parts []string
	for _, folder := range slices.Sorted(maps.Keys(a[id])) {
		names := slices.Compact(slices.Sorted(slices.Values(a[id][folder])))
		parts = append(parts, folder+": "+strings.Join(names, ", "))
	}
	return strings.Join(parts, "; ")
}

// asvsProofs reads the comments of all tests, in all modules.
func asvsProofs(t *testing.T) asvs {
	t.Helper()
	atRoot()
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
		t.Errorf("%v: write the id with ASVS in the comment: \"ASVS 5.0, 1.2.3.\"", files.Position(fn.Pos()))
	}
	for _, list := range lists {
		if list[2] != "" {
			t.Errorf("%v: name each id in the comment instead of a range, so that a search finds it", files.Position(fn.Pos()))
		}
		for _, id := range asvsID.FindAllString(list[1], -1) {
			if a[id] == nil {
				a[id] = make(map[string][]string)
			}
			a[id][folder] = append(a[id][folder], fn.Name.Name)
		}
	}
}

// Ids are found in all forms of comments that are in use.
func TestASVSCommentsAreRead(t *testing.T) {
	for comment, want := range map[string]string{
		"ASVS 5.0, 16.2.5.":                                "16.2.5",
		"ASVS 3.3.5: what Seal returns can be set":         "3.3.5",
		"RFC 6265, ASVS 5.0, 7.2.4":                        "7.2.4",
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
