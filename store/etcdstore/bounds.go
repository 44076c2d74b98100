package etcdstore

import (
	"errors"
	"time"
)

// The limits of the contract.
const (
	maxKey   = 128       // bytes of a key
	maxValue = 64 * 1024 // bytes of a value
)

var (
	errKey = errors.New("the key is not 1 to 128 bytes of printable ASCII without space")
	errOld = errors.New("the old value is empty but not nil")
	errNew = errors.New("the new value is not 1 to 65536 bytes")
	errTTL = errors.New("the time to live is not positive")
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
