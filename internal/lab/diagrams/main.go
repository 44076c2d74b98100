// Diagrams writes the diagrams of docs/choosing.md into docs/diagrams, in English and in
// Korean:
//
//	go run ./internal/lab/diagrams
//
// The SVG files have text that can be read aloud and searched, follow the light or dark
// colors of the reader's system, and are narrow enough for a phone.
package main

import (
	"log"
	"os"
	"path/filepath"
)

func main() {
	for name, svg := range render() {
		if err := os.WriteFile(filepath.Join("docs/diagrams", name), []byte(svg), 0o644); err != nil {
			log.Fatal("run this in the root of the repository: ", err)
		}
	}
}

// languages are the suffixes of the files in each language.
var languages = []string{"", ".ko"}

// render returns all files by their names.
func render() map[string]string {
	files := make(map[string]string)
	for language, suffix := range languages {
		for _, s := range sequences {
			files[s.name+suffix+".svg"] = s.svg(language)
		}
		for _, s := range stages {
			files[s.name+suffix+".svg"] = s.svg(language)
		}
	}
	return files
}

// text is a text in English and in Korean. A text that is the same in both is given once.
type text [2]string

func (t text) in(language int) string {
	if language == 1 && t[1] != "" {
		return t[1]
	}
	return t[0]
}
