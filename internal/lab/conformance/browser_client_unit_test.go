package conformance

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/authlatch/auth/token/browser"
)

// The tests of token/browser that need no browser are in testdata/browser, in
// the language of the client: Node's own runner runs them against a server of
// the test's making, with a clock and a network that the test controls.
func TestBrowserClientUnderNode(t *testing.T) {
	runNode(t, "client.test.mjs", 60)
}

// What users of other clients have reported.
func TestBrowserClientReports(t *testing.T) {
	runNode(t, "reports.test.mjs", 19)
}

// runNode runs a file of tests and shows each as one of ours. There are at least
// as many as stated: a runner that runs nothing is content as well.
func runNode(t *testing.T, file string, least int, env ...string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node")
	}
	command := exec.CommandContext(t.Context(), node, "--test-reporter=tap", filepath.Join("testdata/browser", file))
	command.Env = append(os.Environ(), append(env, "AUTH_BROWSER="+modules(t))...)
	out, err := command.CombinedOutput()
	results := nodeResults(out)
	if len(results) < least {
		t.Fatalf("%s has only %d tests: %v\n%s", file, len(results), err, out)
	}
	failed := false
	for _, r := range results {
		t.Run(r.name, func(t *testing.T) {
			if !r.ok {
				failed = true
				t.Error(r.details)
			}
		})
	}
	if err != nil && !failed {
		t.Errorf("%s: %v\n%s", file, err, out)
	}
}

type nodeResult struct {
	name, details string
	ok            bool
}

// nodeResults reads the outermost lines of the Test Anything Protocol.
func nodeResults(out []byte) (results []nodeResult) {
	for _, part := range bytes.Split(out, []byte("\n# Subtest: ")) {
		found := regexp.MustCompile(`(?m)^(not )?ok \d+ - (.*)$`).FindSubmatch(part)
		if found != nil {
			results = append(results, nodeResult{string(found[2]), string(part), len(found[1]) == 0})
		}
	}
	return results
}

// modules copies the client to where Node takes it for ES modules.
func modules(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "package.json"), `{"type": "module"}`)
	for _, name := range []string{"authlatch.js", "authlatch.d.ts", "axios.js", "axios.d.ts"} {
		write(t, filepath.Join(dir, name), served(t, name))
	}
	return dir
}

// served is a file as pages get it.
func served(t *testing.T, name string) string {
	t.Helper()
	w := httptest.NewRecorder()
	browser.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/"+name, nil))
	if w.Code != 200 {
		t.Fatalf("%s: status %d", name, w.Code)
	}
	return w.Body.String()
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Each row of the list of client bugs is proved by a test that names it.
func TestBrowserClientProvesEachRow(t *testing.T) {
	client, err := os.ReadFile("testdata/browser/client.test.mjs")
	if err != nil {
		t.Fatal(err)
	}
	adapter, err := os.ReadFile("testdata/browser/axios.test.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for row := 1; row <= 25; row++ {
		pattern := regexp.MustCompile(fmt.Sprintf("(?m)^\\s*test\\(['`](axios, )?row %d:", row))
		if !pattern.Match(client) && !pattern.Match(adapter) {
			t.Errorf("no test proves row %d", row)
		}
	}
}
