package storetest

import (
	"testing"

	"github.com/authlatch/auth/store"
)

func TestTwoViewsAreUsedIfTheyShareRecords(t *testing.T) {
	one, other := &store.Memory{}, &store.Memory{}
	view := &broken{Memory: one}
	if k := newKit(t, t, one, view); k.stores[1] != store.Store(view) || !k.shared {
		t.Error("a second view of the same records is left alone")
	}
	if k := newKit(t, t, one, other); k.stores[1] != store.Store(one) || k.shared {
		t.Error("a store with other records is used")
	}
}
