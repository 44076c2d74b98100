// Package store defines where log-ins are kept between requests, and has one
// such place in memory.
//
// The contract is three methods on built-in types. There is no way to write
// without having looked, so no update is lost and what was ended stays ended.
// One backend serves sessions, refresh families, lists of log-ins, throttles
// and single-use tokens alike.
//
// A backend of your own proves itself with one call to package storetest.
package store

import (
	"context"
	"time"
)

// Store keeps values under keys for a limited time.
//
// Laws, which package storetest checks one by one:
//
//   - Each key is linearizable, reads included: a Get that starts after a swap
//     has returned sees it, whichever process asks.
//   - A record that has expired is absent. The time to live is the store's
//     promise; callers keep deadlines of their own inside the value.
//   - err never means "nothing there". An error from CompareAndSwap means that
//     its outcome is unknown: it may have happened.
//   - A context that is cancelled ends the call with an error, and leaves
//     either the whole write or none of it. Where the context has no deadline,
//     the store has one of its own: no call hangs.
//   - Keys are 1 to 128 bytes of printable ASCII without space. Values are 1
//     to 65,536 bytes of any kind. Everything else is an error.
//   - All methods may be called by many goroutines at once, and many keys that
//     expire at once delay nobody.
//
// A Store needs no type of this package, so a backend imports nothing of it.
// One that does may call [CheckKey], [CheckValue] and [CheckTTL].
type Store interface {
	// Get returns the value under key. ok is false if there is none or it has
	// expired. Nobody changes the bytes that it returns: the caller does not,
	// and the store never will.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)

	// CompareAndSwap sets key to new, to expire after ttl, if the value is
	// exactly old. A nil old stands for absence: it creates, and of many who
	// create at once one wins. swapped is false, without an error, if the
	// value is another, or there is none.
	//
	// The new ttl replaces the old one. It is rounded up to what the store can
	// tell apart; zero or less is an error, and nothing lives for ever. An
	// empty new, and an old that is empty but not nil, are errors. The store
	// keeps a copy of new.
	CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error)

	// Delete removes key, whatever its value. It is no error if there is none.
	Delete(ctx context.Context, key string) error
}
