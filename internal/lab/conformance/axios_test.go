package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// packages is a folder with node_modules: that of AUTH_AXIOS, which test.sh
// fills, or one that npm fills now.
var packages = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("AUTH_AXIOS"); dir != "" {
		return filepath.Abs(dir)
	}
	dir := filepath.Join(lasting, "npm")
	command := exec.Command("npm", "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--silent", "axios@1", "typescript")
	command.Stderr = os.Stderr
	return dir, command.Run()
})

func nodePackages(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil && os.Getenv("AUTH_AXIOS") == "" {
		missing(t, "npm")
	}
	dir, err := packages()
	if err != nil {
		t.Fatalf("npm does not install axios: %v", err)
	}
	return dir
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
