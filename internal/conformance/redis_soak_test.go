package conformance

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/authlatch/auth/internal/conformance/servers"
	"github.com/authlatch/auth/session"
	"github.com/authlatch/auth/store"
)

// TestRedisSoak looks whether anything grows under mixed traffic at two
// processes, one of them with a near cache: ten minutes if AUTH_LONG is 1. The
// first third is left out, in which records fill up that last for a minute
// after their end; in the short form they go on filling up, so what the server
// holds is shown, and asserted only in the long one.
func TestRedisSoak(t *testing.T) {
	const samples = 30
	lasts, long := 9*time.Second, os.Getenv("AUTH_LONG") == "1"
	if long {
		lasts = 10 * time.Minute
	}
	server := servers.Redis(t)
	managers := [2]*session.Manager{soaked(t, openRedis(t, server.URL())), soaked(t, openNear(t, server.URL()))}
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var users sync.WaitGroup
	for i := range 8 {
		users.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				soakOnce(ctx, t, managers, i, n)
			}
		})
	}
	curves := make(map[string][]float64)
	for range samples {
		time.Sleep(lasts / samples)
		for name, value := range measures(server) {
			curves[name] = append(curves[name], value)
		}
	}
	cancel()
	users.Wait()
	for name, curve := range curves {
		curve = curve[samples/3:]
		grows := slope(curve) * float64(len(curve)) / max(mean(curve), 1)
		t.Logf("%-16s %12.0f on average, grows by %+.1f %% in %v", name, mean(curve), 100*grows, lasts*2/3)
		if asserted := long || !strings.HasPrefix(name, "server"); asserted && grows > 0.25 {
			t.Errorf("%s grows: %.0f", name, curve)
		}
	}
}

func soaked(t *testing.T, s store.Store) *session.Manager {
	t.Helper()
	m, err := session.New(session.Config{Store: s, IdleTimeout: 2 * time.Second, Lifetime: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// soakOnce is a log-in that is used, and then ended or left to expire.
func soakOnce(ctx context.Context, t *testing.T, managers [2]*session.Manager, i, n int) {
	here, there := managers[i%2], managers[(i+1)%2]
	subject := fmt.Sprintf("user %d of %d", n%50, i)
	var c client
	err := c.login(ctx, here, subject)
	for range 5 {
		if err == nil {
			err = c.increment(ctx, here)
		}
		for range 4 {
			if err == nil {
				_, err = c.authenticate(ctx, there)
			}
			time.Sleep(2 * time.Millisecond)
		}
	}
	switch {
	case err != nil:
	case n%7 == 0:
		err = here.LogoutAll(ctx, subject)
	case n%3 != 0:
		err = c.logout(ctx, there)
	}
	if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

// measures returns what must not grow.
func measures(server *servers.RedisServer) map[string]float64 {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	_, rest, _ := strings.Cut(server.Do("INFO", "memory"), "used_memory:")
	used, _, _ := strings.Cut(rest, "\r\n")
	return map[string]float64{
		"heap":           float64(memory.HeapAlloc),
		"goroutines":     float64(runtime.NumGoroutine()),
		"connections":    float64(len(server.Clients())),
		"server records": number(server.Do("DBSIZE")),
		"server memory":  number(used),
	}
}

func number(text string) float64 {
	n, _ := strconv.ParseFloat(text, 64)
	return n
}

func mean(curve []float64) (m float64) {
	for _, y := range curve {
		m += y / float64(len(curve))
	}
	return m
}

// slope is that of the line of least squares, for each step.
func slope(curve []float64) float64 {
	var above, below float64
	middle, m := float64(len(curve)-1)/2, mean(curve)
	for i, y := range curve {
		x := float64(i) - middle
		above += x * (y - m)
		below += x * x
	}
	return above / below
}
