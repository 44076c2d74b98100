package store_test

import (
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// Readers copy the example, so it must keep the contract.
func TestTheStoreOfTheExampleKeepsTheContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return &mapStore{records: make(map[string]record)} })
}
