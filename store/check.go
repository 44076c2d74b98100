package store

import (
	"errors"
	"fmt"
	"time"
)

// The limits of the contract.
const (
	MaxKey   = 128       // bytes of a key
	MaxValue = 64 * 1024 // bytes of a value
)

// CheckKey returns an error unless key is 1 to [MaxKey] bytes of printable
// ASCII without space. A backend should call it first in each method. The error
// does not contain the key.
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

// CheckValue returns an error unless CompareAndSwap must accept both values:
// old is nil or not empty, and new has 1 to [MaxValue] bytes. The error does
// not contain a value.
func CheckValue(old, new []byte) error {
	switch {
	case old != nil && len(old) == 0:
		return errors.New("store: old value is empty but not nil")
	case len(new) == 0 || len(new) > MaxValue:
		return fmt.Errorf("store: value of %d bytes: 1 to %d are allowed", len(new), MaxValue)
	}
	return nil
}

// CheckTTL returns an error unless ttl is positive. Every positive
// [time.Duration] is allowed, up to the maximum of 292 years.
func CheckTTL(ttl time.Duration) error {
	if ttl <= 0 {
		return fmt.Errorf("store: time to live is not positive: %v", ttl)
	}
	return nil
}
