package storetest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// parallel runs do n times concurrently, alternating between both views of the
// store. It ends the rule if do returns errors.
func (k *kit) parallel(n int, do func(i int, view view) error) {
	k.Helper()
	start := make(chan struct{})
	var group sync.WaitGroup
	var failed atomic.Bool
	for i := range n {
		group.Go(func() {
			<-start
			if err := do(i, view{k, i % 2}); err != nil {
				failed.Store(true)
				k.Errorf("%v", err)
			}
		})
	}
	close(start)
	group.Wait()
	if failed.Load() {
		k.FailNow()
	}
}

// A view is one of the two stores of a kit, with calls for use by a goroutine.
type view struct {
	k     *kit
	which int
}

func (v view) get(key string) ([]byte, bool, error) {
	value, ok, err := v.k.stores[v.which].Get(v.k.ctx, key)
	return value, ok, named("Get", err)
}

func (v view) swap(key string, old, new []byte) (bool, error) {
	swapped, err := v.k.stores[v.which].CompareAndSwap(v.k.ctx, key, old, new, alive)
	return swapped, named("CompareAndSwap", err)
}

func named(call string, err error) error {
	if err != nil {
		err = fmt.Errorf("%s: %w", call, err)
	}
	return err
}

func oneCreator(k *kit) {
	const rounds, creators = 20, 8
	for range rounds {
		key := k.key()
		var winners atomic.Int64
		var winner atomic.Value
		k.parallel(creators, func(i int, v view) error {
			value := fmt.Sprint("creator ", i)
			won, err := v.swap(key, nil, []byte(value))
			if won {
				winners.Add(1)
				winner.Store(value)
			}
			return err
		})
		if n := winners.Load(); n != 1 {
			k.fatalf("%d of %d creates succeeded", n, creators)
		}
		k.wantValue(key, []byte(winner.Load().(string)))
	}
}

// oneWinner lets two goroutines swap the same value at the same instant, again
// and again for a moment. A store in memory that gives its lock back between the
// comparison and the write lets both succeed, but in few rounds. Blocks of short and of
// long values take turns: with short ones the calls meet at the lock, with long ones
// while they compare.
func oneWinner(k *kit) {
	const rounds, block, shortest, longest = 40, 16, 64, 16 << 10
	key, old := k.key(), []byte(nil)
	for n, start := 0, time.Now(); n < rounds || time.Since(start) < k.race; n++ {
		length := rand.IntN(shortest)
		if n%(2*block) >= block {
			length = rand.IntN(longest)
		}
		var news [2][]byte
		for i := range news {
			news[i] = fmt.Appendf(make([]byte, length), "%d.%d", n, i) // a value never returns
		}
		var ready atomic.Int32
		var won [2]bool
		k.parallel(2, func(i int, v view) (err error) {
			for ready.Add(1); ready.Load() < 2; {
				runtime.Gosched()
			}
			won[i], err = v.swap(key, old, news[i])
			return err
		})
		if won[0] == won[1] {
			k.fatalf("two swaps of a value at the same instant returned %v and %v, in round %d", won[0], won[1], n+1)
		}
		old = news[0]
		if won[1] {
			old = news[1]
		}
		k.wantValue(key, old)
		if n%4 == 0 {
			k.delete(key)
			old = nil
		}
	}
	k.delete(key)
}

func noLostUpdate(k *kit) {
	const writers, each = 8, 25
	key := k.key()
	k.create(key, []byte("0"))
	k.parallel(writers, func(_ int, v view) error {
		for range each {
			if err := v.increment(key); err != nil {
				return err
			}
		}
		return nil
	})
	if n := counted(k.get(key)); n != writers*each {
		k.Errorf("the counter is %d after %d updates", n, writers*each)
	}
}

// increment increments a counter by a swap, and retries until the swap
// succeeds. It yields before each swap, because on a store in memory it would
// otherwise finish before other goroutines start.
func (v view) increment(key string) error {
	for start := time.Now(); time.Since(start) < v.k.patience; {
		old, ok, err := v.get(key)
		if err != nil {
			return err
		}
		if counted(old, ok) < 0 {
			return fmt.Errorf("the counter became %s", shown(old))
		}
		runtime.Gosched()
		next := fmt.Append(nil, counted(old, ok)+1)
		if swapped, err := v.swap(key, old, next); swapped || err != nil {
			return err
		}
	}
	return fmt.Errorf("no update in %v", v.k.patience)
}

// counted returns the number in a counter, or -1.
func counted(value []byte, ok bool) int {
	if n, err := strconv.Atoi(string(value)); ok && err == nil {
		return n
	}
	return -1
}

func readsOwnWrites(k *kit) {
	key := k.key()
	var old []byte
	for i := range 100 {
		writer, reader := view{k, i % 2}, view{k, (i + 1) % 2}
		reader.get(key) // so that a cache would keep the old value
		value := fmt.Append(nil, "value ", i)
		if swapped, err := writer.swap(key, old, value); !swapped || err != nil {
			k.fatalf("swap: %v, %v", swapped, err)
		}
		if got, ok, err := reader.get(key); !bytes.Equal(got, value) || !ok || err != nil {
			k.fatalf("Get after the swap returned %q, %v, %v", got, ok, err)
		}
		old = value
	}
	k.delete(key)
	if got, ok, err := (view{k, 1}).get(key); ok || err != nil {
		k.Errorf("Get after Delete returned %q, %v, %v", got, ok, err)
	}
}

// linearizable records the calls of several goroutines on a few keys, and
// checks that a single register could have returned their results.
func linearizable(k *kit) {
	const rounds, clients, each, keys = 12, 6, 36, 3
	for range rounds {
		names := [keys]string{k.key(), k.key(), k.key()}
		var histories [clients][keys]history
		start := time.Now()
		k.parallel(clients, func(i int, v view) error {
			c := client{view: v, start: start, name: 'a' + byte(i)}
			for n := range each {
				if n%2 == 0 {
					c.key = rand.IntN(keys)
				}
				op, err := c.step(names[c.key])
				if err != nil {
					return err
				}
				histories[i][c.key] = append(histories[i][c.key], op)
			}
			return nil
		})
		for key := range keys {
			var all history
			for i := range clients {
				all = append(all, histories[i][key]...)
			}
			if !all.linearizable() {
				k.fatalf("the key is not linearizable:\n%s", all.prove())
			}
		}
	}
}

// A client makes random calls, and writes values that no other client writes.
type client struct {
	view
	start time.Time
	name  byte
	key   int
	made  uint32
	seen  []byte // by the last Get of any key; nil if absent
}

func (c *client) step(key string) (op operation, err error) {
	runtime.Gosched()
	op.client = c.name
	op.start = time.Since(c.start)
	switch n := rand.IntN(10); {
	case n < 4:
		op.kind = read
		var value []byte
		value, op.ok, err = c.get(key)
		c.seen = value
		op.new = string(value)
	case n < 9:
		op.kind = swap
		c.made++
		new := fmt.Appendf(nil, "%c%d", c.name, c.made)
		old := c.seen
		if len(old) == 0 {
			old = nil
		}
		op.old, op.new = string(old), string(new)
		op.ok, err = c.swap(key, old, new)
		if op.ok {
			c.seen = new
		}
	default:
		op.kind = remove
		err = c.k.stores[c.which].Delete(c.k.ctx, key)
	}
	op.end = time.Since(c.start)
	return op, err
}
