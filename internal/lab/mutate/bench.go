package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	if out, err := b.test(ctx); err != nil {
		return fmt.Errorf("the tests fail without a mutant: %w\n%s", err, out)
	}
	b.limit = 5*time.Second + 4*time.Since(start)
	return nil
}

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
	_, err := b.test(ctx)
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
	command := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-overlay", overlay, "-o", b.binary(), "./"+b.name)
	command.Dir = b.root
	return command.CombinedOutput()
}

func (b *bench) binary() string { return filepath.Join(b.dir, "package.test") }

// test runs the test binary as a process group of its own with bounded memory,
// since a mutant may do anything for ever.
func (b *bench) test(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	command := exec.CommandContext(ctx, "sh", "-c", `ulimit -v 6000000 2>/dev/null || true; exec "$@"`, "sh",
		b.binary(), "-test.short", "-test.failfast", fmt.Sprintf("-test.timeout=%v", 2*b.limit)) // if nothing is left to end it
	command.Dir = b.folder
	command.Env = append(os.Environ(), "TMPDIR="+b.dir)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = 5 * time.Second
	out, err := command.CombinedOutput()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return out, err
}
