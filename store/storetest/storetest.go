// Package storetest tests implementations of [store.Store] against its
// contract. It is for the backends of this module and for your own. To write one,
// implement three methods: check the arguments with [store.CheckKey],
// [store.CheckValue] and [store.CheckTTL], and make CompareAndSwap one atomic step of
// the database. Then run two kits from a test of the backend:
//
//	func TestStore(t *testing.T) {
//		open := func(t *testing.T) store.Store {
//			return newStore(t) // and close it with t.Cleanup
//		}
//		t.Run("contract", func(t *testing.T) { storetest.Run(t, open) })
//		t.Run("logins", func(t *testing.T) { storetest.RunLogins(t, open) })
//	}
//
// Each subtest has the name of the rule that it checks. A failure is reported once for
// each cause: a rule that ends with an error of the store that another rule has reported
// is skipped and counted.
//
// Run it also with -race -cpu 1,2,8: some mistakes of a store in memory show only if
// calls run at the same instant. Not checked: that acknowledged writes survive a
// restart. Close and reopen the store in a test of your own.
//
// [RunLongLives] and [RunBlocked] check two rules that Run cannot: long times to live,
// and calls on a store that does not answer. examples/integrations/stores has a backend
// on bbolt to copy from.
package storetest

import (
	"testing"

	"github.com/authlatch/auth/store"
)

// Run checks the store that open returns against the contract. It takes some
// seconds, most of them waiting for records to expire.
//
// Run calls open twice for each group of rules. If the two stores share their
// records, like two connections to one server, they stand for two processes,
// and rules use both. Otherwise Run ignores the second store, and logs so. Open
// may return the same store each time.
//
// The store may hold other records and serve other programs during the test.
// Keys are random. Records have a time to live of at most a minute, except for
// a few of up to 292 years, which Run deletes. There are at most 25,000
// records, nearly all of them a few bytes long.
func Run(t *testing.T, open func(t *testing.T) store.Store) { run(t, groups, open) }

// run checks groups of rules. If the store cannot do the basics, it checks nothing else.
func run(t *testing.T, groups []group, open func(t *testing.T) store.Store) {
	t.Helper()
	causes, apart := newCauses(), false
	defer causes.report(t)
	check := func(t *testing.T, name string, rules []rule) bool {
		return t.Run(name, func(t *testing.T) {
			one, other := open(t), open(t)
			for _, rule := range rules {
				t.Run(rule.name, func(t *testing.T) {
					v := causes.verdict(t)
					k := newKit(t, v, one, other)
					k.lasting = causes.known(errPresent)
					apart = apart || !k.shared
					rule.check(k)
					v.end()
				})
			}
		})
	}
	if !check(t, "basics", basics) {
		t.Fatalf("no other rule was checked, because the store fails in the basics")
	}
	for _, group := range groups {
		check(t, group.name, group.rules)
	}
	if apart {
		t.Log("the two stores share no records: the rules for two processes were not checked")
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

var basics = []rule{
	{"a record is created, read, swapped and deleted", basicCalls},
}

var groups = []group{
	{"absence", []rule{
		{"Get of a missing key returns false without an error", getOfNothing},
		{"an expired record is absent", expiredIsAbsent},
		{"a nil old creates after a record has expired", createAfterExpiry},
		{"a swap never revives an expired record", swapAfterExpiry},
	}},
	{"swaps", []rule{
		{"a nil old creates only if the key is absent", createOnce},
		{"a swap sets key to new if the value is exactly old", swapIfEqual},
		{"swapped is false without an error if the value differs", swapIfOther},
		{"swapped is false without an error if the key is absent, and a swap never creates", swapOfNothing},
		{"Delete removes key, whatever its value", deleteAny},
		{"deleting a missing key is a no-op", deleteNothing},
		{"a swap never revives a deleted record", swapAfterDelete},
		{"each key has its own record", keysApart},
	}},
	{"time to live", []rule{
		{"the new ttl replaces the old one, if it is longer", longerTTL},
		{"the new ttl replaces the old one, if it is shorter", shorterTTL},
		{"a swap that did not happen does not change the ttl", failedSwapKeepsTTL},
		{"a ttl of zero or less is an error, and nothing is written", nonPositiveTTL},
		{"a ttl is rounded up, and every record expires", tinyTTL},
		{"a record is present until shortly before its end, and a nil old does not replace it", presentUntilExpiry},
		{"a ttl of up to 292 years is allowed, and no bits of it are lost", longTTL},
	}},
	{"keys and values", []rule{
		{"keys are 1 to 128 bytes", keyLengths},
		{"keys are any printable ASCII without space", keyCharacters},
		{"every other key is an error", badKeys},
		{"values are 1 to 65536 bytes", valueLengths},
		{"values are arbitrary bytes", valueBytes},
		{"values that differ in one byte are different", valuesApart},
		{"a new that is empty or too long is an error, and nothing is written", badNew},
		{"an old that is empty but not nil is an error, and nothing is written", badOld},
		{"the store keeps a copy of new", copiesNew},
		{"the store never changes the bytes that Get returned", keepsReturned},
	}},
	{"concurrent calls", []rule{
		{"exactly one of several concurrent creates succeeds", oneCreator},
		{"exactly one of two simultaneous swaps of a value succeeds", oneWinner},
		{"no update is lost", noLostUpdate},
		{"a Get that starts after a swap has returned sees the new value", readsOwnWrites},
		{"each key is linearizable, including reads", linearizable},
		{"many keys that expire at once do not delay calls", expireAtOnce},
		{"no record is evicted before it expires", manyLive},
	}},
	{"contexts", []rule{
		{"a context that has ended is an error, and nothing is written", endedContext},
		{"a canceled write happens completely or not at all", canceledContext},
		{"a canceled write never undoes a later write", canceledWriteIsNoRollback},
	}},
}
