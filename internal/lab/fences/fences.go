// Package fences reads the fenced blocks of Markdown documents, so that tests can
// compile them. It type-checks blocks of Go and applies blocks of diff.
//
// A block of Go is a whole file, declarations, or statements. Packages that it
// uses are imported by their names. What else it takes from the program around it
// is named in a comment in front of the block, as the parameters of a function:
//
//	<!-- vars: w http.ResponseWriter, sessions *session.Manager -->
//
// A block of diff changes the program before it in the document: the last whole
// file, or the result of the last diff. Another program is named likewise:
//
//	<!-- of: examples/quickstart/main.go -->
package fences

import (
	"fmt"
	"regexp"
	"strings"
)

// A Block is the text between two fences.
type Block struct {
	Line     int    // of its first line in the document
	Language string // after the fence, or ""
	Text     string
	Vars     string // what the block takes from the program around it
	Of       string // the program that a diff changes, if it is named
}

var (
	fence   = regexp.MustCompile("^ *```(\\w*)$")
	comment = regexp.MustCompile(`^<!-- (vars|of): (.*) -->$`)
)

// Blocks returns the fenced blocks of a document.
func Blocks(text string) (blocks []Block) {
	var b Block
	open, number := false, 0
	for line := range strings.Lines(text) {
		number++
		trimmed := strings.TrimRight(line, "\n")
		mark := fence.FindStringSubmatch(trimmed)
		switch {
		case open && mark != nil:
			blocks, b, open = append(blocks, b), Block{}, false
		case open:
			b.Text += line
		case mark != nil:
			b.Line, b.Language, open = number+1, mark[1], true
		default:
			if c := comment.FindStringSubmatch(trimmed); c == nil && trimmed != "" {
				b = Block{}
			} else if c != nil && c[1] == "vars" {
				b.Vars = c[2]
			} else if c != nil {
				b.Of = c[2]
			}
		}
	}
	return blocks
}

var clause = regexp.MustCompile(`(?m)^package \w+$`)

// Whole reports whether a block of Go is a whole file.
func (b Block) Whole() bool { return clause.MatchString(b.Text) }

// Apply returns a program after a diff without line numbers. Each line that the diff
// keeps or removes is the next one with this text.
func Apply(program, diff string) (string, error) {
	var changed strings.Builder
	rest := "\n" + program
	for line := range strings.Lines(diff) {
		mark, text := line[0], line[1:]
		if mark != '+' {
			before, after, found := strings.Cut(rest, "\n"+text)
			if !found {
				return "", fmt.Errorf("the program lacks, after the lines before it in the diff, the line %q", text)
			}
			if before != "" {
				changed.WriteString(before[1:] + "\n")
			}
			rest = "\n" + after
		}
		if mark != '-' {
			changed.WriteString(text)
		}
	}
	return changed.String() + rest[1:], nil
}
