package throttle_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/authlatch/auth"
	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/throttle"
)

// fault is the way in which a store call fails.
type fault string

const (
	failsBefore fault = "fails before"
	failsAfter  fault = "fails after"
	failsLate   fault = "fails, and takes place before the next swap"
	hangs       fault = "hangs"
	saysNo      fault = "says no"
	saysNoAfter fault = "says no, and has swapped"
)

// crooked is a store that fails at one call, or from one call on.
type crooked struct {
	store.Memory
	fault   fault
	at      int // 0: never
	forGood bool

	calls int
	late  func()
}

func (c *crooked) wrong() bool {
	if c.at == 0 {
		return false
	}
	c.calls++
	return c.calls == c.at || c.forGood && c.calls > c.at
}

func (c *crooked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if c.wrong() {
		switch c.fault {
		case failsBefore, failsAfter, failsLate:
			return nil, false, errStore
		case hangs:
			<-ctx.Done()
			return nil, false, ctx.Err()
		}
	}
	return c.Memory.Get(ctx, key)
}

func (c *crooked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	wrong := c.wrong()
	if c.late != nil {
		c.late()
		c.late = nil
	}
	swap := func() (bool, error) { return c.Memory.CompareAndSwap(context.WithoutCancel(ctx), key, old, new, ttl) }
	if !wrong {
		return swap()
	}
	switch c.fault {
	case failsAfter:
		swap()
	case failsLate:
		c.late = func() { swap() }
	case hangs:
		<-ctx.Done()
		return false, ctx.Err()
	case saysNo:
		return false, nil
	case saysNoAfter:
		swap()
		return false, nil
	}
	return false, errStore
}

func (c *crooked) Delete(ctx context.Context, key string) error {
	if c.wrong() && c.fault != saysNo && c.fault != saysNoAfter {
		if c.fault == hangs {
			<-ctx.Done()
		}
		if c.fault == failsAfter {
			c.Memory.Delete(context.WithoutCancel(ctx), key)
		}
		return errStore
	}
	return c.Memory.Delete(context.WithoutCancel(ctx), key)
}

// heal makes the store work, and applies delayed writes.
func (c *crooked) heal() {
	c.at = 0
	if c.late != nil {
		c.late()
	}
	c.late = nil
}

// ASVS 5.0, 16.5.2 and 16.5.3. Every store call of an attempt fails in every way, once
// and permanently. Each attempt that is made is counted once, and no attempt is made
// while the store does not respond.
func TestEveryFaultOfTheStore(t *testing.T) {
	for _, fault := range []fault{failsBefore, failsAfter, failsLate, hangs, saysNo, saysNoAfter} {
		for _, forGood := range []bool{false, true} {
			for _, kind := range []string{"wrong", "right", "unable"} {
				for _, known := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s/for good %t/%s/known %t", fault, forGood, kind, known), func(t *testing.T) {
						at := 0
						for calls := 0; calls >= at; {
							at++
							synctest.Test(t, func(t *testing.T) {
								s := &crooked{fault: fault, forGood: forGood}
								calls = goesWrong(t, s, at, kind, known)
							})
						}
						if at < 3 {
							t.Errorf("an attempt is %d calls", at-1)
						}
					})
				}
			}
		}
	}
}

// goesWrong makes one attempt in which call number at fails, and returns the number of
// its calls.
func goesWrong(t *testing.T, s *crooked, at int, kind string, known bool) int {
	d := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t), AddressFailures: 8})
	g := from(0)
	if known {
		d.expect("right", g, "alice", true)
	}
	d.wrongs(g, "alice", 2)
	d.checks, d.events = 0, nil

	s.at, s.calls = at, 0
	got, began := "", time.Now()
	if kind == "unable" {
		if got = d.unable(g, "alice"); got != "unable" {
			got = "no answer"
		}
	} else {
		got = d.try(g, "alice", kind == "right")
	}
	calls := s.calls
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("call %d: it took %v", at, took)
	}
	if got != kind && got != "no answer" {
		t.Errorf("call %d: the outcome is %s", at, got)
	}
	if calls >= at && got == "no answer" && !faulted(d) {
		t.Errorf("call %d: no fault was reported", at)
	}
	s.heal()

	// How many attempts are counted now, after two before.
	account := 5 - d.left(func(int) *guest { return &guest{from(1).address, g.cookie} }, "alice", true)
	address := 8 - d.left(func(int) *guest { return &guest{address: g.address} }, "another", false)
	if known {
		address += 2 // where a device counts nothing
	}
	least, most := map[string]int{"wrong": 3, "right": 0, "unable": 2}[kind], map[string]int{"wrong": 3, "right": 3, "unable": 3}[kind]
	if got == "no answer" {
		least = 2
	}
	if account < least || account > most {
		t.Errorf("call %d, %s: %d count against the account", at, got, account)
	}
	if least = max(least, 2); known {
		least, most = 2, 2
	}
	if address < least || address > most {
		t.Errorf("call %d, %s: %d count against the address", at, got, address)
	}
	if calls < at && account != map[string]int{"wrong": 3, "right": 0, "unable": 2}[kind] {
		t.Errorf("without a fault %d are counted", account)
	}
	return calls
}

func faulted(d *door) bool {
	for _, e := range d.events {
		if e.Kind == auth.EventFault && e.Err != nil {
			return true
		}
	}
	return false
}

// left returns how many attempts are admitted now.
func (d *door) left(who func(i int) *guest, account string, same bool) int {
	for i := range 100 {
		name := account
		if !same {
			name = fmt.Sprint(account, i)
		}
		if d.try(who(i), name, false) == "throttled" {
			return i
		}
	}
	return 100
}

// While the store is down no attempt is made, and no response reveals a wrong proof.
func TestAStoreThatIsDownLetsNothingThrough(t *testing.T) {
	s := &crooked{fault: failsBefore}
	d := newDoor(t, throttle.Config{Store: s, Sealer: newSealer(t)})
	owner := from(0)
	d.expect("right", owner, "alice", true)
	d.checks, s.at, s.forGood = 0, 1, true
	for range 20 {
		d.expect("no answer", from(1), "alice", true)
		d.expect("no answer", owner, "alice", true)
	}
	if d.checks != 0 {
		t.Errorf("%d checks", d.checks)
	}
	if err := d.Reset(t.Context(), "alice"); !errors.Is(err, errStore) {
		t.Error(err)
	}
	s.heal()
	d.wrongs(from(1), "alice", 5)
}
