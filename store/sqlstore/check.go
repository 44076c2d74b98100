package sqlstore

import (
	"errors"
	"time"
)

// The limits of the contract.
const (
	maxKey   = 128       // bytes of a key
	maxValue = 64 * 1024 // bytes of a value
)

func checkKey(key string) error {
	if len(key) == 0 || len(key) > maxKey {
		return errors.New("the key is not 1 to 128 bytes")
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return errors.New("the key is not printable ASCII without space")
		}
	}
	return nil
}

func checkSwap(key string, old, new []byte, ttl time.Duration) error {
	switch {
	case old != nil && len(old) == 0:
		return errors.New("the old value is empty but not nil")
	case len(new) == 0 || len(new) > maxValue:
		return errors.New("the new value is not 1 to 65536 bytes")
	case ttl <= 0:
		return errors.New("the time to live is not positive")
	}
	return checkKey(key)
}

// roundUp returns ttl in units, rounded up, so at least one.
func roundUp(ttl, unit time.Duration) int64 {
	n := int64(ttl / unit)
	if ttl%unit > 0 {
		n++
	}
	return n
}
