package simulate

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/authlatch/auth/store"
)

// checked is a store whose results are compared with what was written to it. Calls come
// one after the other, so there is one right result for each. It knows only keys that
// were written in this schedule.
type checked struct {
	store.Store
	writes map[string][][]byte // the values of a key, in order; nil for absence
	failed error               // the first wrong result
}

func newChecked(s store.Store) *checked {
	return &checked{Store: s, writes: make(map[string][][]byte)}
}

// clean deletes what was written, so that schedules leave nothing in a store that lasts.
func (c *checked) clean() {
	for key := range c.writes {
		c.Store.Delete(ctx, key)
	}
}

func (c *checked) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, ok, err := c.Store.Get(ctx, key)
	if err != nil {
		c.fail(fmt.Errorf("the store returned an error: Get: %w", err))
	} else if !bytes.Equal(value, c.current(key)) {
		c.fail(fmt.Errorf("the store is wrong: Get returned %s, want %s", c.name(key, value), c.name(key, c.current(key))))
	}
	return value, ok, err
}

func (c *checked) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (bool, error) {
	swapped, err := c.Store.CompareAndSwap(ctx, key, old, new, ttl)
	switch want := bytes.Equal(old, c.current(key)); {
	case err != nil:
		c.fail(fmt.Errorf("the store returned an error: CompareAndSwap: %w", err))
	case swapped != want:
		c.fail(fmt.Errorf("the store is wrong: CompareAndSwap from %s returned %v, although the value is %s",
			c.name(key, old), swapped, c.name(key, c.current(key))))
	case swapped:
		c.writes[key] = append(c.writes[key], bytes.Clone(new))
	}
	return swapped, err
}

func (c *checked) Delete(ctx context.Context, key string) error {
	err := c.Store.Delete(ctx, key)
	if err != nil {
		c.fail(fmt.Errorf("the store returned an error: Delete: %w", err))
	} else {
		c.writes[key] = append(c.writes[key], nil)
	}
	return err
}

func (c *checked) fail(err error) {
	if c.failed == nil {
		c.failed = err
	}
}

// current returns the value that the key must have, or nil.
func (c *checked) current(key string) []byte {
	if n := len(c.writes[key]); n > 0 {
		return c.writes[key][n-1]
	}
	return nil
}

// name describes a value by the number of its write.
func (c *checked) name(key string, value []byte) string {
	if value == nil {
		return "nothing"
	}
	writes := c.writes[key]
	for i := len(writes) - 1; i >= 0; i-- {
		if bytes.Equal(writes[i], value) {
			return fmt.Sprintf("the value of write %d of %d of the key", i+1, len(writes))
		}
	}
	return "a value that was never written"
}
