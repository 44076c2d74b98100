package conformance

import (
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// stores are all that this repository has. Each opens an empty or a shared
// store for a test, closes it with t.Cleanup, and calls missing if its server
// is not there.
var stores = map[string]func(t *testing.T) store.Store{
	"Memory": func(*testing.T) store.Store { return &store.Memory{} },
}

func TestStoresKeepTheContract(t *testing.T) {
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { storetest.Run(t, open) })
	}
}
