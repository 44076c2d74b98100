package password

import (
	"context"
	"fmt"
)

// gate bounds how much memory is hashed in at once. It has a number of places,
// each of so many KiB; a hash that needs more takes several.
type gate struct {
	places chan struct{}
	turn   chan struct{} // held by the one that takes places
	size   int           // of a place, in KiB
}

func newGate(places, size int) gate {
	return gate{make(chan struct{}, places), make(chan struct{}, 1), size}
}

// enter waits for places for so much memory, and returns the function that
// gives them back. Only one takes places at a time: two that each wait for
// what the other holds would wait for ever, and one that needs many would
// always be overtaken.
func (g gate) enter(ctx context.Context, memory int) (leave func(), err error) {
	need := min((memory+g.size-1)/g.size, cap(g.places))
	taken := 0
	leave = func() {
		for range taken {
			<-g.places
		}
	}
	if err := take(ctx, g.turn); err != nil {
		return nil, err
	}
	defer func() { <-g.turn }()
	for ; taken < need; taken++ {
		if err := take(ctx, g.places); err != nil {
			leave()
			return nil, err
		}
	}
	return leave, nil
}

// take looks at ctx first: for a client that is gone nothing is hashed.
func take(ctx context.Context, places chan struct{}) error {
	err := ctx.Err()
	if err == nil {
		select {
		case places <- struct{}{}:
			return nil
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	return fmt.Errorf("password: waiting for others: %w", err)
}
