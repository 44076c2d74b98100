package store_test

import (
	"context"
	"fmt"
	"time"

	"github.com/authlatch/auth/store"
)

// A link that can be used once: only the first swap of its record succeeds.
func ExampleMemory() {
	ctx := context.Background()
	links := &store.Memory{}

	created, err := links.CompareAndSwap(ctx, "link:1", nil, []byte("unused"), time.Hour)
	fmt.Println("created:", created, err)

	for range 2 {
		first, err := links.CompareAndSwap(ctx, "link:1", []byte("unused"), []byte("used"), time.Hour)
		fmt.Println("first to use it:", first, err)
	}

	value, ok, err := links.Get(ctx, "link:1")
	fmt.Println(string(value), ok, err)
	// Output:
	// created: true <nil>
	// first to use it: true <nil>
	// first to use it: false <nil>
	// used true <nil>
}
