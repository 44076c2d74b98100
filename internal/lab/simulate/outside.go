package simulate

import (
	"context"
	"time"

	"github.com/authlatch/auth/store"
)

// outside carries store calls out of the bubble, where a real server can be
// waited for while time stands still inside. It checks the results of the store.
type outside struct {
	store *checked
	calls chan func(store.Store)
	done  chan struct{}
}

func newOutside(s store.Store) *outside {
	o := &outside{store: newChecked(s), calls: make(chan func(store.Store)), done: make(chan struct{})}
	go func() {
		for call := range o.calls {
			call(o.store)
			o.done <- struct{}{}
		}
	}()
	return o
}

// close deletes what was written, and ends the goroutine.
func (o *outside) close() {
	o.do(func(s store.Store) { o.store.clean() })
	close(o.calls)
}

func (o *outside) do(call func(store.Store)) {
	o.calls <- call
	<-o.done
}

// It does not use the context of the bubble, whose deadlines do not apply outside.
var ctx = context.Background()

func (o *outside) Get(_ context.Context, key string) (value []byte, ok bool, err error) {
	o.do(func(s store.Store) { value, ok, err = s.Get(ctx, key) })
	return value, ok, err
}

func (o *outside) CompareAndSwap(_ context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	o.do(func(s store.Store) { swapped, err = s.CompareAndSwap(ctx, key, old, new, ttl) })
	return swapped, err
}

func (o *outside) Delete(_ context.Context, key string) (err error) {
	o.do(func(s store.Store) { err = s.Delete(ctx, key) })
	return err
}
