// Package storetest is the contract of [store.Store] in executable form, for
// the backends of this module and for your own. One call proves a backend:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return open(t) // and close it with t.Cleanup
//		})
//	}
//
// Each subtest is named after the rule that it checks.
package storetest

import (
	"testing"

	"github.com/authlatch/auth/store"
)

// Run checks the store that open returns against the contract, in some
// seconds, most of which it waits for records to expire.
//
// It calls open twice for each group of rules. If the two stores share their
// records, as two connections to one server do, they stand for two processes
// and are used side by side; otherwise the second is left alone. Open may
// return the same store each time.
//
// The store may hold other records and serve other programs meanwhile. Keys
// are random, records are written with a time to live of a minute at most (but
// for a few of up to 292 years, which are deleted), and there are at most 25,000,
// nearly all of them of a few bytes.
//
// Run cannot see what takes longer than itself, or needs a store that cannot
// answer. [RunLongLives] and [RunBlocked] check the rest.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, group := range groups {
		t.Run(group.name, func(t *testing.T) {
			one, other := open(t), open(t)
			for _, rule := range group.rules {
				t.Run(rule.name, func(t *testing.T) {
					rule.check(newKit(t, one, other))
				})
			}
		})
	}
}

type group struct {
	name  string
	rules []rule
}

type rule struct {
	name  string
	check func(*kit)
}

var groups = []group{
	{"absence", []rule{
		{"Get says false without an error if there is none", getOfNothing},
		{"a record that has expired is absent", expiredIsAbsent},
		{"a nil old creates where a record has expired", createAfterExpiry},
		{"a swap never revives what has expired", swapAfterExpiry},
	}},
	{"swaps", []rule{
		{"a nil old creates, and only where there is none", createOnce},
		{"a swap sets key to new if the value is exactly old", swapIfEqual},
		{"swapped is false without an error if the value is another", swapIfOther},
		{"swapped is false without an error if there is none, and a swap never creates", swapOfNothing},
		{"Delete removes key, whatever its value", deleteAny},
		{"Delete is no error if there is none", deleteNothing},
		{"what was deleted stays so, whoever swaps it", swapAfterDelete},
		{"each key has its own record", keysApart},
	}},
	{"time to live", []rule{
		{"the new ttl replaces the old one, if it is longer", longerLife},
		{"the new ttl replaces the old one, if it is shorter", shorterLife},
		{"a swap that did not happen changes no ttl", refusedSwapKeepsLife},
		{"a ttl of zero or less is an error, and writes nothing", noLife},
		{"a ttl is rounded up, and nothing lives for ever", tinyLife},
		{"a record is there until shortly before its end, and nil does not replace it", livesUntilItsEnd},
		{"a ttl of up to 292 years is no error, and no bits of it are lost", longLife},
	}},
	{"keys and values", []rule{
		{"keys are 1 to 128 bytes", keyLengths},
		{"keys are of any printable ASCII without space", keyCharacters},
		{"every other key is an error", badKeys},
		{"values are 1 to 65536 bytes", valueLengths},
		{"values are of any kind", valueBytes},
		{"values that differ in one byte are different", valuesApart},
		{"an empty or too long new is an error, and writes nothing", badNew},
		{"an old that is empty but not nil is an error, and writes nothing", badOld},
		{"the store keeps a copy of new", copiesNew},
		{"the store never changes what Get returned", keepsReturned},
	}},
	{"many at once", []rule{
		{"of many who create at once one wins", oneCreator},
		{"no update is lost", noLostUpdate},
		{"a Get that starts after a swap has returned sees it", readsOwnWrites},
		{"each key is linearizable, reads included", linearizable},
		{"many keys that expire at once delay nobody", expireAtOnce},
		{"no record that lives is dropped for others", manyLive},
	}},
	{"contexts", []rule{
		{"a context that is over is an error, and nothing happens", deadContext},
		{"a context that is cancelled leaves the whole write or none of it", cancelledContext},
		{"a write that was cancelled never undoes a later one", cancelledStaysUndone},
	}},
}
