package migrate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each block of Go code in docs/migrating.md is code of this package, line by line, and each
// program and reader of a login stands in a block.
func TestTheCodeOfMigratingIsTested(t *testing.T) {
	page, err := os.ReadFile("../../../../docs/migrating.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		code.WriteString(lines(string(text)))
	}
	blocks := strings.Split(string(page), "```go\n")[1:]
	for i, block := range blocks {
		blocks[i], _, _ = strings.Cut(block, "```")
		if !strings.Contains(code.String(), lines(blocks[i])) {
			t.Errorf("not the code of this package:\n%s", blocks[i])
		}
	}
	for _, name := range []string{
		"type takeOver", "take(", "wrap(", "withNewCookies(", "ServeHTTP(", "acceptBoth(",
		"withSCS(", "withSessions(", "put(", "me(", "withGorilla(", "withFiber(", "withFiberAndSessions(",
		"withJWTAuth(", "withChi(", "newGinJWT(", "withGinJWT(", "withGin(", "through(", "withGolangJWT(", "parse(", "withTokens(",
		"readSCS(", "readGorilla(", "readFiber(", "readJWTAuth(", "readGinJWT(", "readGolangJWT(",
	} {
		shown := false
		for _, block := range blocks {
			shown = shown || strings.Contains(block, "func "+name) || strings.Contains(block, "(t *takeOver) "+name) || strings.HasPrefix(name, "type") && strings.Contains(block, name)
		}
		if !shown {
			t.Errorf("no block has %s", name)
		}
	}
}

// lines returns text without indentation and empty lines.
func lines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}
