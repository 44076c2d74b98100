package storetest_test

import (
	"testing"

	"github.com/authlatch/auth/store"
	"github.com/authlatch/auth/store/storetest"
)

// ASVS 5.0, 15.4.2.
func TestMemory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return &store.Memory{} })
}

// ASVS 5.0, 15.4.2.
func TestMemoryKeepsLogins(t *testing.T) {
	t.Parallel()
	storetest.RunLogins(t, func(*testing.T) store.Store { return &store.Memory{} })
}

func TestMemorySeenTwice(t *testing.T) {
	t.Parallel()
	shared := &store.Memory{}
	storetest.Run(t, func(*testing.T) store.Store { return shared })
}
