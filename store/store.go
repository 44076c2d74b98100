// Package store defines the interface [Store], in which the packages of this
// module keep data between requests, and implements it in memory as [Memory].
//
//	sessions, err := session.New(session.Config{Store: &store.Memory{}})
//
// One Store serves sessions, refresh token families, lists of logins, rate
// limiters and single-use tokens alike. Backends for databases, such as Redis and
// PostgreSQL, are separate modules under store/. To test a backend of your own,
// use package storetest.
//
// The interface has three methods on built-in types. Every write except a
// deletion is a compare-and-swap: no update is lost, and a session that was
// ended stays ended.
package store

import (
	"context"
	"time"
)

// A Store keeps values under keys for a limited time. Implementations must
// follow these rules, which package storetest checks one by one:
//
//   - Each key is linearizable, including reads: a Get that starts after a swap
//     has returned sees the new value, in any process.
//   - An expired record is absent. The store guarantees the time to live;
//     callers also keep deadlines inside the value.
//   - An error never means that the key is absent. An error from CompareAndSwap
//     means that the outcome is unknown: the swap may have happened.
//   - A call whose context is canceled returns an error, and its write has
//     happened either completely or not at all. If the context has no deadline,
//     the store applies its own: no call blocks forever.
//   - Keys are 1 to 128 bytes of printable ASCII without space. Values are 1 to
//     65,536 arbitrary bytes. All other keys and values are errors.
//   - All methods are safe for concurrent use. Many keys that expire at once do
//     not delay calls.
//
// The interface uses only built-in types, so a backend does not need to import
// this package. A backend that imports it can call [CheckKey], [CheckValue] and
// [CheckTTL].
//
// To write a backend, implement the three methods and run storetest.Run and
// storetest.RunLogins in a test of it.
type Store interface {
	// Get returns the value under key. ok is false if the key is absent or has
	// expired. The returned bytes must not be modified: the caller does not
	// change them, and the store never changes them later.
	Get(ctx context.Context, key string) (value []byte, ok bool, err error)

	// CompareAndSwap sets key to new, to expire after ttl, if the current value
	// is exactly old. A nil old means absence: the call creates the key, and
	// exactly one of several concurrent calls succeeds. swapped is false,
	// without an error, if the current value differs or the key is absent.
	//
	// The new ttl replaces the old one. It is rounded up to the resolution of
	// the store. A ttl of zero or less is an error, so every record expires. It
	// is also an error if new is empty, or if old is empty but not nil. The
	// store keeps a copy of new.
	CompareAndSwap(ctx context.Context, key string, old, new []byte, ttl time.Duration) (swapped bool, err error)

	// Delete removes key, whatever its value. Deleting a missing key is a
	// no-op.
	Delete(ctx context.Context, key string) error
}

// Cached is a [Store] with a near cache (client-side caching): copies of values that
// this process has read, kept in its memory. Session managers and revocation checks of
// tokens call GetCached to authenticate a request, and Get everywhere else, so that a
// stale copy never decides a write. A cache that learns of changes as they happen is also
// [Notifying].
//
// The cache is optional. A wrapper around a store, such as one for metrics or tracing,
// keeps it by implementing GetCached too; one that embeds a Store loses it silently.
type Cached interface {
	Store

	// GetCached is like Get, but may return a value that another process has
	// changed or deleted a moment ago. The store documents how long that can
	// last. What this process writes itself is visible at once. It may be called
	// by many goroutines at once.
	GetCached(ctx context.Context, key string) (value []byte, ok bool, err error)
}

// Notifying is a [Cached] store whose near cache learns of changes as they happen. The
// Watch methods of packages session and token use it to see at once that another process
// has ended a login. Without it they see that within seconds.
type Notifying interface {
	Cached

	// OnChange makes the store call f, from now on, with the key of each record that
	// this process has read by GetCached and that was then changed or deleted, by any
	// process. A key may come twice or, after a lost connection, not at all. GetCached
	// does not return the old value once f is called. f returns quickly and calls no
	// method of the store. It may be called by many goroutines at once.
	OnChange(f func(key string))
}
