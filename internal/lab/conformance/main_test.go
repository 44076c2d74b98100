package conformance

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// lasting is a folder for what several tests use.
var lasting string

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	var err error
	if lasting, err = os.MkdirTemp("", "conformance"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(lasting)
	defer func() { closeBrowser() }()
	return m.Run()
}

// missing skips a test that needs what this machine does not have. Under
// CI=true that is a failure, so that nothing is skipped unseen.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI=true", what)
	}
	t.Skipf("%s is missing: ./test.sh installs it", what)
}

// program builds examples/session once and returns the file.
var program = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "shop")
	build := exec.Command("go", "-C", "../../..", "build", "-buildvcs=false", "-o", file, "./examples/session")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})
