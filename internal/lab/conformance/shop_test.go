package conformance

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// shop is examples/session as its users run it: the program itself, not its
// handlers. The tests thus cover its flags, its server and its end as well.
type shop struct {
	url string // of the plain listener, with an IP address

	mu  sync.Mutex
	log []string
}

// openShop starts the program with production settings, but for the flags.
func openShop(t *testing.T, flags ...string) *shop {
	t.Helper()
	file, err := program()
	if err != nil {
		t.Fatalf("examples/session does not build: %v", err)
	}
	command := exec.Command(file, append([]string{"-addr", "127.0.0.1:0"}, flags...)...)
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s, listening, ended := &shop{}, make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		s.follow(stderr, listening)
	}()
	t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		kill := time.AfterFunc(hang, func() { command.Process.Kill() })
		defer kill.Stop()
		<-ended
		if err := command.Wait(); err != nil {
			t.Errorf("the shop does not end well: %v", err)
		}
	})
	select {
	case s.url = <-listening:
	case <-ended:
		t.Fatalf("the shop does not open: %q", s.log)
	case <-time.After(hang):
		t.Fatal("the shop takes too long to open")
	}
	return s
}

// follow keeps the log and finds out where the shop listens.
func (s *shop) follow(stderr io.Reader, listening chan<- string) {
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		line := lines.Text()
		s.mu.Lock()
		s.log = append(s.log, line)
		s.mu.Unlock()
		if _, url, ok := strings.Cut(line, "msg=listening url="); ok {
			listening <- url
		}
	}
}

// logged counts the lines of the log with a text.
func (s *shop) logged(text string) (count int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.log {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}

// status asks for a page as a second client does who has nothing but the value
// of the cookie.
func (s *shop) status(t *testing.T, path, cookie string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Cookie", cookieName+"="+cookie)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}
