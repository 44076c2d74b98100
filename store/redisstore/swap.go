package redisstore

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// swap compares and sets in one step. A missing key is false in Lua, which
// equals no string.
const swap = `if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`

// Commands are pinned: after another try the client would use a command anew
// that the writer of the connection that broke may still be reading.

// Get returns the value under key. ok is false if there is none or it has
// expired. The caller does not change the value.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	if err := checkKey(key); err != nil {
		return nil, false, failed("get", err)
	}
	value, err = within(ctx, s.gate, func(ctx context.Context) ([]byte, error) {
		return read(s.client.Do(ctx, s.client.B().Get().Key(prefix+key).Build().Pin()))
	})
	if err != nil {
		return nil, false, failed("get", err)
	}
	return value, value != nil, nil
}

// read returns the value of an answer to GET, nil if there is none.
func read(answer rueidis.RedisResult) ([]byte, error) {
	value, err := answer.AsBytes()
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

// CompareAndSwap sets key to new, to expire after ttl, if the value is exactly
// old; a nil old stands for absence. The ttl is rounded up to milliseconds and
// must be positive.
//
// It makes one round trip. If the outcome stays unknown that is an error.
func (s *Store) CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error) {
	if err := checkSwap(key, old, new, ttl); err != nil {
		return false, failed("swap", err)
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
		return false, failed("swap", err)
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

// milliseconds rounds up.
func milliseconds(ttl time.Duration) int64 {
	n := ttl.Milliseconds()
	if ttl%time.Millisecond > 0 {
		n++
	}
	return n
}

// Delete removes key, whatever its value. It is no error if there is none.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return failed("delete", err)
	}
	_, err := within(ctx, s.gate, func(ctx context.Context) (int64, error) {
		return s.client.Do(ctx, s.client.B().Del().Key(prefix+key).Build().Pin()).AsInt64()
	})
	if err != nil {
		return failed("delete", err)
	}
	return nil
}
