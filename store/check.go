package store

import (
	"errors"
	"fmt"
	"time"
)

// The bounds of the contract, for backends that check them by number.
const (
	MaxKey   = 128       // bytes of a key
	MaxValue = 64 * 1024 // bytes of a value
)

// CheckKey returns an error unless key is 1 to [MaxKey] bytes of printable
// ASCII without space. A backend calls it first in each of its methods. The
// error does not contain the key.
func CheckKey(key string) error {
	if key == "" || len(key) > MaxKey {
		return fmt.Errorf("store: key of %d bytes: 1 to %d are allowed", len(key), MaxKey)
	}
	for i := range len(key) {
		if key[i] <= ' ' || key[i] > '~' {
			return errors.New("store: key is not printable ASCII without space")
		}
	}
	return nil
}

// CheckValue returns an error unless old and new are values that CompareAndSwap
// accepts: old is nil or not empty, and new is 1 to [MaxValue] bytes. The error
// does not contain a value.
func CheckValue(old, new []byte) error {
	switch {
	case old != nil && len(old) == 0:
		return errors.New("store: old value is empty but not nil")
	case len(new) == 0 || len(new) > MaxValue:
		return fmt.Errorf("store: value of %d bytes: 1 to %d are allowed", len(new), MaxValue)
	}
	return nil
}

// CheckTTL returns an error unless ttl is positive. Every positive ttl is
// allowed, up to the longest [time.Duration] of 292 years.
func CheckTTL(ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("store: time to live is not positive: %v", ttl)
	}
	return nil
}
