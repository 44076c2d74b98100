// Package servers starts private servers for tests: on loopback, on free
// ports, in folders of their own, and gone with the test.
package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SQL is a private database server. Its methods fail the test when they
// cannot do what they say.
type SQL struct {
	URL string // how its driver reaches it, as an administrator
	Dir string // where its data is

	t       testing.TB
	command []string
	account *syscall.Credential
	quit    syscall.Signal // asks it to end soon and in good order
	ping    func(ctx context.Context, url string) error
	process *exec.Cmd
	ended   chan struct{}
}

// patience is for what a server must do at some time.
const patience = 60 * time.Second

// Missing skips a test that needs what this machine does not have. Under
// CI=true that is a failure, so that nothing is skipped unseen.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing, and CI=true", what)
	}
	t.Skipf("%s is missing: ./test.sh installs it", what)
}

// Folder makes an empty folder that belongs to an account, or to the caller if
// the account is nil. Other accounts cannot look into t.TempDir.
func Folder(t testing.TB, account *syscall.Credential) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "authlatch-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	own(t, dir, account)
	return dir
}

func own(t testing.TB, name string, account *syscall.Credential) {
	t.Helper()
	if account == nil {
		return
	}
	if err := os.Chown(name, int(account.Uid), int(account.Gid)); err != nil {
		t.Fatal(err)
	}
}

// accountOf returns the account that a server runs under if the test is root's,
// since servers refuse root. It is nil for the caller's own.
func accountOf(t testing.TB, name string) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := user.Lookup(name)
	if err != nil {
		Missing(t, "the account "+name)
	}
	uid, err1 := strconv.ParseUint(who.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(who.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// program finds a server's program, also where only root's PATH looks.
func program(t testing.TB, name, server string) string {
	t.Helper()
	for _, file := range []string{name, "/usr/sbin/" + name} {
		if found, err := exec.LookPath(file); err == nil {
			return found
		}
	}
	Missing(t, server)
	return ""
}

// FreePort returns an unused port of loopback.
func FreePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// run runs a command under an account to its end.
func run(t testing.TB, account *syscall.Credential, dir string, command ...string) {
	t.Helper()
	c := prepared(account, dir, command)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", filepath.Base(command[0]), err, out)
	}
}

func prepared(account *syscall.Credential, dir string, command []string) *exec.Cmd {
	c := exec.Command(command[0], command[1:]...)
	c.Dir = dir
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"}
	// The server dies with the test, however that ends.
	c.SysProcAttr = &syscall.SysProcAttr{Credential: account, Pdeathsig: syscall.SIGKILL}
	return c
}

// Start starts the server, and waits until it answers.
func (s *SQL) Start() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.process = prepared(s.account, s.Dir, s.command)
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		s.t.Fatal(err)
	}
	process, ended := s.process, make(chan struct{})
	s.ended = ended
	go func() { process.Wait(); close(ended) }()
	s.WaitReady()
}

// WaitReady waits until the server answers.
func (s *SQL) WaitReady() {
	s.t.Helper()
	var err error
	for start := time.Now(); time.Since(start) < patience && s.Running(); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err = s.ping(ctx, s.URL)
		cancel()
		if err == nil {
			return
		}
	}
	s.t.Fatalf("the server does not answer: %v\n%s", err, s.Log())
}

// Running reports whether the server has not ended.
func (s *SQL) Running() bool {
	select {
	case <-s.ended:
		return false
	default:
		return true
	}
}

// Log returns the end of what the server has written.
func (s *SQL) Log() string {
	log, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return string(log[max(0, len(log)-2000):])
}

// Kill ends the server and all of its processes at once, as a crash does.
func (s *SQL) Kill() {
	s.t.Helper()
	left := children(s.process.Process.Pid)
	s.signal(syscall.SIGKILL)
	<-s.ended
	for start := time.Now(); time.Since(start) < patience && slices.ContainsFunc(left, running); {
		time.Sleep(5 * time.Millisecond) // PostgreSQL does not start beside one of them
	}
}

// running reports whether a process has not ended, even if its parent has not waited for it.
func running(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(stat), ") ")
	return err == nil && !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// Pause stops all of the server's processes, and Resume lets them go on. In
// between connections are open, and no server responds.
func (s *SQL) Pause() { s.signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *SQL) Resume() { s.signal(syscall.SIGCONT) }

// signal reaches the children, too. The parent comes first, so that it starts
// no others meanwhile.
func (s *SQL) signal(sig syscall.Signal) {
	parent := s.process.Process.Pid
	for i, pid := range append([]int{parent}, children(parent)...) {
		if err := syscall.Kill(pid, sig); err != nil && i == 0 && s.Running() {
			s.t.Errorf("signal %v: %v", sig, err)
		}
	}
}

// children returns the processes that a process has started.
func children(parent int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// pid (command) state parent …
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			pids = append(pids, pid)
		}
	}
	return pids
}

// Stop ends the server in good order.
func (s *SQL) Stop() {
	if s.process == nil {
		return
	}
	s.Resume()
	s.process.Process.Signal(s.quit)
	select {
	case <-s.ended:
	case <-time.After(10 * time.Second):
		s.Kill()
	}
}

func loopback(port int) string { return fmt.Sprintf("127.0.0.1:%d", port) }
