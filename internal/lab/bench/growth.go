package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"time"

	"github.com/alexedwards/scs/v2/memstore"
	"github.com/authlatch/auth/store"
)

// scsPowers is up to which power of ten scs grows.
const scsPowers = 6

// A grown is a process with so many logins in memory.
type grown struct {
	Name   string
	Logins int
	Read   time.Duration // the median of requests with a login at random
	GC     time.Duration // the median of one garbage collection
	Bytes  float64       // of one login
}

// growth measures growing numbers of logins, each in a process of its own.
func growth(ctx context.Context, b *bench) error {
	for power := 3; power <= b.powers; power++ {
		for _, name := range []string{"ours", "scs"} {
			if name == "scs" && power > scsPowers {
				continue
			}
			n := int(math.Pow10(power))
			b.say("%s, %d logins", name, n)
			var g grown
			end, err := startChild(&g, "grow", name, fmt.Sprint(n))
			if err != nil {
				return err
			}
			if err := end(); err != nil {
				return err
			}
			b.results.growth = append(b.results.growth, g)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	return nil
}

// grow logs in n subjects, and writes what that has made of the process.
func grow(name string, n int, out io.Writer) error {
	s, err := ourSessions(name, &store.Memory{MaxBytes: math.MaxInt64})
	if name == "scs" {
		s = scsSite(name, memstore.NewWithCleanupInterval(0))
	}
	if err != nil {
		return err
	}
	some, err := logIn(s, n)
	if err != nil {
		return err
	}
	g := grown{Name: name, Logins: n}
	if g.Read, err = timeReads(s.handler, some); err != nil {
		return err
	}
	g.GC = timeGC()
	with := heap()
	runtime.KeepAlive(s)
	s = site{}
	g.Bytes = float64(with-heap()) / float64(n)
	runtime.KeepAlive(some)
	return json.NewEncoder(out).Encode(g)
}

// A loggedIn is one login.
type loggedIn struct{ credential, subject string }

// logIn logs in n subjects, and returns some of them in no order.
func logIn(s site, n int) ([]loggedIn, error) {
	step := max(1, n/100_000)
	some := make([]loggedIn, (n+step-1)/step)
	workers := runtime.GOMAXPROCS(0)
	errs := make(chan error, workers)
	for w := range workers {
		go func() {
			for i := w; i < n; i += workers {
				subject := fmt.Sprintf("subject-%08d", i)
				credential, err := s.login(subject)
				if err != nil {
					errs <- err
					return
				}
				if i%step == 0 {
					some[i/step] = loggedIn{credential, subject}
				}
			}
			errs <- nil
		}()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-errs)
	}
	rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some, err
}

// timeReads returns how long a request with one of these logins takes.
func timeReads(h http.Handler, some []loggedIn) (time.Duration, error) {
	template := httptest.NewRequest("GET", "https://app.example/", nil)
	next := 0
	read := contender{call: func() error {
		login := some[next%len(some)]
		next++
		r := template.WithContext(context.Background())
		r.Header = http.Header{"Cookie": {login.credential}}
		w := response{header: make(http.Header, 4)}
		h.ServeHTTP(&w, r)
		if w.body != login.subject {
			return errRefused
		}
		return nil
	}}
	var times []time.Duration
	for range 101 {
		const calls = 2000
		took, err := read.time(calls, 1)
		if err != nil {
			return 0, err
		}
		times = append(times, took/calls)
	}
	return median(times), nil
}

// timeGC returns how long a garbage collection takes.
func timeGC() time.Duration {
	var times []time.Duration
	for range 3 {
		start := time.Now()
		runtime.GC()
		times = append(times, time.Since(start))
	}
	return median(times)
}

// heap returns the bytes of live objects.
func heap() int64 {
	runtime.GC()
	runtime.GC() // what has finalizers or is in a pool is gone now
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
