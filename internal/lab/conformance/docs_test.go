package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/authlatch/auth/internal/lab/fences"
)

const repository = "../../.."

func documents(t *testing.T) map[string]string {
	t.Helper()
	texts, err := fences.Documents(repository)
	if err != nil || texts["README.md"] == "" {
		t.Fatal("no documents", err)
	}
	return texts
}

// The blocks that use the core alone are compiled by the test of this name in
// internal/house.
func TestGoBlocksOfTheDocsCompile(t *testing.T) {
	checker, err := fences.NewChecker(".", "github.com/authlatch/auth/...", "github.com/jackc/pgx/v5/pgxpool", "github.com/go-chi/chi/v5",
		"github.com/authlatch/auth/store/redisstore", "github.com/authlatch/auth/store/postgresstore",
		"github.com/authlatch/auth/store/sqlstore", "github.com/authlatch/auth/store/etcdstore")
	if err != nil {
		t.Fatal(err)
	}
	compiled := 0
	for name, text := range documents(t) {
		blocks, err := fences.Programs(repository, name, text)
		if err != nil {
			t.Error(err)
		}
		for _, b := range blocks {
			if !b.Elsewhere() || fences.Tested[name] != "" {
				continue
			}
			if compiled++; checker.Check(name, b) != nil {
				t.Error(checker.Check(name, b))
			}
		}
	}
	if compiled < 4 {
		t.Errorf("only %d blocks were compiled", compiled)
	}
}

func TestScriptBlocksOfTheDocsParse(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node")
	}
	parsed := 0
	for name, text := range documents(t) {
		for _, b := range fences.Blocks(text) {
			if b.Language != "js" {
				continue
			}
			parsed++
			script := filepath.Join(t.TempDir(), "block.mjs")
			if err := os.WriteFile(script, []byte(strings.Repeat("\n", b.Line-1)+b.Text), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(node, "--check", script).CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		}
	}
	if parsed == 0 {
		t.Error("no block was found")
	}
}
