package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeModule makes a module whose only test notices some of the mistakes.
func writeModule(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.test/m\n\ngo 1.26.0\n",
		"p/p.go": "package p\n\nfunc Less(a, b int) bool { return a < b }\n\nfunc Wait() {\n\tfor n := 0; n < 1; n++ {\n\t}\n}\n",
		"p/p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestLess(t *testing.T) {\n\tif !Less(1, 2) || Less(2, 1) {\n\t\tt.Fail()\n\t}\n\tWait()\n}\n\n" +
			"func TestLong(t *testing.T) {\n\tif !testing.Short() {\n\t\tt.Fatal(\"not short\")\n\t}\n}\n",
		"accepted.txt": "# none\n",
	} {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func mutate(t *testing.T, root string, args ...string) (ok bool, out string, err error) {
	t.Helper()
	var text strings.Builder
	args = append([]string{"-root", root, "-accepted", filepath.Join(root, "accepted.txt"), "-v"}, args...)
	ok, err = run(t.Context(), args, &text)
	return ok, text.String(), err
}

func TestSurvivorsAreListedUnlessTheyAreAccepted(t *testing.T) {
	root := writeModule(t)
	ok, out, err := mutate(t, root, "p")
	if err != nil || ok {
		t.Fatalf("%v, %v\n%s", ok, err, out)
	}
	survivor := "p Less: a < b → a <= b"
	for _, want := range []string{
		"survived: " + survivor,
		"killed by the time limit: p Wait: without n++",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("missing: %s", want)
		}
	}
	var accepted strings.Builder
	for line := range strings.Lines(out) {
		if key, ok := strings.CutPrefix(strings.TrimSpace(line), "survived: "); ok && strings.Contains(key, " (p/p.go:") {
			accepted.WriteString(key[:strings.LastIndex(key, " (p/p.go:")] + "\n\tA reason.\n")
		}
	}
	if err := os.WriteFile(filepath.Join(root, "accepted.txt"), []byte(accepted.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if ok, out, err := mutate(t, root, "p"); err != nil || !ok || !strings.Contains(out, "survived, accepted: "+survivor+" A reason.") {
		t.Errorf("%v, %v\n%s", ok, err, out)
	}
}

func TestTheWorkTreeIsNotTouched(t *testing.T) {
	root := writeModule(t)
	before, err := os.ReadFile(filepath.Join(root, "p", "p.go"))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := mutate(t, root, "-sample", "3", "p"); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(filepath.Join(root, "p", "p.go"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the code has changed: %v", err)
	}
	entries, err := os.ReadDir(filepath.Join(root, "p"))
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestTestsThatFailWithoutAMutantAreAnError(t *testing.T) {
	root := writeModule(t)
	broken := "package p\n\nimport \"testing\"\n\nfunc TestBroken(t *testing.T) { t.Fail() }\n"
	if err := os.WriteFile(filepath.Join(root, "p", "broken_test.go"), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := mutate(t, root, "p"); err == nil || !strings.Contains(err.Error(), "fail without a mutant") {
		t.Errorf("%v", err)
	}
	if _, _, err := mutate(t, root, "nothing"); err == nil {
		t.Error("a package that does not exist: no error")
	}
}
