package main

import (
	"context"
	"errors"
	"time"

	"github.com/authlatch/auth/store"
)

// counted is the store of a mode. It counts its calls in the record of an exchange, which
// shows the cost of a mode: an access token is verified without the store. For a visitor
// who has disconnected the store, each call fails.
type counted struct {
	store.Store
	mode string
}

var errDisconnected = errors.New("the store is disconnected")

// call counts a call, and returns an error if the visitor has disconnected the store.
func (c counted) call(ctx context.Context, count func(x *exchange)) (err error) {
	note(ctx, func(x *exchange) {
		count(x)
		if x.visitor.disconnected[c.mode] {
			err = errDisconnected
		}
	})
	return err
}

func (c counted) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := c.call(ctx, func(x *exchange) { x.Reads++ }); err != nil {
		return nil, false, err
	}
	return c.Store.Get(ctx, key)
}

func (c counted) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := c.call(ctx, func(x *exchange) { x.Writes++ }); err != nil {
		return false, err
	}
	return c.Store.CompareAndSwap(ctx, key, old, new, ttl)
}

func (c counted) Delete(ctx context.Context, key string) error {
	if err := c.call(ctx, func(x *exchange) { x.Writes++ }); err != nil {
		return err
	}
	return c.Store.Delete(ctx, key)
}
