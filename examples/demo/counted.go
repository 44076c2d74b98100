package main

import (
	"context"
	"time"

	"github.com/authlatch/auth/store"
)

// counted is a store that counts its calls in the record of an exchange. It shows the cost
// of a mode: an access token is verified without the store.
type counted struct{ store.Store }

func (c counted) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	note(ctx, func(x *exchange) { x.Reads++ })
	return c.Store.Get(ctx, key)
}

func (c counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	note(ctx, func(x *exchange) { x.Writes++ })
	return c.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (c counted) Delete(ctx context.Context, key string) error {
	note(ctx, func(x *exchange) { x.Writes++ })
	return c.Store.Delete(ctx, key)
}
