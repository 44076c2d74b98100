package servers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// App is a process of an application that takes a flag -addr, and writes
// "listening on http://host:port" once it serves. Its methods fail the test when
// they cannot do what they say.
type App struct {
	URL string // http, a host and a port: they stay the same after a restart

	t       testing.TB
	command []string
	log     string
	process *exec.Cmd
	ended   chan struct{}
}

// NewApp starts a program with flags, on a free port of loopback.
func NewApp(t testing.TB, program string, flags ...string) *App {
	t.Helper()
	a := &App{
		URL: "http://" + loopback(0), t: t,
		command: append([]string{program}, flags...), log: filepath.Join(t.TempDir(), "log"),
	}
	t.Cleanup(func() { a.Kill() })
	a.Start()
	return a
}

// Start starts the process, and waits until it serves.
func (a *App) Start() {
	a.t.Helper()
	log, err := os.Create(a.log)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	addr := strings.TrimPrefix(a.URL, "http://")
	process := prepared(nil, filepath.Dir(a.log), append(a.command, "-addr", addr))
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		a.t.Fatal(err)
	}
	ended := make(chan struct{})
	a.process, a.ended = process, ended
	go func() { process.Wait(); close(ended) }()
	for start := time.Now(); time.Since(start) < patience; time.Sleep(5 * time.Millisecond) {
		if _, rest, ok := strings.Cut(a.Log(), "listening on "); ok {
			if url, _, whole := strings.Cut(rest, "\n"); whole {
				if a.URL != url { // once only, since others read it meanwhile
					a.URL = url
				}
				return
			}
		}
		select {
		case <-ended:
			a.t.Fatalf("the application does not start:\n%s", a.Log())
		default:
		}
	}
	a.t.Fatalf("the application does not serve:\n%s", a.Log())
}

// Kill ends the process at once, as a crash does.
func (a *App) Kill() {
	if a.process != nil {
		a.process.Process.Signal(syscall.SIGKILL)
		<-a.ended
	}
}

// Log returns what the process has written.
func (a *App) Log() string {
	log, err := os.ReadFile(a.log)
	if err != nil {
		return fmt.Sprint(err)
	}
	return string(log)
}
