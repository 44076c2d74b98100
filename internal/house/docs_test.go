package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs returns the guides, by file name.
func docs(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	texts := make(map[string]string)
	for _, name := range append(names, "README.md", "SECURITY.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[filepath.ToSlash(name)] = string(text)
	}
	return texts
}

func TestLinksOfTheDocsLeadSomewhere(t *testing.T) {
	texts := docs(t)
	var broken findings
	code := regexp.MustCompile("(?s)```.*?```")
	for name, text := range texts {
		text = code.ReplaceAllString(text, "")
		for _, link := range regexp.MustCompile(`\]\(([^)#]*)(?:#([^)]*))?\)`).FindAllStringSubmatch(text, -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			file := filepath.Join(filepath.Dir(name), filepath.FromSlash(link[1]))
			if link[1] == "" {
				file = name
			} else if _, err := os.Stat(file); err != nil {
				broken.add("%s links to %s: %v", name, link[1], err)
			}
			if to := texts[filepath.ToSlash(file)]; link[2] != "" && !slices.Contains(anchors(to), link[2]) {
				broken.add("%s links to #%s of %s, which has no such heading", name, link[2], file)
			}
		}
	}
	broken.report(t, "correct these links; a file was moved, or a heading renamed")
}

// anchors returns the link targets of the headings of a text.
func anchors(text string) (names []string) {
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")
		names = append(names, regexp.MustCompile(`[^\p{L}\p{N}_-]`).ReplaceAllString(name, ""))
	}
	return names
}

// docs/operating.md explains each kind and each reason of events.
func TestOperatingExplainsEveryEvent(t *testing.T) {
	var kinds, reasons findings
	text := docs(t)["docs/operating.md"]
	for _, f := range folders(t) {
		for _, s := range f.code {
			if f.internal() || strings.HasPrefix(f.name, "examples") {
				continue
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ValueSpec:
					if typ, ok := n.Type.(*ast.Ident); ok && typ.Name == "EventKind" {
						if kind := literal(n.Values[0]); !strings.Contains(text, "\n| "+kind+" | ") {
							kinds.add("%v: %q", files.Position(n.Pos()), kind)
						}
					}
				case *ast.KeyValueExpr:
					if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Reason" {
						if reason := literal(n.Value); !strings.Contains(text, "`"+reason+"`") && reason != "" {
							reasons.add("%v: %q", files.Position(n.Pos()), reason)
						}
					}
				}
				return true
			})
		}
	}
	kinds.report(t, "add a row for each of these kinds to the table of events in docs/operating.md")
	reasons.report(t, "explain these reasons below the table of events in docs/operating.md")
}

// literal returns the value of a string literal, or "".
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	text, _ := strconv.Unquote(lit.Value)
	return text
}
