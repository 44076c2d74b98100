package redisstore

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	maxKey   = 128
	maxValue = 64 * 1024
)

var (
	errKey     = errors.New("the key is not 1 to 128 bytes of printable ASCII")
	errOld     = errors.New("the old value is empty but not nil")
	errNew     = errors.New("the new value is not 1 to 65536 bytes")
	errTTL     = errors.New("the time to live is not positive")
	errForeign = errors.New("the value was not written by this package")
)

func checkKey(key string) error {
	if key == "" || len(key) > maxKey {
		return errKey
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return errKey
		}
	}
	return nil
}

func checkSwap(key string, old, new []byte, ttl time.Duration) error {
	switch {
	case checkKey(key) != nil:
		return errKey
	case old != nil && len(old) == 0:
		return errOld
	case len(new) == 0 || len(new) > maxValue:
		return errNew
	case ttl <= 0:
		return errTTL
	}
	return nil
}

// wrap adds the operation to err.
func wrap(operation string, err error) error {
	return fmt.Errorf("redisstore: %s: %w", operation, withoutArgs(err))
}

// withoutArgs shortens the error that a server returns for an unknown command, which
// quotes the command including key and value.
func withoutArgs(err error) error {
	if response, ok := rueidis.IsRedisErr(err); ok {
		text, _, _ := strings.Cut(response.Error(), ", with args")
		return errors.New(text)
	}
	return err
}
