package main

import (
	"context"
	"time"

	"github.com/authlatch/auth/store"
)

// counted is a store that notes in the record of an exchange how often it is
// asked. It shows what a mode costs: an access token is checked without it.
type counted struct{ store.Store }

func (c counted) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	noteWork(ctx, 1, 0)
	return c.Store.Get(ctx, key)
}

func (c counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	noteWork(ctx, 0, 1)
	return c.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (c counted) Delete(ctx context.Context, key string) error {
	noteWork(ctx, 0, 1)
	return c.Store.Delete(ctx, key)
}

// noteWork adds to what the store has done for the request of a context. What it
// does for nobody's request, such as for the state of the page, is not counted.
func noteWork(ctx context.Context, reads, writes int) {
	x, ok := ctx.Value(exchangeKey{}).(*exchange)
	if !ok {
		return
	}
	x.visitor.mu.Lock()
	defer x.visitor.mu.Unlock()
	x.Reads += reads
	x.Writes += writes
}
