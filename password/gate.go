package password

import (
	"context"
	"fmt"
)

// gate bounds the memory that is used for hashing at once. It has a number of places
// of the same size; a hash that needs more memory takes several.
type gate struct {
	places chan struct{}
	turn   chan struct{} // held by the caller that is taking places
	size   int           // of each place, in KiB
}

func newGate(places, size int) gate {
	return gate{make(chan struct{}, places), make(chan struct{}, 1), size}
}

// enter waits for places for so much memory, and returns the function that releases
// them. Only one caller takes places at a time. Otherwise two callers that each wait
// for places of the other would deadlock, and a caller that needs many places would
// starve.
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

// take checks ctx first, so that nothing is hashed for a client that has
// disconnected.
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
	return fmt.Errorf("password: waiting for other hashes: %w", err)
}
