package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"slices"
	"sync/atomic"
	"time"
)

// An end is how fast logouts take effect on another host.
type end struct {
	where, how   string
	logout       time.Duration // the median
	late, latest time.Duration // how long after it requests were served: the median, and the maximum
}

// ends measures logouts on one host while a browser sends requests to another.
func (b *bench) ends(ctx context.Context, p place) error {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	for _, s := range p.stores {
		one, err1 := ourSessions("sessions", s.one)
		two, err2 := ourSessions("sessions", s.two)
		checking1, err3 := ourTokens("tokens with RevocationCheck", s.one, key, true, 0)
		checking2, err4 := ourTokens("tokens with RevocationCheck", s.two, key, true, 0)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			return err
		}
		where := p.name
		if s.name != p.stores[0].name {
			where += ", near cache"
		}
		for _, hosts := range [][2]site{{one, two}, {checking1.site, checking2.site}} {
			e, err := endOf(ctx, b.logouts, hosts)
			if err != nil {
				return err
			}
			e.where = where
			b.results.ends = append(b.results.ends, e)
		}
	}
	return nil
}

// endOf measures n logouts on the first host.
func endOf(ctx context.Context, n int, hosts [2]site) (end, error) {
	var took, late []time.Duration
	for range n {
		if err := ctx.Err(); err != nil {
			return end{}, err
		}
		t, l, err := oneEnd(hosts)
		if err != nil {
			return end{}, err
		}
		took, late = append(took, t), append(late, l)
	}
	return end{how: hosts[0].name, logout: median(took), late: median(late), latest: slices.Max(late)}, nil
}

// oneEnd returns how long one logout took, and how long after it a request
// began on the second host that was served.
func oneEnd(hosts [2]site) (took, late time.Duration, err error) {
	credential, err := hosts[0].login(typical.Subject)
	if err != nil {
		return 0, 0, err
	}
	var last atomic.Pointer[time.Time] // when the last request began that was served
	served, refused := make(chan bool, 1), make(chan error, 1)
	read := hosts[1].reading(credential, typical.Subject)
	go func() {
		for n := 0; ; n++ {
			start := time.Now()
			if err := read(); err != nil {
				refused <- err
				return
			}
			if last.Store(&start); n == 3 { // a near cache has it by now
				served <- true
			}
		}
	}()
	select {
	case <-served:
	case err := <-refused:
		return 0, 0, errors.Join(errors.New("refused before the logout"), err)
	}
	start := time.Now()
	err = hosts[0].logout(credential)
	done := time.Now()
	if err != nil {
		return 0, 0, err
	}
	select {
	case err = <-refused:
	case <-time.After(time.Minute):
		return 0, 0, errors.New("a logout has had no effect for a minute")
	}
	if !errors.Is(err, errRefused) {
		return 0, 0, err
	}
	return done.Sub(start), max(0, last.Load().Sub(done)), nil
}
