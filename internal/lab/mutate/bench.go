package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type verdict string

const (
	killed     verdict = "killed"
	timedOut   verdict = "killed by the time limit"
	survived   verdict = "survived"
	acceptable verdict = "survived, accepted"
	uncompiled verdict = "did not compile"
)

// A bench builds and runs the tests of one package.
type bench struct {
	root, folder string // absolute
	name         string
	dir          string // for the overlay and the test binary
	limit        time.Duration
	slow         string // pattern of the tests that take long
}

// newBench runs the tests without a mutant. They must pass, and how long they
// take sets the time limit of mutants: generous, since the machine may be busy.
func newBench(ctx context.Context, root, name string) (*bench, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return nil, err
	}
	b := &bench{root: root, folder: filepath.Join(root, filepath.FromSlash(name)), name: name, dir: dir, limit: 10 * time.Minute}
	if err = b.baseline(ctx); err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

func (b *bench) baseline(ctx context.Context) error {
	if out, err := b.build(ctx, nil); err != nil {
		return fmt.Errorf("the tests do not compile: %w\n%s", err, out)
	}
	start := time.Now()
	out, err := b.run(ctx, "-test.v")
	if err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	b.limit = 5*time.Second + 4*time.Since(start)
	b.slow = slowTests(out)
	return nil
}

// slowTests reads the output of the tests and returns a pattern of those that
// take long, or "" if none does.
func slowTests(out []byte) string {
	var names []string
	for _, line := range passed.FindAllSubmatch(out, -1) {
		if seconds, err := strconv.ParseFloat(string(line[2]), 64); err == nil && seconds >= 0.5 {
			names = append(names, string(line[1]))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "^(" + strings.Join(names, "|") + ")$"
}

var passed = regexp.MustCompile(`(?m)^--- PASS: (\w+) \(([0-9.]+)s\)$`)

func (b *bench) close() { os.RemoveAll(b.dir) }

// try returns what the tests say to a mutant. The error is not about the
// mutant.
func (b *bench) try(ctx context.Context, m mutant) (verdict, error) {
	changed := filepath.Join(b.dir, "mutant.go")
	if err := os.WriteFile(changed, m.source(), 0o600); err != nil {
		return "", err
	}
	if _, err := b.build(ctx, map[string]string{filepath.Join(b.root, filepath.FromSlash(m.file)): changed}); err != nil {
		return uncompiled, ctx.Err()
	}
	err := b.test(ctx)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case err == nil:
		return survived, nil
	case errors.Is(err, context.DeadlineExceeded):
		return timedOut, nil
	default:
		return killed, nil
	}
}

// build makes the test binary, with some files replaced by others.
func (b *bench) build(ctx context.Context, replace map[string]string) ([]byte, error) {
	overlay := filepath.Join(b.dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return nil, err
	}
	command, err := group(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", b.binary(), "./"+b.name)
	if err != nil {
		return nil, err
	}
	command.Dir = b.root
	return command.CombinedOutput()
}

func (b *bench) binary() string { return filepath.Join(b.dir, "package.test") }

// test runs the tests, those that take long last: most mutants end before.
func (b *bench) test(ctx context.Context) error {
	if b.slow == "" {
		_, err := b.run(ctx)
		return err
	}
	if _, err := b.run(ctx, "-test.skip="+b.slow); err != nil {
		return err
	}
	_, err := b.run(ctx, "-test.run="+b.slow)
	return err
}

// run starts the test binary within the time limit and with bounded memory,
// since a mutant may do anything for ever.
func (b *bench) run(ctx context.Context, flags ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	command, err := group(ctx, "sh", append([]string{"-c", `ulimit -v 6000000 2>/dev/null; exec "$@"`, "sh",
		b.binary(), "-test.short", "-test.failfast"}, flags...)...)
	if err != nil {
		return nil, err
	}
	command.Dir = b.folder
	command.Env = append(os.Environ(), "TMPDIR="+b.dir)
	out, err := command.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return out, err
}

// group returns a command that runs as a process group of its own. The group
// ends with ctx, with the command, and with this process, even if that is
// killed: a watcher in the group reads a pipe that this process holds open.
func group(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	const script = `exec 3<&0; { cat <&3; kill -9 0; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-`
	command := exec.CommandContext(ctx, "sh", append([]string{"-c", script, "sh", name}, args...)...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	_, err := command.StdinPipe() // Wait closes it
	return command, err
}
