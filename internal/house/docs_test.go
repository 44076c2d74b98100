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

	"github.com/authlatch/auth/internal/lab/fences"
)

// docs returns the documents of all modules, by file name.
func docs(t *testing.T) map[string]string {
	t.Helper()
	atRoot()
	texts, err := fences.Documents(".")
	if err != nil || texts["README.md"] == "" {
		t.Fatal("no documents", err)
	}
	return texts
}

var (
	fenced   = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	inline   = regexp.MustCompile("`[^`\n]+`")
	linked   = regexp.MustCompile(`\]\(<?([^)#>]*)(?:#([^)>]*))?>?\)`)
	embedded = regexp.MustCompile(`(?:src|srcset|href)="([^"#]*)(?:#([^"]*))?"`)
)

func TestLinksOfTheDocsLeadSomewhere(t *testing.T) {
	texts := docs(t)
	targets := make(map[string][]string)
	for name, text := range texts {
		targets[name] = anchors(text)
	}
	var broken findings
	for name, text := range texts {
		text = inline.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
		for _, link := range append(linked.FindAllStringSubmatch(text, -1), embedded.FindAllStringSubmatch(text, -1)...) {
			if strings.Contains(link[1], ":") {
				continue
			}
			file := filepath.Join(filepath.Dir(name), filepath.FromSlash(link[1]))
			if link[1] == "" {
				file = name
			} else if _, err := os.Stat(file); err != nil {
				broken.add("%s links to %s: %v", name, link[1], err)
			}
			if link[2] != "" && !slices.Contains(targets[filepath.ToSlash(file)], link[2]) {
				broken.add("%s links to #%s of %s, which has no such heading", name, link[2], file)
			}
		}
	}
	broken.report(t, "correct these links; a file was moved, or a heading renamed")
}

var unlinked = regexp.MustCompile(`[^\p{L}\p{N}_-]`)

// anchors returns the link targets of the headings of a text.
func anchors(text string) (names []string) {
	for _, heading := range headings(text) {
		name := strings.ReplaceAll(strings.ToLower(strings.TrimLeft(heading, "# ")), " ", "-")
		names = append(names, unlinked.ReplaceAllString(name, ""))
	}
	return names
}

// headings returns the headings of a text with their marks.
func headings(text string) []string {
	return regexp.MustCompile(`(?m)^#+ .*$`).FindAllString(fenced.ReplaceAllString(text, ""), -1)
}

// A sentence names who does something: an attacker, a client, an operator.
func TestDocsNameTheActor(t *testing.T) {
	vague := regexp.MustCompile(`(?i)\b(whoever|somebody|nobody)\b`)
	var pages findings
	for name, text := range docs(t) {
		text = inline.ReplaceAllString(fenced.ReplaceAllString(text, ""), "")
		found, words := vague.FindAllString(text, -1), len(strings.Fields(text))
		if len(found) > 1 && float64(len(found)) > 0.5*float64(words)/1000 {
			pages.add("%s: %d in %d words", name, len(found), words)
		}
	}
	pages.report(t, "name the actor in place of whoever, somebody and nobody on these pages")
}

// A page in Korean has the structure and the code of the page in English.
func TestKoreanPagesFollowTheEnglish(t *testing.T) {
	texts := docs(t)
	var findings findings
	for name, text := range texts {
		original, korean := strings.CutSuffix(name, ".ko.md")
		if !korean {
			continue
		}
		original += ".md"
		if got, want := levels(text), levels(texts[original]); got != want {
			findings.add("%s has headings of the levels %s, and %s %s", name, got, original, want)
		}
		got, want := fences.Blocks(text), fences.Blocks(texts[original])
		if len(got) != len(want) {
			findings.add("%s has %d blocks of code, and %s %d", name, len(got), original, len(want))
			continue
		}
		for i, b := range got {
			if b.Language != want[i].Language || b.Text != want[i].Text {
				findings.add("%s:%d: the code differs from %s:%d", name, b.Line, original, want[i].Line)
			}
		}
	}
	findings.report(t, "bring these pages up to date; code and its comments stay in English")
}

// levels returns the levels of the headings, such as "122".
func levels(text string) string {
	var b strings.Builder
	for _, heading := range headings(text) {
		b.WriteString(strconv.Itoa(len(heading) - len(strings.TrimLeft(heading, "#"))))
	}
	return b.String()
}

// The page of numbers says by which command it was written.
func TestNumbersNameTheirCommand(t *testing.T) {
	texts := docs(t)
	command := regexp.MustCompile(`go -C internal/lab/bench run \. -o \S+`).FindString(texts["CONTRIBUTING.md"])
	if command == "" || !strings.Contains(texts["docs/numbers.md"], command) {
		t.Errorf("docs/numbers.md does not contain the command of CONTRIBUTING.md (%q)", command)
	}
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
