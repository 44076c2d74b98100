package conformance

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/authlatch/auth/internal/lab/conformance/servers"
)

// storesProgram builds examples/integrations/stores once and returns the file.
var storesProgram = sync.OnceValues(func() (string, error) {
	file := filepath.Join(lasting, "stores")
	build := exec.Command("go", "-C", "../../../examples/integrations", "build", "-buildvcs=false", "-o", file, "./stores")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	return file, build.Run()
})

// ASVS 5.0, 16.5.2 and 16.5.3.
// TestProcessesSurviveFaults has two processes of an application, as their users
// run it, on one store, and clients that know nothing but HTTP. It prints a
// table: in none of its rows a logout is undone, something in a cart lost, or
// a user logged in or out by mistake. The process to which nothing
// happens is never restarted.
func TestProcessesSurviveFaults(t *testing.T) {
	mysql.SetLogger(&mysql.NopLogger{}) // it logs each broken connection
	table := []string{"", fmt.Sprintf("%-12s %-28s %8s %8s %9s %7s %6s %9s %10s %9s %9s", "backend", "fault", "answered",
		"refused", "slowest", "undone", "lost", "wrong in", "wrong out", "recovery", "logouts")}
	for _, stage := range stages {
		t.Run(stage.name, func(t *testing.T) {
			url, faults := stage.start(t)
			for _, fault := range faults {
				t.Run(fault.name, func(t *testing.T) {
					s := openStreet(t, url)
					time.Sleep(200 * time.Millisecond)
					s.cut.Store(fault.cut)
					fault.happens(s)
					table = append(table, fmt.Sprintf("%-12s %-28s %s", stage.name, fault.name, s.verdict(fault.quiet)))
				})
			}
		})
	}
	t.Log(strings.Join(table, "\n"))
}

// A street has two processes of one shop, and shoppers.
type street struct {
	t      *testing.T
	apps   [2]*servers.App
	client *http.Client
	cut    atomic.Bool // connections may break, since a process is killed
	ctx    context.Context
	stop   context.CancelFunc
	users  sync.WaitGroup

	mu       sync.Mutex
	tally    tally
	ended    []*shopper // what was logged out
	standing []*shopper // who was logged in at the end
}

func openStreet(t *testing.T, storeURL string) *street {
	t.Helper()
	program, err := storesProgram()
	if err != nil {
		t.Fatalf("examples/integrations/stores does not build: %v", err)
	}
	// No request may take as long as the client waits.
	s := &street{t: t, client: &http.Client{Transport: &http.Transport{}, Timeout: 2 * slowestAllowed}}
	keys := filepath.Join(t.TempDir(), "keys.json")
	for i := range s.apps {
		s.apps[i] = servers.NewApp(t, program, "-store", storeURL, "-keys", keys)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	t.Cleanup(func() { s.stop(); s.users.Wait(); s.client.CloseIdleConnections() })
	for i := range 6 { // they are there before the fault, and after it
		v := s.shopper(fmt.Sprint("resident-", i))
		v.login(s.apps[i%2])
		v.add(s.apps[(i+1)%2])
		s.keep(&s.standing, v)
	}
	for i := range 4 {
		s.users.Go(func() {
			for n := 0; s.ctx.Err() == nil; n++ {
				s.visit(i, n)
			}
		})
	}
	return s
}

func (s *street) shopper(subject string) *shopper {
	return &shopper{street: s, subject: subject}
}

// visit is a login from its beginning to its end.
func (s *street) visit(i, n int) {
	v := s.shopper(fmt.Sprintf("visitor-%d-%d", i, n))
	here, there := s.apps[i%2], s.apps[(i+1)%2]
	v.login(here)
	for range 2 {
		v.add(here)
		v.look(there)
		v.renew(there)
		v.intrude(here)
		time.Sleep(10 * time.Millisecond)
		if s.ctx.Err() != nil {
			s.keep(&s.standing, v)
			return
		}
	}
	v.leave(there, n%3)
}

func (s *street) keep(all *[]*shopper, v *shopper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*all = append(*all, v)
}

func (s *street) count(n *int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*n++
}

func (s *street) measure(begin time.Time, answered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tally.slowest = max(s.tally.slowest, time.Since(begin))
	if answered {
		s.tally.answered++
	} else {
		s.tally.refused++
	}
}

// verdict waits until both processes serve again, ends the traffic, and looks
// through both at every login once more.
func (s *street) verdict(quiet bool) string {
	s.t.Helper()
	s.awaitRecovery()
	s.stop()
	s.users.Wait()
	s.client.CloseIdleConnections()
	s.cut.Store(false)
	refused := s.tally.refused
	for _, a := range s.apps {
		for _, v := range s.ended {
			v.stayOut(a)
		}
		for _, v := range s.standing {
			v.look(a)
			v.renew(a)
			v.intrude(a)
		}
	}
	got := s.tally
	row := fmt.Sprintf("%8d %8d %9v %7d %6d %9d %10d %9v %9d", got.answered, got.refused, got.slowest.Round(time.Millisecond),
		got.undone, got.lost, got.wronglyIn, got.wronglyOut, got.recovery.Round(time.Millisecond), len(s.ended))
	if got.undone+got.lost+got.wronglyIn+got.wronglyOut != 0 || got.slowest > slowestAllowed || len(s.ended) == 0 {
		s.t.Error(row)
	}
	if got.refused != refused {
		s.t.Errorf("%d requests could not be answered after the recovery", got.refused-refused)
	}
	if refused == 0 && !quiet {
		s.t.Error("no client noticed the fault")
	}
	return row
}

func (s *street) awaitRecovery() {
	s.t.Helper()
	begin := time.Now()
	for i, well := 0, 0; well < 20; i++ {
		v := s.shopper(fmt.Sprint("after-", i))
		if v.login(s.apps[i%2]); v.session != "" && v.access != "" {
			well++
		} else {
			well = 0
		}
		if time.Since(begin) > hang {
			s.t.Fatal("the processes do not recover")
		}
	}
	s.tally.recovery = time.Since(begin)
}
