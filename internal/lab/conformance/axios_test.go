package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// nodePackages is a folder with the axios and the TypeScript of node_modules.
func nodePackages(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		missing(t, "npm")
	}
	folder, err := pageFolder()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestAxiosUnderNode(t *testing.T) {
	runNode(t, "axios.test.mjs", 10, "AUTH_NODE_MODULES="+nodePackages(t))
}

// The declarations are what the strictest TypeScript takes, and say what the
// modules do.
func TestBrowserClientDeclarations(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node")
	}
	installed, dir := filepath.Join(nodePackages(t), "node_modules"), modules(t)
	if err := os.Symlink(installed, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile("testdata/browser/types.ts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "types.ts"), string(program))
	write(t, filepath.Join(dir, "tsconfig.json"), `{
		"compilerOptions": {
			"strict": true, "exactOptionalPropertyTypes": true, "noImplicitOverride": true, "noUncheckedIndexedAccess": true,
			"target": "es2022", "module": "nodenext", "lib": ["es2023", "dom", "dom.iterable"], "types": [], "noEmit": true
		},
		"files": ["types.ts"]
	}`)
	compiler := exec.CommandContext(t.Context(), node, filepath.Join(installed, "typescript/bin/tsc"), "-p", dir)
	if out, err := compiler.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
