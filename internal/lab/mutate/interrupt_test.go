package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// writeEndless makes a module whose test starts a process that does not end. The
// test writes the process ID into the file pid.
func writeEndless(t *testing.T) (root string) {
	t.Helper()
	root = writeModule(t)
	text := `package p

import (
	"os"
	"os/exec"
	"strconv"
	"testing"
)

func TestEndless(t *testing.T) {
	c := exec.Command("sleep", "600")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	os.WriteFile("../pid.new", []byte(strconv.Itoa(c.Process.Pid)), 0o600)
	os.Rename("../pid.new", "../pid")
	c.Wait()
}
`
	if err := os.WriteFile(filepath.Join(root, "p", "endless_test.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return root
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 6000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("waited in vain: %s", what)
}

// startedIn returns the process that the test of a module has started.
func startedIn(t *testing.T, root string) (pid int) {
	t.Helper()
	eventually(t, "the test starts its process", func() bool {
		text, err := os.ReadFile(filepath.Join(root, "pid"))
		if err == nil {
			pid, err = strconv.Atoi(string(text))
		}
		return err == nil
	})
	return pid
}

// gone reports whether a process has ended, reaped or not.
func gone(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	state, _ := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return strings.HasPrefix(strings.TrimSpace(string(state)), "Z")
}

func TestAnInterruptedRunLeavesNoProcessBehind(t *testing.T) {
	root := writeEndless(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	var out strings.Builder
	go func() {
		_, err := run(ctx, []string{"-root", root, "-accepted", filepath.Join(root, "accepted.txt"), "p", "p"}, &out)
		done <- err
	}()
	pid := startedIn(t, root)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v\n%s", err, out.String())
	}
	eventually(t, "the test's process has ended", func() bool { return gone(pid) })
}

func TestAKilledRunLeavesNoProcessBehind(t *testing.T) {
	if root := os.Getenv("MUTATE_TEST_ROOT"); root != "" { // this is the run to kill
		run(t.Context(), []string{"-root", root, "-accepted", filepath.Join(root, "accepted.txt"), "p"}, os.Stdout)
		return
	}
	root := writeEndless(t)
	command := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	command.Env = append(os.Environ(), "MUTATE_TEST_ROOT="+root, "TMPDIR="+t.TempDir())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	pid := startedIn(t, root)
	command.Process.Kill()
	command.Wait()
	eventually(t, "the test's process has ended", func() bool { return gone(pid) })
}

func TestAPackageThatFailsDoesNotEndTheRun(t *testing.T) {
	root := writeModule(t)
	ok, out, err := mutate(t, root, "-sample", "2", "nothing", "p")
	if ok || err == nil || !strings.Contains(err.Error(), "nothing: there is no Go code") {
		t.Errorf("%v, %v", ok, err)
	}
	for _, start := range []string{"nothing ", "p "} { // each has its closing line
		if !strings.Contains("\n"+out, "\n"+start) {
			t.Errorf("no line of %q:\n%s", start, out)
		}
	}
}

func TestOnlyNamesTheMutantsThatAreTried(t *testing.T) {
	ok, out, err := mutate(t, writeModule(t), "-only", "a < b → a <= b", "p")
	if ok || err != nil || !strings.Contains(out, "survived: p Less: a < b → a <= b") || strings.Contains(out, "Wait") {
		t.Errorf("%v, %v\n%s", ok, err, out)
	}
}

func TestLongTestsRunLast(t *testing.T) {
	out := "--- PASS: TestA (0.49s)\n--- PASS: TestB (0.50s)\n    --- PASS: TestB/case (0.60s)\n--- PASS: ExampleC (12.00s)\nPASS\n"
	if got := slowTests([]byte(out)); got != "^(TestB|ExampleC)$" {
		t.Errorf("%q", got)
	}
	if got := slowTests([]byte("PASS\n")); got != "" {
		t.Errorf("%q", got)
	}
}
