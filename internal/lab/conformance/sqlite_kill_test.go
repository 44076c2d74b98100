package conformance

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// killed is the environment variable that makes this test the process that is
// killed. It names the database.
const killed = "CONFORMANCE_SQLITE"

// SQLite has no server to kill: its users are killed while they write. What
// they had acknowledged is there, and what they had ended stays so.
func TestSQLiteKilledProcess(t *testing.T) {
	if file := os.Getenv(killed); file != "" {
		writeUntilKilled(t, file)
		return
	}
	file := sqliteFile(t)
	acknowledged := make(map[string]int)
	for round := range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestSQLiteKilledProcess$")
		child.Env = append(os.Environ(), killed+"="+file, fmt.Sprint("ROUND=", round), "TMPDIR="+t.TempDir())
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(20+round)*time.Second, func() { child.Process.Kill() })
		lines := 0
		for in := bufio.NewScanner(out); in.Scan(); {
			var key string
			var n int
			if _, err := fmt.Sscanf(in.Text(), "done %s %d", &key, &n); err == nil {
				acknowledged[key] = n
				if lines++; lines == 200 {
					child.Process.Kill()
				}
			}
		}
		timer.Stop()
		child.Wait()
		if lines < 200 {
			t.Fatalf("the process wrote %d times only", lines)
		}
	}
	s, undone := openSQLite(t, file), 0
	for key, n := range acknowledged {
		value, ok, err := s.Get(context.Background(), key)
		if err != nil || !ok {
			t.Errorf("%s: %v, %v", key, ok, err)
			continue
		}
		// The write that was under way may have happened as well.
		if string(value) != written(n) && string(value) != written(n+1) {
			undone++
		}
	}
	if undone != 0 {
		t.Errorf("%d of %d records are not what was acknowledged", undone, len(acknowledged))
	}
}

const last = 4

// written is the n-th value of a record; after the last it has ended.
func written(n int) string {
	if n >= last {
		return "ended"
	}
	return fmt.Sprint("value ", n)
}

func writeUntilKilled(t *testing.T, file string) {
	s := openSQLite(t, file)
	var wg sync.WaitGroup
	var out sync.Mutex
	for i := range 4 {
		wg.Go(func() {
			for k := range 1000 {
				key := strings.Join([]string{"key", os.Getenv("ROUND"), fmt.Sprint(i), fmt.Sprint(k)}, "-")
				var old []byte
				for n := range last + 1 {
					mustSwap(t, s, key, old, []byte(written(n)), time.Hour)
					old = []byte(written(n))
					out.Lock()
					fmt.Println("done", key, n)
					out.Unlock()
				}
			}
		})
	}
	wg.Wait()
}
