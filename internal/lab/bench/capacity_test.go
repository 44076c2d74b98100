package main

import (
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What a server pauses for is in the times of all requests that were due meanwhile, not in
// that of one alone.
func TestAnOpenLoopSeesAPauseInEveryRequestThatWaits(t *testing.T) {
	const pause = 200 * time.Millisecond
	var served atomic.Int64
	release := make(chan struct{})
	time.AfterFunc(pause, func() { close(release) })
	s := site{reading: func(string, string) func() error {
		return func() error {
			<-release
			served.Add(1)
			return nil
		}
	}, login: func(string) (string, error) { return "", nil }, logout: func(string) error { return nil }}
	a, err := openLoop(s, []loggedIn{{}}, 1000, pause)
	if err != nil {
		t.Fatal(err)
	}
	if a.Sent < 50 || a.Dropped > 0 || served.Load() == 0 {
		t.Fatalf("%+v, %d served", a, served.Load())
	}
	if a.P50 < pause/10 {
		t.Errorf("the median is %v, though all requests waited for a pause of %v", a.P50, pause)
	}
}

func TestTheTimesOfProcessorsAreThoseOfDescendants(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("there is no /proc here")
	}
	// The grandchild ends by itself, whatever happens to this test.
	child := exec.Command("sh", "-c", "timeout --foreground 60 sh -c 'while :; do :; done'; true")
	child.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		syscall.Kill(-child.Process.Pid, syscall.SIGKILL)
		child.Wait()
	}()
	ownBefore, before, err := processorTimes()
	if err != nil {
		t.Fatal(err)
	}
	for {
		own, after, err := processorTimes()
		if err != nil {
			t.Fatal(err)
		}
		if after-before >= 50*time.Millisecond && own > ownBefore {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
}
