package storetest_test

import (
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// In a test of your own, open connects to a server and closes the connection
// with t.Cleanup.
func ExampleRun() {
	open := func(t *testing.T) store.Store { return &store.Memory{} }

	_ = func(t *testing.T) { // func TestStore(t *testing.T)
		storetest.Run(t, open)
		storetest.RunLogins(t, open)
	}
}
