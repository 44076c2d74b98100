package main

import (
	"encoding/xml"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const folder = "../../../docs/diagrams"

func TestTheDiagramsOfTheDocsAreUpToDate(t *testing.T) {
	files := render()
	for name, svg := range files {
		if got, err := os.ReadFile(filepath.Join(folder, name)); string(got) != svg {
			t.Errorf("%s is not what go run ./internal/lab/diagrams writes (%v)", name, err)
		}
	}
	there, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range there {
		if files[file.Name()] == "" {
			t.Errorf("%s belongs to no diagram", file.Name())
		}
	}
}

// A diagram is XML with a title and a description, and its texts are inside of it.
func TestDiagramsCanBeReadAloudAndFit(t *testing.T) {
	for name, svg := range render() {
		var title, description string
		var height int
		d := xml.NewDecoder(strings.NewReader(svg))
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			at := map[string]string{}
			for _, a := range e.Attr {
				at[a.Name.Local] = a.Value
			}
			switch e.Name.Local {
			case "svg":
				height, _ = strconv.Atoi(at["height"])
			case "title", "desc", "text":
				var s string
				if err := d.DecodeElement(&s, &e); err != nil {
					t.Fatal(err)
				}
				if e.Name.Local == "title" {
					title = s
					continue
				} else if e.Name.Local == "desc" {
					description = s
					continue
				}
				x, _ := strconv.Atoi(at["x"])
				y, _ := strconv.Atoi(at["y"])
				left, right := float64(x)-measure(s)/2, float64(x)+measure(s)/2
				if at["class"] == "title" {
					left, right = float64(x), float64(x)+measure(s)
				}
				if left < 2 || right > width-2 || y > height {
					t.Errorf("%s: %q is not inside", name, s)
				}
			}
		}
		if title == "" || len(description) < 100 {
			t.Errorf("%s: title %q, description %q", name, title, description)
		}
	}
}

func TestEveryTextIsInKorean(t *testing.T) {
	files := render()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if korean, ok := files[strings.TrimSuffix(name, ".svg")+".ko.svg"]; ok && korean == files[name] {
			t.Errorf("%s is the same in Korean", name)
		}
	}
}
