package password_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/password"
)

// storm is the client side.
type storm struct {
	t       *testing.T
	url     string
	client  *http.Client
	clients sync.WaitGroup
}

// startStorm starts the service in a process with that GOMEMLIMIT.
func startStorm(t *testing.T, limit string) *storm {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServiceInAStorm$")
	cmd.Env = append(os.Environ(), "AUTH_STORM=1", "GOMAXPROCS=2", "GOGC=100", "GOMEMLIMIT="+limit)
	cmd.Stderr = os.Stderr
	in, errIn := cmd.StdinPipe()
	out, errOut := cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := &storm{t: t, client: &http.Client{Transport: &http.Transport{}}}
	t.Cleanup(func() {
		in.Close() // which ends it
		cmd.Wait()
		s.clients.Wait()
		s.client.CloseIdleConnections()
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s.url = strings.TrimSpace(address)
	return s
}

// login posts a login, concurrently with others. If no status is expected, any result
// is accepted.
func (s *storm) login(ctx context.Context, who string, want int) {
	s.clients.Go(func() {
		form := url.Values{"who": {who}, "password": {"the wrong one"}}
		if who == "a body of 10 MB" {
			form.Set("password", tenMegabytes)
		}
		r, err := http.NewRequestWithContext(ctx, "POST", s.url+"/login", strings.NewReader(form.Encode()))
		if err != nil {
			s.t.Error(err)
			return
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, err := s.client.Do(r)
		switch {
		case want == 0 && err == nil, err == nil && res.StatusCode == want:
			res.Body.Close()
		case want != 0:
			s.t.Errorf("%s: %v, %v", who, res, err)
		}
	})
}

// wait returns when the service has counted to n.
func (s *storm) wait(what string, n int) {
	s.t.Helper()
	s.get("/wait/" + what + "/" + strconv.Itoa(n))
}

// run makes the service hash until all requests are done, and returns its report.
func (s *storm) run() (r report) {
	s.t.Helper()
	s.get("/run")
	s.clients.Wait()
	if err := json.Unmarshal(s.get("/report"), &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *storm) get(path string) []byte {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), "GET", s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	res, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return body
}

// service is the server side.
type service struct {
	passwords *password.Hasher
	hashes    map[string]string
	start     chan struct{}

	mu      sync.Mutex
	counted sync.Cond
	counts  map[string]int
	heap    int
}

// report has the counters of the service and its maximum memory in bytes. Resident is
// zero where the system does not report it.
type report struct {
	Counts         map[string]int
	Heap, Resident int
}

var tenMegabytes = strings.Repeat("x", 10<<20)

// TestMain runs the service if this is the process for it.
func TestServiceInAStorm(t *testing.T) {
	if os.Getenv("AUTH_STORM") == "" {
		return
	}
	s := &service{start: make(chan struct{}), counts: make(map[string]int)}
	s.counted.L = &s.mu
	var err error
	if s.passwords, err = password.New(password.Config{}); err != nil {
		t.Fatal(err)
	}
	known := hash(t, s.passwords, "the right one")
	s.hashes = map[string]string{
		"known":             known,
		"known, 10 MB":      known,
		"a hash of 128 MiB": "$argon2id$v=19$m=131072,t=1,p=1$" + salt + "$" + tag,
		"a hash of 4 GiB":   "$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + tag,
	}
	password.Noting(s.passwords, func(password.Call) {
		<-s.start
		s.count("hashed")
	})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("GET /wait/{what}/{n}", s.wait)
	mux.HandleFunc("GET /run", func(http.ResponseWriter, *http.Request) { close(s.start) })
	mux.HandleFunc("GET /report", s.report)
	go s.watch()
	fmt.Println(httptest.NewServer(mux).URL)
	io.Copy(io.Discard, os.Stdin)
}

func (s *service) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	if err := r.ParseForm(); err != nil {
		s.count("too large")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	who, presented := r.PostForm.Get("who"), r.PostForm.Get("password")
	if strings.HasSuffix(who, "10 MB") { // they are there anyway, once for all
		presented = tenMegabytes
	}
	s.count("entered")
	err := s.passwords.Verify(r.Context(), s.hashes[who], presented)
	switch {
	case errors.Is(err, password.ErrWrong):
		s.count("wrong")
		w.WriteHeader(http.StatusUnauthorized)
	case errors.Is(err, context.Canceled):
		s.count("gone")
	default:
		s.count("refused")
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

func (s *service) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
	s.counted.Broadcast()
}

func (s *service) wait(_ http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.PathValue("n"))
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.counts[r.PathValue("what")] < n {
		s.counted.Wait()
	}
}

// watch samples the heap continuously. The resident memory covers what it misses.
func (s *service) watch() {
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	for range time.Tick(2 * time.Millisecond) {
		metrics.Read(heap)
		s.mu.Lock()
		s.heap = max(s.heap, int(heap[0].Value.Uint64()))
		s.mu.Unlock()
	}
}

func (s *service) report(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	json.NewEncoder(w).Encode(report{maps.Clone(s.counts), s.heap, resident()})
}

// resident returns the maximum memory of the process, on Linux.
func resident() int {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(after, "kB")
	kib, _ := strconv.Atoi(strings.TrimSpace(line))
	return kib << 10
}
