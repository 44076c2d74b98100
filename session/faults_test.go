package session_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth/session"
)

// fault is how a call of a store goes wrong.
type fault int

const (
	failBefore fault = iota // an error, and nothing is done
	failAfter               // it is done, and an error all the same
	failLate                // an error, and it is done a little later
	hang                    // no answer before the context ends
	refuse                  // a swap says that the value is another, and it is not
	lose                    // a failover: this write of a key and those after it are gone, later
)

var faults = map[string]fault{
	"error before": failBefore, "error after": failAfter, "error and late": failLate,
	"hang": hang, "conflict": refuse, "lost write": lose,
}

// faulty is a store that goes wrong at one call, or from one on.
type faulty struct {
	*mapStore
	fault   fault
	at      int
	forGood bool

	mu    sync.Mutex
	calls int
	late  func()
	lost  func()
}

var errDown = errors.New("the store is down")

func (f *faulty) wrong() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	return f.calls == f.at || f.forGood && f.calls > f.at
}

func (f *faulty) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if f.wrong() {
		switch f.fault {
		case failBefore, failAfter, failLate:
			return nil, false, errDown
		case hang:
			<-ctx.Done()
			return nil, false, ctx.Err()
		}
	}
	return f.mapStore.Get(ctx, key)
}

func (f *faulty) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	if late := f.keep(&f.late, nil); late != nil {
		late()
	}
	if !f.wrong() {
		return f.mapStore.CompareAndSwap(ctx, key, old, new, ttl)
	}
	swap := func() { f.mapStore.CompareAndSwap(context.WithoutCancel(ctx), key, old, new, ttl) }
	switch f.fault {
	case failAfter:
		swap()
	case failLate:
		f.keep(&f.late, swap)
	case hang:
		<-ctx.Done()
		return false, ctx.Err()
	case refuse:
		return false, nil
	case lose:
		f.mapStore.mu.Lock()
		ends := f.ends[key]
		f.mapStore.mu.Unlock()
		f.keep(&f.lost, func() { f.put(key, old, ends) })
		return f.mapStore.CompareAndSwap(ctx, key, old, new, ttl)
	}
	return false, errDown
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if !f.wrong() {
		return f.mapStore.Delete(ctx, key)
	}
	switch f.fault {
	case failAfter:
		f.mapStore.Delete(ctx, key)
	case failLate:
		f.keep(&f.late, func() { f.mapStore.Delete(context.WithoutCancel(ctx), key) })
	case hang:
		<-ctx.Done()
		return ctx.Err()
	case refuse, lose:
		return f.mapStore.Delete(ctx, key)
	}
	return errDown
}

// keep sets what is to happen later, and returns what was.
func (f *faulty) keep(at *func(), do func()) (before func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before, *at = *at, do
	return before
}

// heal lets what is late happen, and what is lost.
func (f *faulty) heal() {
	for _, do := range []func(){f.late, f.lost} {
		if do != nil {
			do()
		}
	}
	f.late, f.lost = nil, nil
}

// ASVS 5.0, 2.3.3, 16.5.2 and 16.5.3.
// Every call of every operation goes wrong in every way, once and for good.
func TestEveryFaultEndsInOneOfTheOutcomes(t *testing.T) {
	for rule, fault := range faults {
		for _, forGood := range []bool{false, true} {
			if forGood && fault != failBefore && fault != hang {
				continue
			}
			for _, op := range append(operations, reads...) {
				t.Run(fmt.Sprintf("%s/%t/%s", rule, forGood, op.rule), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						at := 1
						for op.goesWrong(t, fault, at, forGood) >= at {
							at++
						}
					})
				})
			}
		}
	}
}

var reads = []operation{
	{rule: "Authenticate", do: func(_ *scene, m *session.Manager, b *browser) error {
		_, err := b.authenticate(m)
		return err
	}},
	{rule: "Get", do: func(_ *scene, m *session.Manager, b *browser) error {
		_, err := m.Get(b.request("GET"))
		return err
	}},
	{rule: "List", do: func(_ *scene, m *session.Manager, b *browser) error {
		_, err := m.Logins(b.request("GET").Context(), "alice")
		return err
	}},
}

// goesWrong runs an operation with a fault, and returns how many calls it made.
func (op operation) goesWrong(t *testing.T, kind fault, at int, forGood bool) int {
	t.Helper()
	s := op.scene(t)
	var j journal
	f := &faulty{mapStore: s.store, fault: kind, at: at, forGood: forGood}
	m := newManager(t, session.Config{Store: f, Events: j.record})
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second) // bounds what reads
	defer cancel()
	start, old := time.Now(), *s.laptop
	s.laptop.ctx = ctx
	err := op.do(s, m, s.laptop)
	s.laptop.ctx = nil
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("call %d: took %v", at, took)
	}
	f.heal()
	for _, secret := range []string{old.token, s.laptop.token, s.phone.token} {
		written := fmt.Sprintf("%v %+v", err, j.events)
		if secret != "" && strings.Contains(written, secret) {
			t.Fatalf("call %d: a token is disclosed", at)
		}
	}
	switch got := outcome(err); {
	case got != valid && got != unavailable:
		t.Errorf("call %d: %v", at, err)
	case kind == lose:
		op.settles(t, s, old)
	case got == valid:
		op.succeeded(t, s, old)
	default:
		op.failed(t, s, old, at)
	}
	return f.calls
}

// failed checks that after an error no stored value is lost, that no
// request is admitted, and that the client receives nothing else.
func (op operation) failed(t *testing.T, s *scene, old browser, at int) {
	t.Helper()
	if s.laptop.set != nil {
		t.Errorf("call %d: the cookie is changed in spite of an error", at)
	}
	if !op.phone {
		s.phone.wants(t, s.m, valid)
		if n := s.phone.count(t, s.m); n != 1 {
			t.Errorf("call %d: the phone's count is %d", at, n)
		}
	}
	switch got := old.session(s.m); {
	case got == valid:
		if n := old.count(t, s.m); n < 1 || n > 1+op.adds {
			t.Errorf("call %d: count %d", at, n)
		}
	case got != noCredential || !op.ends:
		t.Errorf("call %d: the laptop: %s", at, got)
	}
	op.again(t, s, old)
}

// settles checks that after a lost write everything is as it should be after
// the next touch: a live session is listed, and a session that was logged out has ended.
func (op operation) settles(t *testing.T, s *scene, old browser) {
	t.Helper()
	time.Sleep(6 * time.Minute)
	ended := map[string]bool{s.phone.token: op.phone, old.token: op.ends, s.laptop.token: false}
	if s.laptop.token == old.token {
		ended[old.token] = op.ends
	}
	alive := 0
	if op.guest {
		alive++ // the laptop, which has no part in it
	}
	for token, ended := range ended {
		found, err := s.m.Get((&browser{token: token}).request("GET"))
		switch got := outcome(err); {
		case got == valid && found.Anonymous():
			// In no list: it lives until its idle timeout, and belongs to no subject.
		case got == valid && ended:
			t.Error("what was logged out is alive after its touch")
		case got == valid:
			alive++
		case got != valid && got != noCredential:
			t.Error(err)
		}
	}
	list, err := s.m.Logins(t.Context(), "alice")
	check(t, err)
	if len(list) != alive {
		t.Errorf("%d live, %d are listed", alive, len(list))
	}
}
