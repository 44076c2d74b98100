package simulate

import (
	"context"
	"time"

	"github.com/authlatch/auth/store"
)

// outside carries store calls out of the bubble, where a real server can be
// waited for while time stands still inside.
type outside struct {
	calls chan func(store.Store)
	done  chan struct{}
	store chan store.Store
}

func newOutside() *outside {
	o := &outside{calls: make(chan func(store.Store)), done: make(chan struct{}), store: make(chan store.Store)}
	go func() {
		var s store.Store
		for {
			select {
			case next, ok := <-o.store:
				if !ok {
					return
				}
				s = next
			case call := <-o.calls:
				call(s)
				o.done <- struct{}{}
			}
		}
	}()
	return o
}

func (o *outside) use(s store.Store) { o.store <- s }
func (o *outside) close()            { close(o.store) }

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
