package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// swap compares and sets atomically. For a missing key, GET returns false in
// Lua, which equals no string.
const swap = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// Commands are pinned: after a retry the client would otherwise reuse a command
// that the writer of the broken connection may still be reading.

// Get returns the value under key. ok is false if the key is absent or has
// expired. The caller must not modify the value.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, wrap("get", err)
	}
	value, err = within(ctx, s.gate, func(ctx context.Context) ([]byte, error) {
		return read(s.client.Do(ctx, s.client.B().Get().Key(prefix+key).Build().Pin()))
	})
	if err != nil {
		return nil, false, wrap("get", err)
	}
	return value, value != nil, nil
}

// read returns the value of a response to GET, or nil if there is none.
func read(response rueidis.RedisResult) ([]byte, error) {
	value, err := response.AsBytes()
	if rueidis.IsRedisNil(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if len(value) == 0 || len(value) > maxValue {
		return nil, errForeign
	}
	return value, nil
}

// CompareAndSwap sets key to new, to expire after ttl, if the current value is
// exactly old. A nil old means absence. The ttl must be positive and is rounded
// up to milliseconds.
//
// It makes one round trip. An error means that the outcome is unknown.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := checkSwap(key, old, new, ttl); err != nil {
		return false, wrap("swap", err)
	}
	// Strings are copies: the client may send them after this call has ended.
	before, after, life := string(old), string(new), milliseconds(ttl)
	swapped, err = within(ctx, s.gate, func(ctx context.Context) (bool, error) {
		if old == nil {
			return s.create(ctx, prefix+key, after, life)
		}
		args := []string{before, after, strconv.FormatInt(life, 10)}
		return s.script.Exec(ctx, s.client, []string{prefix + key}, args).AsBool()
	})
	if err != nil {
		return false, wrap("swap", err)
	}
	return swapped, nil
}

func (s *Store) create(ctx context.Context, key, value string, life int64) (bool, error) {
	err := s.client.Do(ctx, s.client.B().Set().Key(key).Value(value).Nx().PxMilliseconds(life).Build().Pin()).Error()
	if rueidis.IsRedisNil(err) {
		return false, nil
	}
	return err == nil, err
}

// milliseconds returns ttl in milliseconds, rounded up.
func milliseconds(ttl time.Duration) int64 {
	n := ttl.Milliseconds()
	if ttl%time.Millisecond > 0 {
		n++
	}
	return n
}

// Delete removes key, whatever its value. Deleting a missing key is a no-op.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return wrap("delete", err)
	}
	_, err := within(ctx, s.gate, func(ctx context.Context) (int64, error) {
		return s.client.Do(ctx, s.client.B().Del().Key(prefix+key).Build().Pin()).AsInt64()
	})
	if err != nil {
		return wrap("delete", err)
	}
	return nil
}
